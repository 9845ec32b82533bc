// What stands on the picture of an image: that it is flagged, and how many notes it has. And the news of a change,
// from the card to the page behind it.

import { make } from "./make.js";

const CHANGED = "alworkbench-marks";

export class Marks {
  constructor(parent) {
    this.node = make("div", "image-marks");
    this.flag = make("span", "image-mark flag", "⚑ Flagged");
    this.notes = make("span", "image-mark");
    this.node.append(this.flag, this.notes);
    parent.append(this.node);
    this.draw({ flagged: false, notes: 0 });
  }

  draw({ flagged, notes }) {
    this.flag.hidden = !flagged;
    this.notes.hidden = notes === 0;
    this.notes.textContent = noteCount(notes);
  }
}

export function noteCount(notes) {
  return notes === 1 ? "1 note" : `${notes} notes`;
}

// Marks of the image with this content hash once these entries of an outbox have arrived.
export function marksWith({ flagged, notes }, hash, entries) {
  const ofImage = entries.filter(({ body }) => body.images?.includes(hash));
  const flags = ofImage.filter(({ kind }) => kind === "flag");
  return {
    flagged: flags.at(-1)?.body.raised ?? flagged,
    notes: notes + ofImage.filter(({ kind }) => kind === "note").length,
  };
}

// Said once the server has stored the entry of an outbox.
export function storedWords({ kind, body }) {
  if (kind === "note") return "The note is kept.";
  return body.raised ? "Flagged." : "The flag is off.";
}

// change: {hash, flagged, notes}, as the image is now.
export function tellMarks(change) {
  window.dispatchEvent(new CustomEvent(CHANGED, { detail: change }));
}

// Returns a function that ends it.
export function hearMarks(onChange) {
  const hear = (event) => onChange(event.detail);
  window.addEventListener(CHANGED, hear);
  return () => window.removeEventListener(CHANGED, hear);
}
