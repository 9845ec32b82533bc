// Images for the desk: asked of the server before they are needed, and kept by asking again.

const REFILL_AT = 6; // ask for more when fewer images wait
const RETRY_QUEUE_MS = 2000;
const OTHERS_HOLD_MS = 2500; // others hold all that is left, and give back what is more than their share
const DONE_HERE_MS = 8000; // only others may answer what is left
// A tab that does not ask for so long counts as left: see TAB_LEFT in alworkbench/project/labels.py.
const RENEW_MS = { shortest: 5000, longest: 10000 };

export class Supply {
  constructor(desk) {
    this.desk = desk;
    this.refilling = false;
    this.timer = null;
    this.epoch = 0; // counts settled answers: an older queue does not know them
    this.marked = 0; // counts stored notes and flags: the images of an older queue are without them
    this.told = null; // the id of another round that the page was told of
    this.clear();
  }

  clear() {
    this.empty = false; // the server gave us no image
    this.doneHere = false; // what is left, others must answer
    this.inOtherTab = false; // what is left, another tab of this person holds
  }

  async refill() {
    if (this.desk.stopped || this.refilling) return;
    this.refilling = true;
    clearTimeout(this.timer);
    const { epoch, marked } = this;
    const asked = this.roundId;
    let again = RETRY_QUEUE_MS;
    const reply = await this.desk.server.queue(this.desk.side);
    this.refilling = false;
    if (this.desk.stopped) return;
    if (marked !== this.marked) again = 0;
    else if (reply !== null && this.isOfAnother(reply.progress)) {
      this.giveAllBack(reply);
      if (asked === this.roundId) this.tellPage(reply.progress.round_id);
      else again = 0; // the page went on to a newer round while this was asked
    } else if (reply !== null) {
      const upToDate = epoch === this.epoch;
      if (upToDate) this.desk.tally.take(reply.progress, this.desk.data.round.id);
      this.doneHere = reply.done;
      this.inOtherTab = reply.in_other_tab;
      this.empty = reply.items.length === 0;
      const { gone, spare } = this.desk.queue.merge(reply, this.desk.outbox.size > 0);
      this.desk.server.release(spare);
      if (gone && upToDate && !this.desk.queue.moreToClaim && !this.pendingUndo()) this.desk.drop();
      again = this.renewalDelay(reply);
    }
    if (again !== null) this.timer = setTimeout(() => this.refill(), again);
    this.desk.advance();
  }

  // The server has stored a note or a flag: images are asked for as they are now.
  askAnew() {
    this.marked += 1;
    this.refill();
  }

  get roundId() {
    return this.desk.data.round.id;
  }

  // Whether a reply counts another round than the one that the page shows. What the page shows with an image,
  // such as a suggestion, is a matter of its own round: an image of another one is not put on it.
  isOfAnother(progress) {
    return progress !== null && progress.round_id !== this.roundId;
  }

  // The images are free for whoever shows their round, and those of the own round are nobody's any more.
  giveAllBack({ items, people }) {
    const { gone } = this.desk.queue.merge({ items: [], limit: 1, people }, false);
    if (gone) this.desk.drop();
    this.desk.server.release(items.map((item) => item.item_id));
  }

  // The page draws itself again, and then shows the round that is open now.
  tellPage(roundId) {
    if (this.told === roundId) return;
    this.told = roundId;
    this.desk.trigger("changed", { round: roundId, complete: false });
  }

  // Leases are asked for again at half of their time.
  renewalDelay(reply) {
    if (reply.lease_seconds !== null) {
      const half = 500 * reply.lease_seconds;
      return Math.min(Math.max(half, RENEW_MS.shortest), RENEW_MS.longest);
    }
    if (this.desk.finished()) return null;
    return this.doneHere ? DONE_HERE_MS : OTHERS_HOLD_MS;
  }

  pendingUndo() {
    return this.desk.outbox.list().some((entry) => entry.kind === "undo");
  }

  // Asked after an acknowledgement, so never in a loop and never of a dead server.
  topUp() {
    const short = this.desk.queue.upcoming.length < REFILL_AT && this.desk.queue.moreToClaim;
    const without = this.desk.queue.current === null && !this.desk.finished();
    if (short || without || this.desk.queue.holdsMuch(this.desk.tally.left)) this.refill();
  }

  dispose() {
    clearTimeout(this.timer);
  }
}
