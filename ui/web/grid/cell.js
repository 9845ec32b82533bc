// One image of the grid. Cells are used again for other images, so that few elements move.

import { initials } from "../shared/class_look.js";
import { writeName } from "../shared/cut_name.js";
import { make } from "../shared/make.js";
import { noteCount } from "../shared/marks.js";

export function percent(value) {
  return `${Math.round(100 * value)}\u00a0%`;
}

const ANSWERS = { skip: "Skipped", cannot_tell: "Cannot tell", gone: "Not yours now" };

export class Cell {
  // onLoaded(): a picture arrived; onLost(image, cell): the picture of the image could not be loaded.
  constructor(number, onLoaded, onLost) {
    this.node = make("div", "cell");
    this.node.setAttribute("role", "option");
    this.node.id = `cell-${number}`;
    this.frame = make("div", "frame");
    this.picture = make("img");
    this.picture.alt = "";
    this.picture.decoding = "async";
    this.picture.draggable = false;
    this.picture.addEventListener("load", () => {
      this.node.classList.add("seen");
      onLoaded();
    });
    this.picture.addEventListener("error", () => {
      this.node.classList.add("gone");
      onLost(this.image, this);
    });
    this.lost = make("span", "lost", "No picture");
    this.lost.setAttribute("aria-hidden", "true");
    this.marks = make("span", "marked");
    this.marks.setAttribute("aria-hidden", "true");
    this.frame.append(this.picture, this.lost, this.marks);
    this.label = make("div", "says own");
    this.badge = make("span", "badge");
    this.name = make("bdi", "name");
    this.label.append(this.badge, this.name);
    this.said = make("div", "says predicted");
    this.saidName = make("bdi", "name");
    this.chance = make("span", "chance");
    // Spaces that are not drawn: they part the words for who reads or says the text.
    this.said.append(this.saidName, " ", this.chance);
    this.tick = make("span", "tick", "✓");
    this.tick.setAttribute("aria-hidden", "true");
    this.node.append(this.frame, this.label, " ", this.said, this.tick);
    this.place = -1;
    this.shown = null;
    this.address = null;
  }

  // Whether at least half of the picture of the image that this cell stands for is within this box, in px of the
  // window. The cell is used again: a picture that arrived for another image does not count.
  shownWithin({ top, bottom }) {
    const { picture, address, image } = this;
    if (image === null || address === null || !picture.complete || picture.naturalWidth === 0) return false;
    if (picture.currentSrc !== new URL(address, window.location.href).href) return false;
    const box = this.frame.getBoundingClientRect();
    const middle = (box.top + box.bottom) / 2;
    return middle >= top && middle <= bottom;
  }

  // image: null while it is not loaded.
  draw(place, total, image, { selected, focused, address, colours, pending }) {
    const node = this.node;
    this.place = place;
    node.classList.toggle("selected", selected);
    node.classList.toggle("focused", focused);
    node.setAttribute("aria-selected", String(selected));
    const key = `${place}|${pending ?? ""}|${image === null ? "" : image.id}|${image?.answer}|${image?.class_id}|${image?.predicted_id}|${image?.differ}|${image?.flagged}|${image?.notes}`;
    if (key !== this.shown || image !== this.image) {
      this.shown = key;
      this.image = image;
      node.setAttribute("aria-posinset", String(place + 1));
      node.setAttribute("aria-setsize", String(total));
      this.write(image, colours, pending);
    }
    if (address !== this.address) {
      this.address = address;
      node.classList.remove("seen", "gone");
      if (address === null) this.picture.removeAttribute("src");
      else this.picture.src = address;
    }
  }

  write(image, colours, pending) {
    const own = pending ?? image?.class_name ?? ANSWERS[image?.answer] ?? "";
    writeName(this.name, own);
    this.label.classList.toggle("without", own === "");
    this.label.classList.toggle("pending", pending !== null && pending !== undefined);
    const badged = image?.class_name && !pending;
    this.badge.hidden = !badged;
    // Not as text: the name of the cell holds its text, and says the class in full.
    this.badge.dataset.initials = badged ? initials(image.class_name) : "";
    this.badge.style.setProperty("--of", colours.get(image?.class_id) ?? "var(--muted)");
    const predicted = image?.predicted_name ?? null;
    writeName(this.saidName, predicted ?? "");
    this.chance.textContent = predicted === null ? "" : percent(image.probability);
    const other = image?.class_name && predicted !== null && predicted !== image.class_name;
    this.said.classList.toggle("other", Boolean(other));
    this.marks.textContent = `${image?.flagged ? "⚑" : ""}${image?.notes > 0 ? ` ✎${image.notes}` : ""}`;
    this.marks.hidden = this.marks.textContent === "";
    this.node.classList.toggle("differ", Boolean(image?.differ));
    this.node.classList.toggle("done", Boolean(image?.done));
    this.node.setAttribute("aria-label", image === null ? "Loading" : describe(image, own));
    this.node.title = image === null ? "" : describe(image, own);
  }
}

// What is written on the cell comes first, in its order: who steers the browser by voice says it.
function describe(image, own) {
  const parts = own === "" ? [] : [own];
  if (image.predicted_name !== null) parts.push(`${image.predicted_name} ${percent(image.probability)} predicted`);
  if (own === "") parts.push("no answer");
  parts.push(image.path);
  if (image.people.length > 0) parts.push(`answered by ${image.people.join(", ")}`);
  if (image.differ) parts.push("people disagree");
  if (image.flagged) parts.push("flagged");
  if (image.notes > 0) parts.push(noteCount(image.notes));
  if (image.role === "audit") parts.push("audit set");
  if (image.similarity !== null) parts.push(`similarity ${image.similarity.toFixed(2)}`);
  return parts.join(", ");
}
