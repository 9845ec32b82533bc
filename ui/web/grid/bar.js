// The filter bar: what is listed, in which order, and the search.

import { make } from "../shared/make.js";

const ANSWERED = [["", "All images"], ["no", "Without an answer"], ["yes", "With an answer"], ["class", "With a class"],
  ["skip", "Skipped (no class)"], ["cannot_tell", "Cannot tell"]];
const ROLES = [["", "Pool and audit set"], ["pool", "Pool"], ["audit", "Audit set"]];
const AGAINST = [["", "any"], ["differs", "differ"], ["agrees", "agree"]];
const UNCERTAIN = [["", "any"], ["low", "certain (below 0.1 nats)"], ["middle", "0.1 to 0.7 nats"], ["high", "above 0.7 nats"]];
const EVIDENCE = [["", "any"], ["audit", "of the audit set, as on the page Errors"], ["left-out", "labels left out, as on the page Errors"]];
const NEAR = [["", "any"], ["0.7", "0.70 or more"], ["0.8", "0.80 or more"], ["0.9", "0.90 or more"]];
const ORDERS = [["imported", "Order of import"], ["answered", "Newest answer"], ["uncertainty", "Most uncertain"],
  ["margin", "Smallest margin"], ["epistemic", "What labels would teach"], ["probability", "Probability of a class"],
  ["near", "Near-copies together"]];
const BOUNDS = { low: [null, 0.1], middle: [0.1, 0.7], high: [0.7, null] };

export class Bar {
  // onQuery(query): the person asks for this list. handed: {region, words} from the map, or null.
  constructor(onQuery, handed = null) {
    this.onQuery = onQuery;
    this.handed = handed;
    this.node = make("div", "bar");
    this.controls = new Map();
    this.like = null; // {hashes, words}
    this.search = make("input", "field search");
    this.search.type = "search";
    this.search.placeholder = "Search for a text";
    this.search.setAttribute("aria-label", "Search for a text; Enter searches");
    this.search.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.searchText();
      event.stopPropagation();
    });
    this.search.addEventListener("search", () => { if (this.search.value === "") this.searchText(); });
    this.likeNote = make("button", "quiet like");
    this.likeNote.type = "button";
    this.likeNote.addEventListener("click", () => this.showLike(null));
    this.handedNote = make("button", "quiet like");
    this.handedNote.type = "button";
    this.handedNote.addEventListener("click", () => {
      this.handed = null;
      this.changed();
    });
    const first = make("div", "row");
    first.append(this.search, this.handedNote, this.likeNote, this.select("answered", "Answers", ANSWERED), this.select("classes", "Label", []),
      this.select("predicted", "Prediction", []), this.select("order", "Sorted by", ORDERS), this.select("of", "Class", []));
    this.reverse = this.check("reverse", "Reversed");
    first.append(this.reverse.parentElement);
    this.more = make("details", "more");
    const summary = make("summary", "", "More filters");
    const second = make("div", "row");
    second.append(this.select("role", "Role", ROLES), this.select("round", "Round", []), this.select("person", "Person", []),
      this.select("evidence", "Label and prediction", EVIDENCE), this.select("suggestion", "Suggestion and label", AGAINST), this.select("prediction", "Prediction and label", AGAINST),
      this.select("uncertainty", "Uncertainty", UNCERTAIN), this.select("near", "Near-copies", NEAR), this.select("cluster", "Cluster", []), this.select("targets", "Target set", []),
      this.check("disagreement", "People disagree").parentElement, this.check("flagged", "Flagged").parentElement,
      this.check("noted", "With a note").parentElement);
    this.more.append(summary, second);
    this.node.append(first, this.more);
    this.showLike(null, false);
  }

  select(name, title, options) {
    const label = make("label", "pick");
    const field = make("select", "field");
    field.setAttribute("aria-label", title);
    label.append(make("span", "title", title), field);
    this.controls.set(name, field);
    fill(field, options);
    field.addEventListener("change", () => this.changed());
    return label;
  }

  check(name, title) {
    const label = make("label", "tickbox");
    const box = make("input");
    box.type = "checkbox";
    label.append(box, make("span", "", title));
    this.controls.set(name, box);
    box.addEventListener("change", () => this.changed());
    return box;
  }

  // classes: [{name}], rounds: numbers, people: names; state: see `ui.routes.images`.
  offer(data, clusters) {
    const names = data.classes.map((c) => [c.name, c.name]);
    fill(this.controls.get("classes"), [["", "any"], ...names]);
    fill(this.controls.get("predicted"), [["", "any"], ...names]);
    fill(this.controls.get("of"), names);
    fill(this.controls.get("round"), [["", "any"], ...data.rounds.map((n) => [String(n), `Round ${n}`])]);
    fill(this.controls.get("person"), [["", "any"], ...data.people.map((name) => [name, name])]);
    fill(this.controls.get("targets"), [["", "any"], ...data.targets.map((name) => [name, name])]);
    this.controls.get("targets").parentElement.hidden = data.targets.length === 0;
    fill(this.controls.get("cluster"), [["", "any"], ...clusters.map((n) => [String(n), `Cluster ${n}`])]);
    this.arrange();
  }

  value(name) {
    return this.controls.get(name).value;
  }

  changed() {
    this.arrange();
    this.onQuery(this.query());
  }

  arrange() {
    this.controls.get("of").parentElement.hidden = this.value("order") !== "probability";
    const order = this.controls.get("order");
    order.disabled = this.like !== null || this.text() !== null;
    this.handedNote.hidden = this.handed === null;
    if (this.handed !== null) this.handedNote.textContent = `✕ ${this.handed.words}`;
    this.likeNote.hidden = this.like === null;
    if (this.like !== null) this.likeNote.textContent = `✕ ${this.like.words}`;
  }

  text() {
    return this.search.value.trim() || null;
  }

  searchText() {
    this.like = null;
    this.changed();
  }

  // List images like these, most similar first; null: no more.
  showLike(like, ask = true) {
    this.like = like;
    if (like !== null) this.search.value = "";
    this.arrange();
    if (ask) this.onQuery(this.query());
  }

  set(name, value) {
    const field = this.controls.get(name);
    if (field.type === "checkbox") field.checked = value;
    else field.value = value;
  }

  // What the address of the page asks for: {evidence, classes, predicted, round}, each a text.
  ask(asked) {
    for (const [name, value] of Object.entries(asked)) this.set(name, value);
    this.more.open = asked.evidence !== undefined || asked.round !== undefined;
    this.arrange();
  }

  // Everything is listed again.
  clear() {
    for (const [name, field] of this.controls) {
      if (field.type === "checkbox") field.checked = false;
      else field.selectedIndex = 0;
      if (name === "order") field.value = "imported";
    }
    this.search.value = "";
    this.handed = null;
    this.showLike(null);
  }

  get filtered() {
    return JSON.stringify(this.query()) !== JSON.stringify({ filter: {}, order: "imported", reverse: false });
  }

  query() {
    const filter = {};
    for (const name of ["answered", "role", "person", "suggestion", "prediction", "evidence", "targets"]) {
      if (this.value(name) !== "") filter[name] = this.value(name);
    }
    for (const name of ["classes", "predicted"]) if (this.value(name) !== "") filter[name] = [this.value(name)];
    for (const name of ["round", "cluster", "near"]) if (this.value(name) !== "") filter[name] = Number(this.value(name));
    const bounds = BOUNDS[this.value("uncertainty")];
    if (bounds?.[0] != null) filter.least_uncertainty = bounds[0];
    if (bounds?.[1] != null) filter.most_uncertainty = bounds[1];
    if (this.handed !== null) filter.region = this.handed.region;
    for (const name of ["disagreement", "flagged", "noted"]) if (this.controls.get(name).checked) filter[name] = true;
    const reverse = this.controls.get("reverse").checked;
    if (this.like !== null) return { filter, order: "similarity", like: this.like.hashes, reverse };
    if (this.text() !== null) return { filter, order: "similarity", text: this.text(), reverse };
    const order = this.value("order");
    return order === "probability" ? { filter, order, of: this.value("of"), reverse } : { filter, order, reverse };
  }
}

function fill(field, options) {
  const before = field.value;
  field.replaceChildren(...options.map(([value, words]) => {
    const option = make("option", "", words);
    option.value = value;
    return option;
  }));
  if (options.some(([value]) => value === before)) field.value = before;
}
