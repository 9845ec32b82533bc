// Answered images on the screen again: a new answer replaces the earlier one.

import { newId } from "../shared/ids.js";
import { Strip } from "./strip.js";

export class Reopening {
  constructor(desk) {
    this.desk = desk;
    this.open = null; // {past, item} while an answered image is on the screen
    this.strip = new Strip(desk.screen.below, (past) => this.enter(past));
  }

  // The last answers that the server knows.
  async load() {
    const { desk } = this;
    const answers = await desk.server.answered();
    if (desk.stopped || answers === null) return;
    const unsent = new Set(desk.outbox.list().map((entry) => entry.body.event_id));
    this.strip.take(answers, (eventId) => unsent.has(eventId));
    desk.draw();
  }

  enter(past) {
    this.open = null;
    this.desk.disarm();
    const item = { ...past, suggestion: null, likely: [], likeliest: [], position: null };
    this.open = { past, item };
    this.desk.begin();
    this.desk.show();
    this.desk.draw();
  }

  // Back to the image whose turn it is. False when it is on the screen.
  leave() {
    if (this.open === null) return false;
    this.open = null;
    this.desk.disarm();
    if (this.desk.queue.current !== null) this.desk.show();
    this.desk.draw();
    return true;
  }

  answer(kind, classId) {
    const { desk } = this;
    const { past } = this.open;
    const eventId = newId();
    const text = desk.describe(kind, classId);
    desk.outbox.add("relabel", {
      event_id: eventId,
      answer: past.event_id,
      kind,
      class_id: classId,
      duration_ms: desk.exposure.milliseconds,
    });
    const before = { event_id: past.event_id, kind: past.kind, class_id: past.class_id };
    this.replace(past.event_id, { event_id: eventId, kind, class_id: classId }, before);
    desk.screen.answers.flash(classId);
    desk.screen.saying.say(`Answered anew: ${text}.`);
    this.leave();
  }

  // Another answer stands in the place of this one. `before` is what stands again once it is taken back, or null.
  replace(eventId, answer, before) {
    const { history, queue } = this.desk;
    const own = history.find((each) => each.eventId === eventId);
    if (own) {
      const { event_id, kind, class_id } = answer;
      const earlier = before === null ? own.earlier.slice(0, -1) : [...(own.earlier ?? []), before];
      Object.assign(own, { eventId: event_id, text: this.desk.describe(kind, class_id), earlier });
    }
    for (const [itemId, known] of queue.answered) if (known === eventId) queue.answered.set(itemId, answer.event_id);
    this.strip.replace(eventId, answer);
  }

  // Takes the new answer of the last image back. False where it has only one answer.
  undo() {
    const { desk } = this;
    const past = desk.history.at(-1);
    const before = past?.earlier?.at(-1);
    if (before === undefined) return false;
    desk.outbox.add("undo", { event_id: newId() }, past.eventId, 0);
    this.replace(past.eventId, before, null);
    desk.screen.saying.say(`Taken back. Your answer is ${past.text} again.`);
    desk.draw();
    return true;
  }

  // The server did not record the new answer: the earlier one stands.
  refused(eventId) {
    const past = this.desk.history.find((each) => each.eventId === eventId);
    if (past !== undefined) this.replace(eventId, past.earlier.at(-1), null);
    for (const each of this.desk.history) each.earlier = each.earlier?.filter(({ event_id }) => event_id !== eventId);
    this.load();
  }
}
