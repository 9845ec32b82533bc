// The images that this desk may answer: one on screen, the others waiting.

export class Queue {
  constructor() {
    this.current = null; // the item on screen
    this.upcoming = [];
    this.answered = new Map(); // item id -> event id, answered here and not taken back
    this.moreToClaim = false; // the server gave as many as it gives at once
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

  // What the server leased to us, less what was answered here. True when the one on screen is not in it.
  merge(items, limit) {
    this.moreToClaim = items.length >= limit;
    const open = items.filter((item) => item.lease_token && !this.answered.has(item.item_id));
    const shown = this.current === null ? null : this.current.item_id;
    this.upcoming = open.filter((item) => item.item_id !== shown);
    if (shown === null) return false;
    const fresh = open.find((item) => item.item_id === shown);
    if (fresh) this.current.lease_token = fresh.lease_token;
    return !fresh;
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
