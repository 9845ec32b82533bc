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
    this.desk.notice = "";
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
    const own = desk.history.find((each) => each.eventId === past.event_id);
    if (own) Object.assign(own, { eventId, text });
    if (desk.queue.answered.get(past.item_id) === past.event_id) {
      desk.queue.answered.set(past.item_id, eventId);
    }
    this.strip.replace(past.event_id, { event_id: eventId, kind, class_id: classId });
    desk.screen.answers.flash(classId);
    desk.screen.saying.say(`Answered anew: ${text}.`);
    this.leave();
  }
}
