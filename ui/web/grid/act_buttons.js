// The buttons below a grid: what can be done with the selection.

import { initials } from "../shared/class_look.js";
import { keyCap, make } from "../shared/make.js";

const MOST_CLASSES = 12; // classes that have a button; the others are found by their name

// key: the key that does the same, or null.
export function actButton(words, key, work, className = "") {
  const button = make("button", className);
  button.type = "button";
  button.append(make("bdi", "label", words));
  if (key) {
    button.append(keyCap(key));
    button.setAttribute("aria-keyshortcuts", key);
  }
  button.addEventListener("click", work);
  return button;
}

export class ActButtons {
  constructor() {
    this.node = make("div", "buttons");
  }

  clear() {
    this.node.replaceChildren();
  }

  // See `actButton`. Returns the button.
  add(...what) {
    const button = actButton(...what);
    this.node.append(button);
    return button;
  }

  // colours: class id -> colour; onChoose(id).
  addClasses(classes, colours, onChoose) {
    for (const c of classes.slice(0, MOST_CLASSES)) {
      const button = this.add(c.name, c.key, () => onChoose(c.id), "class");
      button.style.setProperty("--of", colours.get(c.id));
      button.title = c.name;
      const badge = make("span", "badge", initials(c.name));
      badge.setAttribute("aria-hidden", "true");
      button.prepend(badge);
    }
  }
}
