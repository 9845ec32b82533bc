// A new answer in place of the own one. The earlier answer stays in the history.

import { newId } from "../shared/ids.js";
import { make } from "../shared/make.js";

const NO_CLASS = [
  ["skip", "Skip: no answer"],
  ["cannot_tell", "Cannot tell"],
];

export class Relabel {
  constructor(server, onStored) {
    this.server = server;
    this.onStored = onStored;
    this.node = make("section", "relabel");
    this.title = make("h3", "", "Your answer");
    this.title.tabIndex = -1;
    this.node.append(this.title);
    this.form = make("form", "");
    const label = make("label", "", "What the image shows");
    this.choice = make("select", "field");
    this.choice.id = "card-class";
    label.htmlFor = this.choice.id;
    this.save = make("button", "");
    this.save.type = "submit";
    this.save.append(make("span", "label", "Change your answer"));
    this.outcome = make("p", "muted");
    this.outcome.setAttribute("role", "status");
    this.form.append(label, this.choice, this.save);
    this.node.append(this.form, this.outcome);
    this.choice.addEventListener("change", () => this.enable());
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.store();
    });
    this.hide();
  }

  hide() {
    this.own = null;
    this.node.hidden = true;
    this.outcome.textContent = "";
  }

  draw({ own, classes }) {
    this.own = own;
    this.node.hidden = own === null;
    if (own === null) return;
    const entries = [...classes.map((c) => [`class ${c.id}`, c.name]), ...NO_CLASS];
    const now = own.kind === "class" ? `class ${own.class_id}` : own.kind;
    if (!entries.some(([value]) => value === now)) entries.unshift([now, "A class that is not in use"]);
    const options = entries.map(([value, text]) => {
      const option = make("option", "", text);
      option.value = value;
      option.dir = "auto";
      return option;
    });
    this.choice.replaceChildren(...options);
    this.choice.value = now;
    this.now = now;
    this.event = newId(); // the same for every try, so that it is recorded once
    this.enable();
  }

  enable() {
    this.save.disabled = this.choice.value === this.now;
    if (!this.save.disabled) this.event = newId();
  }

  async store() {
    if (this.save.disabled) return;
    const [kind, id] = this.choice.value.split(" ");
    this.title.focus({ preventScroll: true }); // a button that is off hears no key, and keys act again
    this.save.disabled = true;
    this.outcome.textContent = "Saving";
    try {
      const { ok, reply } = await this.server.call("/relabel", {
        event_id: this.event,
        answer: this.own.event_id,
        kind,
        class_id: id === undefined ? null : Number(id),
        duration_ms: null,
      });
      if (!ok) throw new Error(reply.reason);
      this.outcome.textContent = "Your new answer is saved. The earlier one stays in the history.";
      this.onStored();
    } catch (problem) {
      const reason = problem instanceof TypeError ? "The server does not answer." : problem.message;
      this.outcome.textContent = `Your answer was not changed. ${reason}`;
      this.save.disabled = false;
    }
  }
}
