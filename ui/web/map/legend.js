// What the colours mean: each group with its letters, its name and its count. A group can be pointed out.

import { make } from "../shared/make.js";

export class Legend {
  // onChoose(group): points of this group are outlined, or no more.
  constructor(onChoose) {
    this.onChoose = onChoose;
    this.node = make("div", "legend");
    this.node.setAttribute("role", "group");
    this.node.setAttribute("aria-label", "What the colours mean; a press outlines the points of a group");
  }

  show(groups, chosen) {
    const focused = this.node.getRootNode().activeElement?.dataset?.group;
    this.node.replaceChildren();
    groups.forEach((group, number) => {
      if (group.count === 0 && number !== chosen) return;
      const button = make("button", "group");
      button.type = "button";
      button.dataset.group = String(number);
      button.setAttribute("aria-pressed", String(number === chosen));
      const mark = make("span", "sign", group.mark);
      mark.setAttribute("aria-hidden", "true");
      if (group.shown !== null) mark.style.setProperty("--of", group.shown);
      const name = make("bdi", "label", group.name);
      button.title = group.name;
      button.append(mark, name, make("span", "count", group.count.toLocaleString("en")));
      button.addEventListener("click", () => this.onChoose(number));
      this.node.append(button);
      if (String(number) === focused) button.focus({ preventScroll: true });
    });
  }
}
