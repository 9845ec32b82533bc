// What can be done with the selected points: counted by class, shown in the gallery, labelled in one act.

import { Acts } from "../grid/acts.js";
import { handOver } from "../shared/handover.js";
import { make } from "../shared/make.js";
import { ask } from "../shared/question.js";
import { FIRST_CLASS } from "./points.js";

const MOST_IN_ACT = 5000;

export class Actions {
  // data(): of the component; onClear(): select nothing; onStored(): answers changed; onFocus(): back to the map.
  constructor(server, { data, onClear, onStored, onFocus }) {
    this.data = data;
    this.onFocus = onFocus;
    this.ids = [];
    this.list = null;
    this.acts = new Acts(server, { onChange: () => this.tell(), onImages: () => onStored() });
    this.node = make("section", "selection");
    this.node.setAttribute("aria-label", "Selection");
    this.count = make("p", "picked");
    this.count.setAttribute("role", "status");
    this.work = make("div", "work");
    this.gallery = make("a", "show", "Show in the gallery");
    this.gallery.addEventListener("click", () => handOver(this.data().project, this.list));
    this.answer = make("select", "field");
    this.answer.setAttribute("aria-label", "Answer for the selected images");
    this.label = make("button", "", "Label all");
    this.label.type = "button";
    this.label.addEventListener("click", () => this.labelAll());
    this.clear = make("button", "quiet", "Select nothing");
    this.clear.type = "button";
    this.clear.addEventListener("click", onClear);
    this.work.append(this.gallery, this.answer, this.label, this.clear);
    this.outcome = make("div", "outcome");
    this.outcome.setAttribute("role", "status");
    this.table = make("table", "counts");
    this.node.append(this.count, this.work, this.outcome, this.table);
    this.offer();
  }

  offer() {
    const before = this.answer.value;
    const { classes, gallery } = this.data();
    this.gallery.href = gallery;
    this.answer.replaceChildren(...classes.map((c) => new Option(c.name, String(c.id))),
      new Option("No class (skip)", "skip"), new Option("Cannot tell", "cannot_tell"));
    if ([...this.answer.options].some((option) => option.value === before)) this.answer.value = before;
  }

  // picked: positions among the points; region: the line that selected them, or null.
  show(points, picked, region) {
    this.ids = picked.map((i) => points.image[i]);
    const some = picked.length > 0;
    this.work.hidden = !some;
    this.table.hidden = !some;
    this.count.textContent = !some
      ? "Nothing is selected. Drag with Shift, or press r for a rectangle and Enter to select what it holds."
      : picked.length === 1 ? "1 image is selected." : `${picked.length.toLocaleString("en")} images are selected.`;
    if (!some) return;
    this.gallery.hidden = region === null;
    const { layout, mark } = points.head;
    const words = `${picked.length.toLocaleString("en")} images of the map`;
    this.list = { region: { layout, of: mark, points: region }, words };
    this.fillTable(points, picked);
  }

  fillTable(points, picked) {
    const rows = new Map();
    const add = (value, part) => {
      if (!rows.has(value)) rows.set(value, { label: 0, predicted: 0 });
      rows.get(value)[part] += 1;
    };
    for (const i of picked) {
      add(points.label[i], "label");
      add(points.predicted[i], "predicted");
    }
    const named = (value) => ["None", "Skipped (no class)", "Cannot tell"][value] ?? points.head.classes[value - FIRST_CLASS].name;
    const line = (cell, texts) => {
      const row = make("tr");
      texts.forEach((text, k) => {
        const made = make(k === 0 ? "th" : cell);
        made.scope = k === 0 && cell === "td" ? "row" : "col";
        made.append(make("bdi", "", text));
        row.append(made);
      });
      return row;
    };
    const caption = make("caption", "", "Selected images by class");
    const head = make("thead");
    head.append(line("th", ["Class", "Label", "Prediction"]));
    const body = make("tbody");
    const most = ([, a], [, b]) => b.label + b.predicted - a.label - a.predicted;
    for (const [value, { label, predicted }] of [...rows].sort(most)) {
      body.append(line("td", [named(value), label.toLocaleString("en"), predicted.toLocaleString("en")]));
    }
    this.table.replaceChildren(caption, head, body);
  }

  async labelAll() {
    const { ids } = this;
    if (ids.length > MOST_IN_ACT) {
      this.acts.words = `One act labels at most ${MOST_IN_ACT.toLocaleString("en")} images. Select fewer.`;
      this.tell();
      return;
    }
    const { value } = this.answer;
    const own = this.data().classes.find((c) => String(c.id) === value);
    const words = this.answer.selectedOptions[0].textContent;
    const answer = own === undefined ? { kind: value, class_id: null, words } : { kind: "class", class_id: own.id, words };
    const number = ids.length === 1 ? "1 image" : `${ids.length.toLocaleString("en")} images`;
    const question = [`Answer ${number} with `, make("bdi", "", words), "? One undo takes all of it back."];
    const agreed = await ask(this.node, question, `Answer ${number}`);
    this.onFocus();
    if (agreed) this.acts.label(answer, { images: ids }, []);
  }

  tell() {
    const { acts } = this;
    const saving = acts.failing ? "Not saved yet: the server does not answer. It is tried again by itself." : "Saving…";
    this.outcome.replaceChildren(make("span", "", acts.underWay > 0 ? saving : acts.words));
    this.label.disabled = acts.underWay > 0;
    if (acts.underWay > 0 || acts.done.length === 0) return;
    const undo = make("button", "quiet", "Undo");
    undo.type = "button";
    undo.addEventListener("click", () => acts.undo());
    this.outcome.append(undo);
  }

  dispose() {
    this.acts.dispose();
  }
}
