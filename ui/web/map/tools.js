// The buttons over the map: what the pointer does, and how near the map is.

import { make } from "../shared/make.js";

export class Tools {
  constructor(map) {
    this.node = make("div", "tools");
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "Pointer and zoom");
    this.buttons = {
      move: this.button("Move", "m", () => map.use("move")),
      lasso: this.button("Lasso", "l", () => map.use("lasso")),
      rectangle: this.button("Rectangle", "r", () => map.use("rectangle")),
    };
    this.button("Zoom in", "+", () => map.zoom(1.5));
    this.button("Zoom out", "-", () => map.zoom(1 / 1.5));
    this.button("Whole map", "0", () => map.fit());
  }

  button(words, key, work) {
    const made = make("button", "quiet choice", words);
    made.type = "button";
    made.title = `${words} (${key})`;
    made.setAttribute("aria-keyshortcuts", key);
    made.addEventListener("click", work);
    this.node.append(made);
    return made;
  }

  // The tool that the pointer is now.
  show(tool) {
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(name === tool));
  }
}
