// Answers to the image on the screen, and their take-backs.

import { newId } from "../shared/ids.js";

export class Answering {
  constructor(desk) {
    this.desk = desk;
  }

  accept() {
    const { desk } = this;
    const suggestion = desk.shown?.suggestion;
    if (suggestion) this.answer("class", suggestion.class_id);
    else desk.refuse("there is no suggestion to accept");
  }

  answer(kind, classId) {
    const { desk } = this;
    const skipsMissing = desk.missing && kind === "skip";
    const item = desk.shown;
    if (item === null || !(desk.armed || skipsMissing)) {
      desk.refuse(desk.missing ? "this image has no picture, it can be skipped only" : "no picture is on the screen yet");
      return;
    }
    if (desk.reopening.open !== null) {
      desk.reopening.answer(kind, classId);
      return;
    }
    const eventId = newId();
    desk.drop();
    desk.begin();
    desk.queue.answered.set(item.item_id, eventId);
    desk.history.push({ item, eventId, text: desk.describe(kind, classId) });
    const { item_id, image_url, width, height, flagged, notes } = item;
    const past = { event_id: eventId, item_id, image_url, width, height, flagged, notes, kind, class_id: classId };
    desk.reopening.strip.add(past);
    desk.screen.answers.flash(classId);
    desk.screen.saying.clear();
    desk.outbox.add("answer", {
      event_id: eventId,
      item_id: item.item_id,
      lease_token: item.lease_token,
      kind,
      class_id: classId,
      duration_ms: desk.exposure.milliseconds,
      suggested_class_id: item.suggestion ? item.suggestion.class_id : null,
    });
    desk.advance();
  }

  undo() {
    const { desk } = this;
    if (desk.reopening.leave()) return;
    desk.begin();
    if (desk.reopening.undo()) return;
    const past = desk.history.pop();
    if (past) {
      desk.queue.answered.delete(past.item.item_id);
      desk.reopening.strip.remove(past.eventId);
      desk.outbox.add("undo", { event_id: newId() }, past.eventId);
      desk.putBack(past.item);
    } else if (desk.outbox.size === 0) {
      // After a reload only the server knows the last answer: it says which image comes back.
      desk.outbox.add("undo", { event_id: newId() }, null, 0);
    } else desk.refuse("the last answers are not saved yet");
  }
}
