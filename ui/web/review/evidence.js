// What people answered, what the model says, and what reviewers did before.

import { make } from "../shared/make.js";

export class Evidence {
  constructor() {
    this.node = make("div", "evidence");
    this.drawn = undefined;
  }

  // evidence: {said, model, trail}, or null: it is hidden, or not here yet; `awaited` says which.
  draw(evidence, awaited) {
    const state = evidence ?? awaited;
    if (state === this.drawn) return;
    this.drawn = state;
    this.node.hidden = evidence === null && !awaited;
    if (evidence === null) {
      this.node.replaceChildren(make("p", "muted", "Asking the server what others said"));
      return;
    }
    const parts = [this.part("What people answered", this.list(evidence.said))];
    if (evidence.model) parts.push(this.part("What the model says", this.sentence(evidence.model)));
    if (evidence.trail.length > 0) parts.push(this.part("What reviewers did", this.list(evidence.trail)));
    this.node.replaceChildren(...parts);
  }

  part(title, content) {
    const node = make("section");
    node.append(make("h3", "", title), content);
    return node;
  }

  list(lines) {
    const node = make("ul");
    for (const line of lines) {
      const item = make("li");
      item.append(make("bdi", "", line));
      node.append(item);
    }
    return node;
  }

  sentence(text) {
    const node = make("p");
    node.append(make("bdi", "", text));
    return node;
  }
}
