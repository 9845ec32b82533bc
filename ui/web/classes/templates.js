// The prompt templates that all classes share, typed or taken from a published set.

import { make } from "../shared/make.js";
import { linesOf } from "./draft.js";
import { field } from "./fields.js";

export class Templates {
  // onUse(templates): every class has these from now on.
  constructor(onUse) {
    this.node = make("section", "templates");
    this.node.setAttribute("aria-label", "Prompt templates of all classes");
    this.text = field("Prompt templates of all classes", "textarea", {
      rows: 3, hint: "Sentences that the model reads, one a line; {} stands for the name. Their text features are averaged.",
    });
    this.text.input.addEventListener("input", () => onUse(linesOf(this.text.input.value)));
    this.sets = make("select", "field");
    this.sets.setAttribute("aria-label", "Use a published set");
    this.sets.addEventListener("change", () => {
      const set = this.known.find((each) => each.name === this.sets.value);
      this.sets.value = "";
      if (!set) return;
      this.text.input.value = set.templates.join("\n");
      onUse(set.templates);
    });
    this.differ = make("p", "muted hint");
    this.node.append(this.text.node, this.sets, this.differ);
  }

  offer(sets) {
    this.known = sets;
    this.sets.hidden = sets.length === 0;
    this.sets.replaceChildren(new Option("Use a published set …", ""),
      ...sets.map(({ name, summary, templates }) => new Option(`${name}: ${summary} (${templates.length})`, name)));
  }

  // draft; the text that is being typed stays as it is.
  draw(draft, typing = false) {
    const { common } = draft;
    this.differ.hidden = common !== null;
    if (common === null) {
      const usual = JSON.stringify(draft.usual);
      const own = draft.rows.filter((row) => JSON.stringify(row.templates) !== usual).length;
      this.differ.textContent = `${own} ${own === 1 ? "class has" : "classes have"} templates of their own, which typing here replaces.`;
    }
    if (!typing) this.text.input.value = (common ?? draft.usual).join("\n");
  }
}
