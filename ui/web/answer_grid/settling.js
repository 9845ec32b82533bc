// What the server said of an answer, a take-back, a note or a flag that waited in the outbox.

import { TAKEN_BACK } from "../desk/drawing.js";
import { storedWords } from "../shared/marks.js";

export class Settling {
  constructor(grid) {
    this.grid = grid;
  }

  settled(entry, { state, reply }) {
    const { grid } = this;
    const { kind, body, target } = entry;
    const refused = state === "refused";
    if (refused) grid.refusals.add(entry, reply.reason);
    if (kind === "note" || kind === "flag") {
      if (refused) grid.held.redrawAll(body.images);
      else {
        grid.held.marked(entry);
        grid.supply.askAnew();
        grid.screen.saying.say(storedWords(entry));
      }
      return;
    }
    grid.supply.epoch += 1;
    if (kind === "relabel") {
      if (refused) grid.answering.relabelRefused(body.event_id);
    } else if (kind === "answer") {
      if (refused) {
        grid.answering.refused(body.event_id);
        grid.supply.refill();
        return;
      }
      if (reply.late) grid.tell(reply.late);
      grid.tally.take(reply.progress, grid.data.round.id);
      grid.held.people = reply.people;
      grid.supply.topUp();
    } else this.undone(target, refused, reply);
  }

  undone(target, refused, reply) {
    const { grid } = this;
    if (!refused) {
      grid.tally.take(reply.progress, grid.data.round.id);
      const item = grid.supply.isOfAnother(reply.progress) ? null : reply.item;
      if (item) {
        grid.outbox.renew(item.item_id, item.lease_token);
        grid.held.renewLease(item);
      }
      if (target === null) {
        // After a reload only the server knows the last answer: it says which image comes back.
        grid.held.answered.delete(reply.item_id);
        if (item) grid.acts.select(grid.held.putBack([item]));
        else grid.tell(TAKEN_BACK);
      }
    }
    grid.supply.refill();
  }
}
