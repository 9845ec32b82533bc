// A short message over a part of the page: what a press did not do, and why. It moves nothing and goes by itself.

import { make } from "./make.js";

const SHOWN_MS = 3000;

export class Saying {
  constructor(parent) {
    this.node = make("div", "saying");
    this.node.setAttribute("role", "status");
    this.timer = null;
    parent.append(this.node);
  }

  say(text) {
    clearTimeout(this.timer);
    this.node.textContent = text;
    this.timer = setTimeout(() => this.clear(), SHOWN_MS);
  }

  clear() {
    clearTimeout(this.timer);
    this.node.textContent = "";
  }
}
