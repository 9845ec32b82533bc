// The last answered images, newest first. Each opens again, and a new answer replaces the earlier one.

import { writeName } from "../shared/cut_name.js";
import { make } from "../shared/make.js";
import { noteCount } from "../shared/marks.js";

const KEPT = 12;
const THUMBNAIL_SIDE = 256;

export class Strip {
  // onOpen(past) is called with {event_id, item_id, image_url, width, height, kind, class_id}.
  constructor(parent, onOpen) {
    this.onOpen = onOpen;
    this.past = [];
    this.node = make("div", "strip");
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Your last answers");
    this.node.hidden = true;
    parent.append(this.node);
  }

  add(past) {
    this.past = [past, ...this.past.filter((other) => other.item_id !== past.item_id)].slice(0, KEPT);
  }

  // The earlier answer has another event and content now; its place stays.
  replace(eventId, changes) {
    for (const past of this.past) if (past.event_id === eventId) Object.assign(past, changes);
  }

  remove(eventId) {
    this.past = this.past.filter((past) => past.event_id !== eventId);
  }

  // What the server knows, behind the answers that are not sent yet.
  take(answers, isUnsent) {
    const unsent = this.past.filter((past) => isUnsent(past.event_id));
    const known = new Set(unsent.map((past) => past.item_id ?? past.image_url));
    const others = answers.filter((past) => !known.has(past.item_id ?? past.image_url));
    this.past = [...unsent, ...others].slice(0, KEPT);
  }

  // describe(past) gives words and colour of an answer, flag and notes of its image; `open` is the one on the screen.
  draw(describe, open) {
    this.node.hidden = this.past.length === 0;
    const said = JSON.stringify(this.past.map((past) => [past, describe(past), past === open]));
    if (said === this.said) return;
    this.said = said;
    this.node.replaceChildren(
      make("span", "muted strip-title", "Last answers"),
      ...this.past.map((past) => this.button(past, describe(past), past === open)),
    );
  }

  button(past, { text, colour, flagged, notes }, isOpen) {
    const node = make("button", "past");
    node.type = "button";
    const marks = [flagged ? "⚑ Flagged" : "", notes > 0 ? noteCount(notes) : ""].filter(Boolean).join(", ");
    node.title = marks ? `${text}. ${marks}` : text;
    node.setAttribute("aria-label", `Answered: ${text}. ${marks ? `${marks}. ` : ""}Open this image again.`);
    node.setAttribute("aria-pressed", String(isOpen));
    const picture = make("img");
    picture.src = `${past.image_url}&side=${THUMBNAIL_SIDE}`;
    picture.alt = "";
    picture.loading = "lazy";
    picture.draggable = false;
    const words = make("bdi", "past-text");
    writeName(words, text);
    if (colour) node.style.borderBlockEnd = `4px solid ${colour}`;
    node.append(picture, words);
    if (marks) node.append(make("span", "past-marks", `${flagged ? "⚑" : ""}${notes > 0 ? ` ${noteCount(notes)}` : ""}`));
    node.addEventListener("click", (event) => {
      if (event.detail > 0) node.blur();
      this.onOpen(past);
    });
    return node;
  }
}
