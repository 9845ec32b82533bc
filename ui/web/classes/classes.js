// The class list as a draft: typed here, previewed on twelve images, and stored as one version.

import { coloursOf } from "../shared/class_look.js";
import { keys } from "../shared/keys.js";
import { make } from "../shared/make.js";
import { Server } from "../shared/server.js";
import { Draft, meaning } from "./draft.js";
import { draftFile } from "./draft_file.js";
import { press } from "./fields.js";
import { longSignal, Preview } from "./preview.js";
import { formerRow, Row } from "./row.js";
import { confirmDraft } from "./storing.js";
import { Templates } from "./templates.js";

const SHEET = [
  ["Enter", "in a name: go to the next class, or add one after the last"],
  ["Alt and ↑ ↓", "in a name: move the class up or down"],
  ["several lines", "pasted into a name: one class for each line"],
];

class Classes {
  constructor(root, data, trigger) {
    Object.assign(this, { root, data, trigger, stopped: false });
    this.rows = new Map(); // uid -> Row
    this.given = data.proposed?.number ?? 0;
    this.server = new Server(() => this.data.base, (reason) => this.preview.said.say(reason));
    this.leaveKeys = keys.enter("classes", () => false, { sheet: () => SHEET });
    this.build();
    this.load();
  }

  build() {
    this.root.dataset.classes = "";
    const head = make("div", "classes-head");
    this.state = make("p", "state");
    this.state.setAttribute("role", "status");
    this.discard = press("Discard", () => this.begin(JSON.parse(this.draft.start)));
    this.store = press("Store the changes …", () => this.confirm(), "chosen");
    const files = draftFile(() => this.draft.record(), (record, name) => this.open(record, name), (words) => this.note(words));
    head.append(this.state, ...files, this.discard, this.store);
    this.notice = make("div", "notice");
    this.notice.setAttribute("role", "status");
    this.notice.hidden = true;
    this.list = make("ol", "class-list");
    this.list.setAttribute("aria-label", "Classes in use, in the order of the labelling screen");
    this.fault = make("p", "fault");
    this.fault.setAttribute("role", "status");
    this.add = press("Add a class", () => this.addAfter(null, [""]));
    this.formerTitle = make("h2", "", "No longer in use");
    this.formerList = make("ul", "class-list");
    this.templates = new Templates((templates) => this.useTemplates(templates));
    const left = make("div", "left");
    left.append(make("h2", "", "Classes"), this.list, this.fault, this.add, this.templates.node, this.formerTitle, this.formerList);
    this.preview = new Preview(this);
    const body = make("div", "classes-body");
    body.append(left, this.preview.said.node);
    this.root.append(head, this.notice, body);
  }

  get kept() {
    return `alworkbench-classes-${this.data.project}`;
  }

  async load() {
    try {
      const { ok, reply } = await this.server.read("/classes");
      if (this.stopped) return;
      if (!ok) throw new Error(reply.reason ?? "The server does not give the classes.");
      this.known = reply;
      this.templates.offer(reply.sets);
      this.colours = coloursOf(reply.draft.classes);
      const before = JSON.parse(sessionStorage.getItem(this.kept) ?? "null");
      this.begin(reply.draft);
      if (before !== null && before.id === reply.draft.id) this.resume(before);
      else if (before !== null && meaning(before) !== meaning(reply.draft)) {
        this.note("The classes were changed meanwhile. Your changes that were not stored were made for an earlier version, and were dropped.");
      }
      this.take();
    } catch (problem) {
      if (!this.stopped) this.note(problem.message);
    }
  }

  // Show this draft; nothing is changed yet.
  begin(record) {
    this.draft = new Draft(record);
    this.rebuild();
  }

  // Show changes on top of the present list.
  resume(record) {
    this.draft.load(record);
    this.rebuild();
  }

  rebuild() {
    this.rows.clear();
    this.list.replaceChildren();
    this.draw();
    this.templates.draw(this.draft);
    this.changed(true);
  }

  // A draft of a file on top of the present list, once the server understands it.
  async open(record, name) {
    try {
      const { ok, reply } = await this.server.call("/classes/read", { draft: record });
      if (!ok) return this.note(`${name}: ${reply.reason}`);
      this.resume(reply.draft);
      this.note(`The draft is that of ${name}. Nothing is stored yet.`);
    } catch {
      this.note("The server does not answer. Open the file again.");
    }
    return undefined;
  }

  note(words) {
    this.notice.textContent = words;
    this.notice.hidden = false;
  }

  // A proposal of the page below: templates, or an earlier version.
  async take() {
    const { proposed } = this.data;
    if (!proposed || proposed.number === this.given || !this.draft) return;
    this.given = proposed.number;
    if (proposed.templates) this.useTemplates(proposed.templates, true);
    if (proposed.version) {
      const { ok, reply } = await this.server.read(`/classes/versions/${proposed.version}`);
      if (ok) this.resume(reply.draft);
      else this.note(reply.reason);
    }
    this.root.scrollIntoView({ block: "start" });
    this.store.focus({ preventScroll: true });
  }

  // ------------------------------------------------------------------------------------- drawing
  draw() {
    const { draft } = this;
    const wanted = draft.rows.map((row) => {
      if (!this.rows.has(row.uid)) this.rows.set(row.uid, new Row(row, this.acts()));
      return this.rows.get(row.uid);
    });
    for (const [uid, row] of this.rows) if (!wanted.includes(row)) this.rows.delete(uid);
    const here = this.root.getRootNode().activeElement;
    this.list.replaceChildren(...wanted.map((row) => row.node));
    if (here && here.isConnected) here.focus();
    for (const row of wanted) row.draw();
    this.formerTitle.hidden = this.formerList.hidden = draft.former.length === 0;
    this.formerList.replaceChildren(...draft.former.map((row) => formerRow(
      row, row.into === null ? null : draft.nameOf(row.into), this.known.labels[row.id] ?? 0, () => this.restore(row),
    )));
  }

  acts() {
    return {
      changed: () => this.changed(),
      add: (row, names) => this.addAfter(row, names),
      next: (row) => this.next(row),
      move: (row, by) => this.move(row, by),
      end: (row, into) => this.end(row, into),
      targets: (row) => this.draft.rows.filter((other) => other.id !== null && other !== row),
      images: {
        address: (content) => this.known.examples[content] ?? `${this.data.base}/image/${content}?side=256`,
        labelled: (id) => this.images({ class: id }).then((reply) => reply.images),
        find: (name) => this.images({ name }).then((reply) => reply.images[0]),
      },
      labels: (id) => this.known.labels[id] ?? 0,
      key: (id) => this.known.keys[id] ?? null,
      colour: (row) => this.colours.get(row.id) ?? "transparent",
      gallery: () => this.data.gallery,
      show: () => {},
    };
  }

  // --------------------------------------------------------------------------------------- acting
  addAfter(row, names) {
    let last = row;
    for (const name of names) last = this.draft.add(name, last);
    this.draw();
    this.rows.get(last.uid).focus();
    this.changed();
  }

  next(row) {
    const place = this.draft.rows.indexOf(row);
    const after = this.draft.rows[place + 1];
    if (after) this.rows.get(after.uid).focus();
    else if (row.name.trim() !== "") this.addAfter(row, [""]);
  }

  move(row, by) {
    const here = this.root.getRootNode().activeElement;
    if (!this.draft.move(row, by)) return;
    this.draw();
    here?.focus();
    this.changed();
  }

  end(row, into) {
    const place = this.draft.rows.indexOf(row);
    this.draft.end(row, into);
    this.draw();
    const near = this.draft.rows[Math.min(place, this.draft.rows.length - 1)];
    if (near) this.rows.get(near.uid).focus();
    else this.add.focus();
    this.changed();
  }

  restore(row) {
    this.draft.restore(row);
    this.draw();
    const back = this.draft.rows[this.draft.rows.length - 1];
    this.rows.get(back.uid).focus();
    this.changed();
  }

  useTemplates(templates, redraw = false) {
    this.draft.useTemplates(templates);
    for (const row of this.rows.values()) row.setTemplates(row.row.templates);
    this.templates.draw(this.draft, !redraw);
    this.changed(true);
  }

  changed(templatesDrawn = false) {
    const { changed } = this.draft;
    if (!templatesDrawn) this.templates.draw(this.draft);
    this.store.disabled = this.discard.disabled = !changed;
    this.state.textContent = changed ? "Your changes are not stored yet." : `Version ${this.draft.base} of the class list. Change it below; nothing is stored while you type.`;
    if (changed) sessionStorage.setItem(this.kept, JSON.stringify(this.draft.record()));
    else sessionStorage.removeItem(this.kept);
    this.preview.later();
  }

  // ---------------------------------------------------------------------------------- the server
  // Images of the project for the examples of a class. Rejects with words for people.
  async images(wanted) {
    let found = null;
    try {
      found = await this.server.call("/classes/images", wanted);
    } catch {
      throw new Error("The server does not answer. Try again.");
    }
    if (!found.ok) throw new Error(found.reply.reason);
    return found.reply;
  }

  async confirm() {
    const draft = this.draft.record();
    try {
      const { ok, reply } = await this.server.call("/classes/effect", { draft }, longSignal());
      if (!ok) return this.note(reply.reason);
      if (JSON.stringify(this.draft.record()) !== JSON.stringify(draft)) return undefined; // changed meanwhile
      if (reply.faults.length > 0) return this.preview.faulty(reply);
      const stored = await confirmDraft(this.root, reply, async () => {
        const sent = await this.server.call("/classes/apply", { draft }, longSignal()).catch(() => null);
        if (sent === null) return "The server does not answer. Nothing is known to be stored; try again.";
        return sent.ok ? null : sent.reply.reason;
      });
      if (!stored) return this.store.focus();
      this.notice.hidden = true;
      this.trigger("changed", Date.now()); // the page shows the job, or the new version
      if (reply.effect && !this.stopped) this.load();
    } catch {
      this.note("The server does not answer. Your changes are kept here; try again.");
    }
    return undefined;
  }

  update(data, trigger) {
    this.data = data;
    this.trigger = trigger;
    if (this.draft && data.version !== this.draft.base) this.load();
    else this.take();
  }

  dispose() {
    this.stopped = true;
    this.preview.dispose();
    this.leaveKeys();
  }
}

export function mount(root, data, trigger) {
  const made = new Classes(root, data, trigger);
  return { update: (next, told) => made.update(next, told), dispose: () => made.dispose() };
}
