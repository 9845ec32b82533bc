// The classes beside the picture: one button each, and with more classes than digits the likeliest on top.

import { button } from "../shared/buttons.js";
import { make } from "../shared/make.js";

const FLASH_MS = 160;
const LONG_LIST = 14;

export class Answers {
  constructor(actions) {
    this.actions = actions;
    this.buttons = [];
    this.digitButtons = [];
    this.node = make("div", "answers");
    this.digits = make("div", "digits");
    this.digits.setAttribute("role", "group");
    this.digits.setAttribute("aria-label", "Likeliest classes of this image");
    this.noDigits = make("div", "muted no-digits", "This image is shown without suggestions.");
    this.finder = button("finder", "Find a class by its name", "a … z", () => actions.find(""), actions.refuse);
    this.grid = make("div", "grid");
    this.grid.setAttribute("role", "group");
    this.grid.setAttribute("aria-label", "Classes");
    this.node.append(this.digits, this.finder, this.grid);
    this.examples = make("div", "examples");
    this.examples.hidden = true;
  }

  draw(classes, many) {
    this.buttons = classes.map((c) => {
      const node = this.button(c, c.key);
      if (!c.key) node.classList.add("keyless");
      const mark = make("span", "unseen"); // the mark for those who hear the page
      node.querySelector(".label").after(mark);
      return { node, mark, id: c.id, name: c.name };
    });
    this.classes = classes;
    this.grid.replaceChildren(...this.buttons.map((b) => b.node));
    this.grid.classList.toggle("many", classes.length > LONG_LIST);
    this.digits.hidden = !many;
    this.finder.hidden = !many;
    this.finder.setAttribute("aria-keyshortcuts", "/");
    this.drawDigits(new Map());
  }

  button(c, key) {
    const node = button("class", c.name, key, () => this.actions.choose(c.id), this.actions.refuse);
    node.title = c.description ? `${c.name}: ${c.description}` : c.name;
    if (c.colour) node.style.borderInlineStart = `5px solid ${c.colour}`;
    if (c.examples.length > 0) {
      for (const name of ["pointerenter", "focus"]) {
        node.addEventListener(name, () => this.drawExamples(c));
      }
      for (const name of ["pointerleave", "blur"]) {
        node.addEventListener(name, () => this.drawExamples(null));
      }
    }
    return node;
  }

  // Digit -> class id of the image on the screen.
  drawDigits(digits) {
    const drawn = [...digits].map((pair) => pair.join(" ")).join(", ");
    if (this.digits.hidden || this.drawn === drawn) return;
    this.drawn = drawn;
    this.digitButtons = [...digits].map(([digit, id]) => {
      const node = this.button(this.classes.find((c) => c.id === id), digit);
      return { node, id };
    });
    const nodes = this.digitButtons.map((b) => b.node);
    this.digits.replaceChildren(...(nodes.length > 0 ? nodes : [this.noDigits]));
  }

  // Class ids that the image probably has, best first.
  drawLikely(ids, promised) {
    for (const b of this.buttons) {
      const marked = ids.includes(b.id);
      b.node.classList.toggle("likely-class", marked);
      b.mark.textContent = marked ? "likely" : "";
    }
    this.grid.classList.toggle("marked", promised);
    return ids.map((id) => this.buttons.find((b) => b.id === id)?.name).filter(Boolean);
  }

  // The example images of the class under the pointer, below everything so that nothing else moves.
  drawExamples(c) {
    this.examples.hidden = c === null;
    if (c === null) return;
    const pictures = c.examples.map((url) => {
      const picture = make("img");
      picture.src = url;
      picture.alt = `Example of ${c.name}`;
      return picture;
    });
    this.examples.replaceChildren(make("div", "examples-title", `Examples of ${c.name}`), ...pictures);
  }

  flash(classId) {
    for (const b of [...this.buttons, ...this.digitButtons]) {
      if (b.id !== classId) continue;
      b.node.classList.add("chosen");
      setTimeout(() => b.node.classList.remove("chosen"), FLASH_MS);
    }
  }
}

