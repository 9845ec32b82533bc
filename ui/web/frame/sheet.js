// `?` shows the keys of everything that gets keys now. It takes all keys while it is open.

import { button } from "../shared/buttons.js";
import { keys } from "../shared/keys.js";
import { keyCap, make } from "../shared/make.js";

const NAME = "the sheet of keys";

export class Sheet {
  constructor(root) {
    this.leave = null;
    this.before = null; // what had the focus
    this.node = make("div", "keys-cover");
    this.node.hidden = true;
    this.panel = make("div", "keys");
    this.panel.setAttribute("role", "dialog");
    this.panel.setAttribute("aria-modal", "true");
    this.panel.setAttribute("aria-label", "Keys");
    this.close = button("quiet close", "Close", "Esc", () => this.hide());
    this.node.append(this.panel);
    this.node.addEventListener("click", (event) => {
      if (event.target === this.node) this.hide();
    });
    root.append(this.node);
    this.leavePage = keys.enter("page", (press) => this.takeKey(press), {
      sheet: () => [["?", "Show the keys that work now"]],
    });
  }

  takeKey(press) {
    if (press.event.key !== "?") return false;
    this.show();
    return true;
  }

  show() {
    if (this.leave !== null) return;
    const contexts = keys.sheet;
    this.before = document.activeElement;
    this.leave = keys.enter(NAME, (press) => this.takeOwnKey(press), { modal: true });
    const head = make("div", "keys-head");
    const title = make("h2", "", "Keys");
    head.append(title, this.close);
    const ofPage = (context) => context.name === "page";
    const inOrder = [...contexts.filter((each) => !ofPage(each)), ...contexts.filter(ofPage)];
    const lines = inOrder.flatMap((context) => context.lines);
    const list = make("dl", "keys-lines");
    for (const [cap, sentence] of lines) {
      const name = make("dt", "");
      // What stands between keys is text.
      const parts = cap.split(/( and |, | … )/);
      name.append(...parts.map((part, n) => (n % 2 === 0 ? keyCap(part) : make("span", "muted", part))));
      name.setAttribute("aria-label", cap);
      list.append(name, make("dd", "", sentence));
    }
    const note = make("p", "muted", "A key counts once, however long it is held, and only for what is on the screen.");
    this.panel.replaceChildren(head, list, note);
    this.node.hidden = false;
    this.close.focus();
  }

  takeOwnKey(press) {
    if (press.key === "escape" || press.event.key === "?") this.hide();
    else if (press.key === "tab") this.close.focus();
    else return false;
    return true;
  }

  hide() {
    if (this.leave === null) return;
    this.leave();
    this.leave = null;
    this.node.hidden = true;
    if (this.before instanceof HTMLElement) this.before.focus();
  }

  dispose() {
    this.hide();
    this.leavePage();
    this.node.remove();
  }
}
