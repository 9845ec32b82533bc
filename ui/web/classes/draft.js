// A draft of the class list: rows in the order of the screen, and what is no longer in use. It knows no page.

const FIELDS = ["name", "templates", "id", "key", "colour", "description", "place", "examples", "into"];
const TEMPLATE = "a photo of a {}.";

export class Draft {
  // record: as the server gives it; see `ui.routes.classes`.
  constructor(record) {
    this.made = 0;
    this.start = JSON.stringify(record);
    this.load(record);
  }

  load(record) {
    this.base = record.id;
    this.rows = record.classes.map((each) => this.row(each));
    this.former = record.former.map((each) => this.row(each));
  }

  row(record) {
    this.made += 1;
    return { ...structuredClone(record), uid: this.made };
  }

  // As it is sent. Places are given only where the order differs from the one before.
  record() {
    const plain = (row) => Object.fromEntries(FIELDS.map((field) => [field, row[field] ?? null]));
    const ids = (rows) => rows.map((row) => row.id).filter((id) => id !== null);
    const before = ids(JSON.parse(this.start).classes);
    const now = ids(this.rows);
    const both = (list, other) => list.filter((id) => other.includes(id)).join();
    const back = now.some((id) => !before.includes(id));
    const newInside = this.rows.findIndex((row) => row.id === null);
    const moved = both(before, now) !== both(now, before) || back
      || (newInside !== -1 && this.rows.slice(newInside).some((row) => row.id !== null));
    const classes = this.rows.map((row, place) => (moved ? { ...plain(row), place } : plain(row)));
    return { id: this.base, classes, former: this.former.map(plain) };
  }

  get changed() {
    return JSON.stringify(this.record()) !== this.start;
  }

  // The templates that all classes in use share; null where they differ.
  get common() {
    const [first, ...others] = this.rows.map((row) => JSON.stringify(row.templates));
    return others.every((each) => each === first) ? JSON.parse(first) : null;
  }

  // Templates that most classes have.
  get usual() {
    const counts = new Map();
    for (const { templates } of this.rows) {
      const key = JSON.stringify(templates);
      counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    const most = [...counts].sort((one, other) => other[1] - one[1])[0];
    return most ? JSON.parse(most[0]) : [TEMPLATE];
  }

  add(name, after = null) {
    const row = this.row({
      name, templates: this.usual, id: null, key: null, colour: null, description: "", place: null, examples: [], into: null,
    });
    this.rows.splice(after === null ? this.rows.length : this.rows.indexOf(after) + 1, 0, row);
    return row;
  }

  move(row, by) {
    const from = this.rows.indexOf(row);
    const to = Math.max(0, Math.min(this.rows.length - 1, from + by));
    this.rows.splice(from, 1);
    this.rows.splice(to, 0, row);
    return from !== to;
  }

  // A class that is not stored yet goes away; another one is no longer in use. into: id of a class, or null.
  end(row, into = null) {
    this.rows = this.rows.filter((other) => other !== row);
    if (row.id !== null) this.former = [...this.former, { ...row, into }];
  }

  restore(row) {
    this.former = this.former.filter((other) => other !== row);
    const taken = row.key !== null && this.rows.some((other) => other.key === row.key);
    this.rows.push({ ...row, into: null, key: taken ? null : row.key });
  }

  useTemplates(templates) {
    for (const row of this.rows) row.templates = [...templates];
  }

  nameOf(id) {
    return [...this.rows, ...this.former].find((row) => row.id === id)?.name ?? "";
  }
}

// Lines of a text, without empty ones.
export function linesOf(text) {
  return text.split("\n").map((line) => line.trim()).filter(Boolean);
}

// What a list says, whichever its version: equal for what was sent and what the server stored of it.
export function meaning({ classes }) {
  const said = classes.map((c) => JSON.stringify([
    c.name.normalize("NFC").trim(), c.templates, (c.key ?? "").toLowerCase(), (c.colour ?? "").toLowerCase(),
    c.description.trim(), c.examples,
  ]));
  return said.sort().join();
}
