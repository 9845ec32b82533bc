// One image of the grid. Cells are used again for other images, so that few elements move.

import { initials } from "../shared/class_look.js";
import { make } from "../shared/make.js";

export function percent(value) {
  return `${Math.round(100 * value)} %`;
}

const ANSWERS = { skip: "Skipped", cannot_tell: "Cannot tell" };

export class Cell {
  constructor(number) {
    this.node = make("div", "cell");
    this.node.setAttribute("role", "option");
    this.node.id = `cell-${number}`;
    this.frame = make("div", "frame");
    this.picture = make("img");
    this.picture.alt = "";
    this.picture.decoding = "async";
    this.picture.draggable = false;
    this.picture.addEventListener("load", () => this.node.classList.add("seen"));
    this.picture.addEventListener("error", () => this.node.classList.add("gone"));
    this.frame.append(this.picture, make("span", "lost", "No picture"));
    this.label = make("div", "says own");
    this.badge = make("span", "badge");
    this.name = make("bdi", "name");
    this.label.append(this.badge, this.name);
    this.said = make("div", "says predicted");
    this.saidName = make("bdi", "name");
    this.chance = make("span", "chance");
    this.said.append(this.saidName, this.chance);
    this.tick = make("span", "tick", "✓");
    this.tick.setAttribute("aria-hidden", "true");
    this.node.append(this.frame, this.label, this.said, this.tick);
    this.place = -1;
    this.shown = null;
    this.address = null;
  }

  // image: null while it is not loaded.
  draw(place, total, image, { selected, focused, address, colours, pending }) {
    const node = this.node;
    this.place = place;
    node.classList.toggle("selected", selected);
    node.classList.toggle("focused", focused);
    node.setAttribute("aria-selected", String(selected));
    const key = `${place}|${pending ?? ""}|${image === null ? "" : image.id}|${image?.answer}|${image?.class_id}|${image?.predicted_id}|${image?.differ}`;
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
    this.name.textContent = own;
    this.label.classList.toggle("without", own === "");
    this.label.classList.toggle("pending", pending !== null && pending !== undefined);
    const badged = image?.class_name && !pending;
    this.badge.hidden = !badged;
    this.badge.textContent = badged ? initials(image.class_name) : "";
    this.badge.style.setProperty("--of", colours.get(image?.class_id) ?? "var(--muted)");
    const predicted = image?.predicted_name ?? null;
    this.saidName.textContent = predicted ?? "";
    this.chance.textContent = predicted === null ? "" : percent(image.probability);
    const other = image?.class_name && predicted !== null && predicted !== image.class_name;
    this.said.classList.toggle("other", Boolean(other));
    this.node.classList.toggle("differ", Boolean(image?.differ));
    this.node.setAttribute("aria-label", image === null ? "Loading" : describe(image, own));
    this.node.title = image === null ? "" : describe(image, own);
  }
}

function describe(image, own) {
  const parts = [image.path, own === "" ? "no answer" : `label ${own}`];
  if (image.people.length > 0) parts.push(`by ${image.people.join(", ")}`);
  if (image.differ) parts.push("people disagree");
  if (image.predicted_name !== null) parts.push(`prediction ${image.predicted_name} ${percent(image.probability)}`);
  if (image.role === "audit") parts.push("audit set");
  if (image.similarity !== null) parts.push(`similarity ${image.similarity.toFixed(2)}`);
  return parts.join(", ");
}
