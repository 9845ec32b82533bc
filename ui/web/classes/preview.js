// What the model says of the draft, asked anew after each change, and the faults beside the classes they belong to.

import { named } from "./fields.js";
import { Said } from "./said.js";

const PAUSE_MS = 350; // after the last letter, before the model is asked
const PREVIEW_MS = 120_000; // the first preview loads the model

// For whatever may have to load the model first.
export function longSignal() {
  return AbortSignal.timeout(PREVIEW_MS);
}

export class Preview {
  constructor(page) {
    this.page = page;
    this.turn = 0; // which twelve images
    this.asked = 0; // counts questions: a reply to an earlier one is not shown
    this.said = new Said(() => {
      this.turn += 1;
      this.ask();
    });
  }

  // A reply on its way is about the rows as they were before.
  end() {
    clearTimeout(this.timer);
    this.stop?.abort();
    this.asked += 1;
  }

  // The person goes on typing: the model is asked after a pause.
  later() {
    this.end();
    this.timer = setTimeout(() => this.ask(), PAUSE_MS);
  }

  async ask() {
    const { page } = this;
    this.end();
    this.stop = new AbortController();
    const { asked } = this;
    this.said.wait();
    const names = page.draft.rows.map((row) => row.name);
    const draft = page.draft.record();
    const call = async (path, body) => {
      const found = await page.server.call(path, body, AbortSignal.any([this.stop.signal, longSignal()]));
      return page.stopped || asked !== this.asked ? null : found;
    };
    try {
      // Faults first: the model may need minutes, and what was mended must not stay marked until then.
      let found = await call("/classes/faults", { draft });
      if (found?.ok && !this.faulty(found.reply)) found = await call("/classes/preview", { draft, turn: this.turn });
      if (found === null) return;
      if (!found.ok) this.forget(found.reply.reason ?? "The server does not answer.");
      else if (!this.faulty(found.reply)) {
        this.tellNotes(found.reply);
        this.said.show(found.reply, names);
      }
    } catch {
      if (!page.stopped && asked === this.asked) this.forget("The server does not answer. It is asked again after your next change.");
    }
  }

  // Whether the draft has faults, which are told beside their fields.
  faulty(reply) {
    this.tell(reply.faults);
    if (reply.faults.length > 0) this.said.say("Mend what is marked, and the model is asked again.");
    return reply.faults.length > 0;
  }

  // Nothing is known of the draft as it is now: what was said of an earlier one goes.
  forget(words) {
    this.tell([]);
    this.tellNotes({});
    this.said.say(words);
  }

  // Faults beside the fields they belong to. With any, what the model said of an earlier draft goes.
  tell(faults) {
    const { page } = this;
    page.draft.rows.forEach((row, place) => page.rows.get(row.uid)?.tell(faults.filter((each) => each.place === place)));
    page.fault.textContent = faults.filter((each) => each.place === null).map((each) => each.words).join(" ");
    page.store.disabled = !page.draft.changed || faults.length > 0;
    if (faults.length > 0) this.tellNotes({});
  }

  // What the model does not know, beside the classes. reply: of /classes/preview, without faults.
  tellNotes(reply) {
    const { page } = this;
    page.draft.rows.forEach((row, place) => {
      const notes = [];
      if (reply.unknown?.[place]) notes.push([reply.unknown[place]]);
      for (const group of reply.same ?? []) {
        if (!group.includes(place)) continue;
        const others = group.filter((each) => each !== place).map((each) => page.draft.rows[each].name);
        notes.push(["The model reads this name and ", ...others.flatMap((name, n) => (n === 0 ? [named(name)] : [", ", named(name)])),
          " as the same text, so it cannot tell them apart. Make the names differ earlier, or give them other templates."]);
      }
      if (reply.cut?.includes(place)) notes.push(["A prompt of this class is longer than the model can read; its end is lost. Shorten the name or the template."]);
      page.rows.get(row.uid)?.note(notes);
    });
  }

  dispose() {
    this.end();
  }
}
