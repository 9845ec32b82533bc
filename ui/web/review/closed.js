// What became of closed cases, the newest first.

import { button } from "../shared/buttons.js";
import { make } from "../shared/make.js";

const COLUMNS = ["Case", "Image", "Why", "Outcome", "By", "When", "Note"];

export class Closed {
  // ask(body) gives the reply of the server, or null.
  constructor(node, ask) {
    this.node = node;
    this.ask = ask;
    this.state = make("p", "muted");
    this.state.setAttribute("role", "status");
    this.place = make("div", "closed-table");
    this.place.tabIndex = 0;
    this.place.setAttribute("role", "region");
    this.place.setAttribute("aria-label", "Closed cases, the newest first");
    this.more = button("quiet more", "Show older cases", "", () => this.load(this.before));
    this.node.append(this.state, this.place, this.more);
  }

  open() {
    const table = make("table");
    table.append(make("caption", "unseen", "Closed cases, the newest first"));
    const head = make("tr");
    for (const name of COLUMNS) {
      const cell = make("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    const top = make("thead");
    top.append(head);
    this.rows = make("tbody");
    table.append(top, this.rows);
    this.place.replaceChildren(table);
    this.place.hidden = true;
    this.load(null);
  }

  async load(before) {
    this.more.hidden = true;
    this.state.textContent = "Loading";
    const rows = this.rows;
    const answer = await this.ask({ before });
    if (rows !== this.rows) return; // it was opened again meanwhile
    if (answer === null || !answer.ok) {
      this.state.textContent = answer?.reply.reason ?? "The server does not answer.";
      this.before = before;
      this.more.hidden = false;
      return;
    }
    for (const each of answer.reply.rows) {
      const row = make("tr");
      for (const name of COLUMNS) {
        const cell = make("td");
        cell.append(make("bdi", "", each[name]));
        row.append(cell);
      }
      this.rows.append(row);
    }
    const none = this.rows.childElementCount === 0;
    this.state.textContent = none ? "No case is closed yet." : "";
    this.place.hidden = none;
    this.before = answer.reply.before;
    this.more.hidden = this.before === null;
  }
}
