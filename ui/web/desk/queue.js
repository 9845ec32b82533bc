// The images that this desk may answer: one on screen, the others waiting.

const FEWEST = 2; // images that a tab holds at least: one on screen, one ready

export class Queue {
  constructor() {
    this.current = null; // the item on screen
    this.upcoming = [];
    this.answered = new Map(); // item id -> event id, answered here and not taken back
    this.moreToClaim = false; // the server gave as many as this tab may hold now
    this.people = 1; // who work on the round now
  }

  clear() {
    this.current = null;
    this.upcoming = [];
  }

  // Ids of the images that this tab holds and has not answered.
  waiting() {
    return [this.current, ...this.upcoming].filter(Boolean).map((item) => item.item_id);
  }

  next() {
    this.current = this.upcoming.shift();
    return this.current;
  }

  // More than a fair share of the answers that are left: see alworkbench/project/fair_share.py.
  holdsMuch(left) {
    return this.waiting().length > Math.max(FEWEST, Math.floor(left / this.people));
  }

  // What the server leased to us, less what was answered here. `keep` says that some answers are on their
  // way: then a list that was cut at the limit takes nothing from us. Gives whether the one on screen is
  // not in it, and the ids of the images that waited here and are more than our share now.
  merge({ items, limit, people }, keep) {
    this.moreToClaim = items.length >= limit;
    this.people = people;
    const open = items.filter((item) => item.lease_token && !this.answered.has(item.item_id));
    const given = new Map(open.map((item) => [item.item_id, item]));
    const shown = this.current === null ? null : this.current.item_id;
    const surplus = this.upcoming.filter((item) => !given.has(item.item_id));
    const kept = keep && this.moreToClaim ? surplus : [];
    this.upcoming = [...open.filter((item) => item.item_id !== shown), ...kept];
    const fresh = given.get(shown);
    if (fresh) {
      const { lease_token, flagged, notes } = fresh;
      Object.assign(this.current, { lease_token, flagged, notes });
    }
    const spare = this.moreToClaim && !keep ? surplus.map((item) => item.item_id) : [];
    return { gone: shown !== null && !fresh, spare };
  }

  // To the front of those that wait, before the one on screen. False when it is on screen itself.
  putBack(item) {
    if (this.current !== null && this.current.item_id === item.item_id) return false;
    if (this.current !== null) this.upcoming.unshift(this.current);
    this.upcoming = [item, ...this.upcoming.filter((other) => other.item_id !== item.item_id)];
    this.current = null;
    return true;
  }

  renew(item) {
    for (const known of [this.current, ...this.upcoming]) {
      if (known && known.item_id === item.item_id) known.lease_token = item.lease_token;
    }
  }

  // An answer that does not count after all.
  forget(eventId) {
    for (const [itemId, known] of this.answered) {
      if (known === eventId) this.answered.delete(itemId);
    }
  }
}
