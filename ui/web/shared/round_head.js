// Above images to be answered: which round, how far it is, and whether everything is saved.

import { make } from "./make.js";

export class RoundHead {
  // `root` gets the number of unsaved answers as `data-unsaved`.
  constructor(root) {
    this.root = root;
    this.node = make("div", "bar round-head");
    this.title = make("div", "title");
    this.meter = make("div", "meter");
    this.meter.setAttribute("role", "progressbar");
    this.meter.setAttribute("aria-label", "Answered images of this round");
    this.meterFill = make("div", "meter-fill");
    this.meter.append(this.meterFill);
    this.count = make("div", "count");
    this.saved = make("div", "saved");
    this.saved.setAttribute("role", "status");
    this.node.append(this.title, this.meter, this.count, this.saved);
  }

  draw(title, answered, total) {
    this.title.textContent = title;
    const percent = total > 0 ? (100 * answered) / total : 0;
    this.meterFill.style.width = `${percent}%`;
    this.meter.setAttribute("aria-valuemin", "0");
    this.meter.setAttribute("aria-valuemax", String(total));
    this.meter.setAttribute("aria-valuenow", String(answered));
    this.count.replaceChildren(
      make("strong", "", `${answered} of ${total}`),
      make("span", "left", `${total - answered} left`),
    );
  }

  drawSaved(unsaved, failing) {
    this.root.dataset.unsaved = String(unsaved);
    this.saved.classList.toggle("failing", failing);
    const text = unsaved === 0 ? "All saved" : `${unsaved} unsaved`;
    this.saved.textContent = failing ? `${text} · waiting for the server` : text;
  }
}
