// Notes and the flag of the image of a card: what people wrote, and two buttons.

import { button } from "../shared/buttons.js";
import { newId } from "../shared/ids.js";
import { make } from "../shared/make.js";
import { tellMarks } from "../shared/marks.js";
import { openNote } from "../shared/note_dialog.js";
import { moment } from "./records.js";

export class Marking {
  // stage: the element that holds the dialog; onStored() follows each change.
  constructor(server, stage, onStored) {
    this.server = server;
    this.stage = stage;
    this.onStored = onStored;
    this.node = make("section", "marking");
    const title = make("h3", "", "Notes and flag");
    this.write = button("quiet", "Write a note", "n", () => this.note());
    this.flag = button("quiet", "Flag", "f", () => this.toggle());
    const acts = make("div", "marking-acts");
    acts.append(this.write, this.flag);
    this.list = make("ol", "answers");
    this.outcome = make("p", "muted");
    this.outcome.setAttribute("role", "status");
    this.node.append(title, acts, this.outcome, this.list);
    this.hide();
  }

  hide() {
    this.records = null;
    this.node.hidden = true;
    this.outcome.textContent = "";
    this.close?.();
    this.close = null;
  }

  draw(records) {
    this.records = records;
    this.node.hidden = false;
    this.flag.setAttribute("aria-pressed", String(records.flagged));
    this.flag.querySelector(".label").textContent = records.flagged ? "Take the flag off" : "Flag";
    const lines = [
      ...records.notes.map((each) => ({ ...each, words: each.text, className: "note-text" })),
      ...records.flags.map((each) => ({ ...each, words: each.raised ? "⚑ Flagged" : "Took the flag off", text: each.reason })),
    ];
    lines.sort((a, b) => b.recorded_at.localeCompare(a.recorded_at));
    this.list.replaceChildren(...lines.map(line));
    this.list.hidden = lines.length === 0;
    const { hash, flagged, notes } = records;
    tellMarks({ hash, flagged, notes: notes.length });
  }

  toggle() {
    if (this.records === null) return;
    const raised = !this.records.flagged;
    this.send("/flag", { raised }, raised ? "Flagged." : "The flag is off.");
  }

  note() {
    if (this.records === null || this.close) return;
    this.close = openNote(this.stage, {
      about: this.records.hash,
      title: "Note about this image",
      onSave: (text) => this.send("/note", { text }, "The note is kept."),
      onClose: () => {
        this.close = null;
      },
    });
  }

  async send(path, body, done) {
    const { hash } = this.records;
    // The same for every try, so that it is recorded once.
    const said = JSON.stringify([path, hash, body]);
    if (this.trial?.said !== said) this.trial = { said, event: newId() };
    const act = { event_id: this.trial.event, images: [hash], ...body };
    this.outcome.textContent = "Saving";
    let told;
    try {
      told = await this.server.call(path, act);
    } catch {
      told = { ok: false, reply: { reason: "The server does not answer." } };
    }
    if (this.records?.hash !== hash) return;
    const lost = body.text ? ` Your note was: ${body.text}` : "";
    this.outcome.textContent = told.ok ? done : `Nothing was recorded. ${told.reply.reason}${lost}`;
    if (!told.ok) return;
    this.trial = null;
    this.onStored();
  }
}

function line({ person, words, text, recorded_at, className }) {
  const row = make("li", "");
  const head = make("div", className ?? "strong");
  head.append(make("bdi", "", words));
  const by = make("div", "muted");
  by.append(make("bdi", "", person), ", ", moment(recorded_at));
  row.append(head, by);
  if (className === undefined && text) row.append(make("bdi", "", text));
  return row;
}
