// One class of the draft: its name, what is wrong or unknown about it, and everything else folded below.

import { initials } from "../shared/class_look.js";
import { keyCap, make } from "../shared/make.js";
import { linesOf } from "./draft.js";
import { Examples } from "./examples.js";
import { field, named, press } from "./fields.js";

const FOLDED = ["key", "colour", "description", "templates", "examples"]; // fields among the details

export class Row {
  // acts: {changed(), add(row, names), move(row, by), end(row, into), targets(row), images, labels, key}
  constructor(row, acts) {
    Object.assign(this, { row, acts });
    this.node = make("li", "class-row");
    this.swatch = make("span", "swatch");
    this.swatch.setAttribute("aria-hidden", "true");
    this.name = field("Name", "textarea", { hidden: true });
    this.count = make("span", "muted count");
    this.keyAt = make("span", "key-at");
    this.more = press("Details", () => this.fold(!this.open));
    const head = make("div", "row-head");
    head.append(this.swatch, this.name.node, this.keyAt, this.count, this.more);
    this.notes = make("ul", "notes");
    this.node.append(head, this.name.words, this.notes);
    this.open = false;
    this.faults = [];
    this.name.input.value = row.name;
    this.name.input.addEventListener("input", () => this.typed());
    this.name.input.addEventListener("keydown", (event) => this.onKey(event));
    this.fold(false);
    this.draw();
  }

  typed() {
    const names = this.name.input.value.split(/[\n\r]+/);
    if (names.length > 1) {
      this.name.input.value = names[0];
      this.row.name = names[0];
      this.acts.add(this.row, names.slice(1).map((each) => each.trim()).filter(Boolean));
    } else this.row.name = names[0];
    this.draw();
    this.mended("name");
    this.acts.changed();
  }

  onKey(event) {
    if (event.isComposing) return;
    if (event.altKey && (event.key === "ArrowUp" || event.key === "ArrowDown")) {
      event.preventDefault();
      this.acts.move(this.row, event.key === "ArrowUp" ? -1 : 1);
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.acts.next(this.row);
    }
  }

  fold(open) {
    this.open = open;
    this.more.setAttribute("aria-expanded", String(open));
    if (open && !this.details) this.build();
    if (this.details) this.details.hidden = !open;
  }

  build() {
    const { row } = this;
    this.details = make("div", "details");
    this.key = field("Key", "input", { hint: "A digit or a small letter that answers with this class." });
    this.key.input.maxLength = 1;
    this.key.input.value = row.key ?? "";
    this.key.input.addEventListener("input", () => this.set("key", this.key.input.value.trim().toLowerCase() || null));
    this.colour = field("Colour", "input", { hint: "Six digits or letters a to f after #, such as #c03020." });
    this.colour.input.value = row.colour ?? "";
    this.colour.input.addEventListener("input", () => this.set("colour", this.colour.input.value.trim().toLowerCase() || null));
    this.picker = make("input", "picker");
    this.picker.type = "color";
    this.picker.value = /^#[0-9a-f]{6}$/.test(row.colour ?? "") ? row.colour : "#2a8f85";
    this.picker.setAttribute("aria-label", "Choose the colour");
    this.picker.addEventListener("input", () => {
      this.colour.input.value = this.picker.value;
      this.set("colour", this.picker.value);
    });
    this.colour.node.append(this.picker);
    this.description = field("Description", "textarea", { rows: 2, hint: "What belongs to the class, for people. The model does not read it." });
    this.description.input.value = row.description;
    this.description.input.addEventListener("input", () => this.set("description", this.description.input.value.replace(/[\n\r]+/g, " ")));
    this.templates = field("Prompt templates of this class", "textarea", { rows: 2, hint: "One a line; {} stands for the name." });
    this.templates.input.value = row.templates.join("\n");
    this.templates.input.addEventListener("input", () => this.set("templates", linesOf(this.templates.input.value)));
    const acts = make("div", "acts");
    acts.append(
      press("Put the description into the prompt", () => this.describe()),
      press("Move up", () => this.acts.move(this.row, -1)),
      press("Move down", () => this.acts.move(this.row, 1)),
    );
    if (row.id === null) acts.append(press("Remove", () => this.acts.end(this.row, null)));
    else {
      acts.append(press("Retire", () => this.acts.end(this.row, null)));
      this.into = make("select", "field into");
      this.into.setAttribute("aria-label", "Merge into");
      this.into.addEventListener("change", () => {
        if (this.into.value !== "") this.acts.end(this.row, Number(this.into.value));
      });
      acts.append(this.into);
      const split = make("p", "muted hint",
        "To split this class, add the new ones, store the list, and give their images the new labels in the gallery. ");
      const link = make("a", "", "Show its images in the gallery");
      link.addEventListener("click", () => this.acts.show(this.row));
      link.href = this.acts.gallery();
      split.append(link);
      acts.append(split);
    }
    this.examples = new Examples(row, this.acts.images, () => this.set("examples", row.examples));
    this.details.append(this.key.node, this.colour.node, this.description.node, this.templates.node, this.examples.node, acts);
    this.node.append(this.details);
    this.draw();
    this.tell(this.faults);
  }

  set(name, value) {
    this.row[name] = value;
    this.draw();
    this.mended(name);
    this.acts.changed();
  }

  describe() {
    const words = this.row.description.replace(/[{}]+/g, "").trim().replace(/\.+$/, "");
    if (words === "") {
      this.description.fault("Write a description first.");
      this.description.input.focus();
      return;
    }
    this.setTemplates([`a photo of a {}, ${words}.`]);
    this.acts.changed();
  }

  setTemplates(templates) {
    this.row.templates = [...templates];
    if (this.templates) this.templates.input.value = templates.join("\n");
    this.mended("templates");
  }

  draw() {
    const { row } = this;
    const title = row.name.trim() || "without a name";
    this.name.label.textContent = `Name of the class ${title}`;
    this.more.setAttribute("aria-label", `Details of the class ${title}`);
    this.swatch.textContent = initials(row.name.trim() || "?");
    this.swatch.style.setProperty("--colour", row.colour ?? this.acts.colour(row));
    const count = row.id === null ? 0 : this.acts.labels(row.id);
    this.count.textContent = row.id === null ? "new" : count === 1 ? "1 label" : `${count.toLocaleString("en")} labels`;
    const key = row.key ?? (row.id === null ? null : this.acts.key(row.id));
    this.keyAt.replaceChildren(...(key ? [make("span", "unseen", `Key ${key}`), keyCap(key)] : []));
    if (!this.details) return;
    if (this.into) {
      this.into.replaceChildren(new Option("Merge into …", ""), ...this.acts.targets(row).map((c) => new Option(c.name, String(c.id))));
    }
    this.examples.draw();
  }

  // faults: [{field, words}]; beside the fields they belong to.
  tell(faults) {
    this.faults = faults;
    const of = (name) => faults.filter((each) => each.field === name).map((each) => each.words).join(" ");
    this.name.fault(of("name"));
    if (FOLDED.some((name) => of(name)) && !this.open) this.fold(true);
    if (this.details) for (const name of FOLDED) this[name].fault(of(name));
  }

  // What was said of the text of a field, or by the model of the class, was about an earlier one.
  mended(field) {
    this.faults = this.faults.filter((each) => each.field !== field);
    (field === "name" ? this.name : this.details && this[field])?.fault("");
    if (field === "name" || field === "templates") this.note([]);
  }

  // notes: lists of texts and elements; what the model does not know of the class.
  note(notes) {
    this.notes.replaceChildren(...notes.map((words) => {
      const item = make("li");
      item.append(...words);
      return item;
    }));
    this.notes.hidden = notes.length === 0;
  }

  focus() {
    this.name.input.focus();
  }
}

// A class that is no longer in use: what became of it, and the way back.
export function formerRow(row, into, labels, onRestore) {
  const node = make("li", "class-row former");
  const words = make("span", "former-words");
  words.append(named(row.name), make("span", "muted", into === null ? " is retired" : " is merged into "));
  if (into !== null) words.append(named(into));
  words.append(make("span", "muted", ` · ${labels === 1 ? "1 label" : `${labels} labels`}`));
  const back = press("Restore", onRestore);
  back.setAttribute("aria-label", `Restore ${row.name}`);
  node.append(words, back);
  return node;
}
