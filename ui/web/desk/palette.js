// Finds a class by the words of its name, in any order, while the image stays on the screen.
//
// It takes all keys while it is open. What was typed stays until a class is chosen or Escape closes it, and
// without something typed nothing is highlighted, so that Enter alone answers nothing.

import { button } from "../shared/buttons.js";
import { keys } from "../shared/keys.js";
import { make } from "../shared/make.js";

const MOST_SHOWN = 60;
const PAGE = 8;

function folded(text) {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
}

// How well a name fits: 0 is it, 3 has all words somewhere, null has not all of them.
function fit(name, wanted) {
  const words = wanted.split(/\s+/).filter(Boolean);
  if (!words.every((word) => name.includes(word))) return null;
  if (name === wanted) return 0;
  if (name.startsWith(wanted)) return 1;
  const starts = name.split(/[^\p{L}\p{N}]+/u);
  return words.every((word) => starts.some((start) => start.startsWith(word))) ? 2 : 3;
}

export class Palette {
  // onChoose(choice) returns whether it was taken, or says itself why not; onClose() follows a closing.
  constructor(parent, { onChoose, onClose }) {
    this.onChoose = onChoose;
    this.onClose = onClose;
    this.choices = [];
    this.found = [];
    this.at = -1;
    this.leave = null;
    this.node = make("div", "palette");
    this.node.hidden = true;
    this.node.setAttribute("role", "dialog");
    this.node.setAttribute("aria-label", "Find a class");
    const head = make("div", "palette-head");
    this.input = make("input", "field");
    this.input.type = "text";
    this.input.autocomplete = "off";
    this.input.spellcheck = false;
    this.input.placeholder = "Words of the name, in any order";
    for (const [name, value] of [
      ["role", "combobox"],
      ["aria-label", "Words of the name of a class"],
      ["aria-expanded", "true"],
      ["aria-controls", "palette-list"],
      ["aria-autocomplete", "list"],
    ]) {
      this.input.setAttribute(name, value);
    }
    this.input.addEventListener("input", () => this.search());
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    head.append(this.input, button("quiet close", "Close", "Esc", () => this.close()));
    this.list = make("ul", "palette-list");
    this.list.id = "palette-list";
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Classes");
    this.count = make("div", "muted palette-count");
    this.count.setAttribute("role", "status");
    this.node.append(head, this.count, this.list);
    parent.append(this.node);
  }

  get isOpen() {
    return this.leave !== null;
  }

  // choices: [{id, name, hint, act}], the most wanted first.
  open(text, choices) {
    this.choices = choices.map((choice) => ({ ...choice, folded: folded(choice.name) }));
    this.input.value = text;
    if (!this.isOpen) {
      this.leave = keys.enter("the search for a class", (press) => this.takeKey(press), {
        modal: true,
        sheet: () => [
          ["↑ and ↓", "Highlight another class"],
          ["Enter", "Answer with the highlighted class"],
          ["Esc", "Close the search; nothing is answered"],
        ],
      });
    }
    this.node.hidden = false;
    this.search();
    this.input.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.leave();
    this.leave = null;
    this.node.hidden = true;
    this.input.blur();
    this.onClose();
  }

  // Keys that did not go to the field, because the focus went elsewhere.
  takeKey(press) {
    if (press.key === "escape") this.close();
    else if (press.key === "tab") return false;
    else this.input.focus();
    return press.key === "escape";
  }

  search() {
    const wanted = folded(this.input.value.trim());
    const fits = this.choices
      .map((choice, order) => ({ choice, order, fit: fit(choice.folded, wanted) }))
      .filter((each) => each.fit !== null)
      .sort((a, b) => a.fit - b.fit || a.order - b.order);
    this.found = fits.map((each) => each.choice);
    this.at = wanted === "" || this.found.length === 0 ? -1 : 0;
    const more = this.found.length - MOST_SHOWN;
    this.count.textContent =
      this.found.length === 0
        ? "No class has these words."
        : `${this.found.length === 1 ? "1 choice" : `${this.found.length} choices`}${more > 0 ? `, the first ${MOST_SHOWN} shown` : ""}`;
    this.list.replaceChildren(
      ...this.found.slice(0, MOST_SHOWN).map((choice, n) => {
        const item = make("li", "palette-choice");
        item.id = `palette-${n}`;
        item.setAttribute("role", "option");
        item.append(make("bdi", "", choice.name), make("span", "muted", choice.hint ?? ""));
        item.addEventListener("pointerdown", (event) => event.preventDefault()); // the field keeps the focus
        item.addEventListener("click", () => {
          this.at = n;
          this.choose();
        });
        return item;
      }),
    );
    this.mark();
  }

  mark() {
    [...this.list.children].forEach((item, n) => {
      item.setAttribute("aria-selected", String(n === this.at));
      if (n === this.at) item.scrollIntoView({ block: "nearest" });
    });
    if (this.at < 0) this.input.removeAttribute("aria-activedescendant");
    else this.input.setAttribute("aria-activedescendant", `palette-${this.at}`);
  }

  move(by) {
    const last = Math.min(this.found.length, MOST_SHOWN) - 1;
    this.at = Math.max(Math.min(this.at + by, last), last < 0 ? -1 : 0);
    this.mark();
  }

  onKey(event) {
    if (event.isComposing) return;
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: PAGE, PageUp: -PAGE };
    if (event.key in steps) this.move(steps[event.key]);
    else if (event.key === "Escape") this.close();
    else if (event.key === "Enter") {
      if (!event.repeat) this.choose();
    } else if (event.key !== "Tab") return;
    event.preventDefault();
    event.stopPropagation();
  }

  choose() {
    const choice = this.found[this.at];
    if (choice === undefined) {
      if (this.found.length > 0) this.count.textContent = "Type a name, or choose with the arrows.";
    } else if (this.onChoose(choice)) this.close();
  }

  tell(text) {
    this.count.textContent = text;
  }
}
