// What the server said of an answer, a take-back, a note or a flag that waited in the outbox.

import { TAKEN_BACK } from "./drawing.js";

export class Settling {
  constructor(desk) {
    this.desk = desk;
  }

  settled(entry, { state, reply }) {
    const { desk } = this;
    if (entry.kind === "note" || entry.kind === "flag") {
      desk.marking.settled(entry, { state, reply });
      return;
    }
    desk.supply.epoch += 1;
    if (state === "refused") desk.refusals.add(entry, reply.reason);
    if (entry.kind === "relabel") {
      if (state === "refused") desk.reopening.refused(entry.body.event_id);
      return;
    }
    if (state === "refused") {
      if (entry.kind === "answer") {
        desk.queue.forget(entry.body.event_id);
        desk.history = desk.history.filter((past) => past.eventId !== entry.body.event_id);
        desk.reopening.strip.remove(entry.body.event_id);
      }
      desk.supply.refill();
      return;
    }
    desk.tally.take(reply.progress, desk.data.round.id);
    if (entry.kind === "answer") {
      if (reply.late) desk.notice = reply.late;
      desk.queue.people = reply.people;
      desk.supply.topUp();
      return;
    }
    this.undone(entry.target, reply);
  }

  // target: event id of the answer that was taken back; null: the last one that the server knew, as after a reload.
  undone(target, reply) {
    const { desk } = this;
    const item = desk.supply.isOfAnother(reply.progress) ? null : reply.item;
    if (item) {
      desk.outbox.renew(item.item_id, item.lease_token);
      desk.queue.renew(item);
    }
    if (target === null) {
      desk.queue.answered.delete(reply.item_id);
      desk.reopening.load();
      if (item) desk.putBack(item);
      else desk.notice = TAKEN_BACK;
    }
    desk.supply.refill();
  }
}
