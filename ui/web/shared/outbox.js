// Answers on their way to the server.
//
// An answer is written to localStorage before it is sent and leaves it when the server has said
// that it is durable, so neither a reload nor a dead server loses one. Each entry is a key of its
// own: two tabs never overwrite each other's list. Sending one twice is harmless, since the server
// records an event id once. Entries are sent in order, one at a time.

const KINDS = ["answer", "undo", "relabel", "note", "flag"]; // names of our routes
const COUNTS = { answer: 1, undo: -1 }; // answers that the round has more then; 0 for other kinds
const FIRST_DELAY_MS = 400;
const LONGEST_DELAY_MS = 5000;

export class Outbox {
  // send(entry) resolves to {state: "stored" | "refused" | "again", reply}.
  constructor({ prefix, send, onSettled, onChange }) {
    this.prefix = prefix;
    this.send = send;
    this.onSettled = onSettled;
    this.onChange = onChange;
    this.durable = true;
    this.failing = false;
    this.reason = ""; // what the server says stands in the way, a full disk for one
    this.entries = new Map();
    this.lastSequence = 0;
    this.delay = FIRST_DELAY_MS;
    this.timer = null;
    this.busy = false;
    this.stopped = false;
    this.load();
  }

  get size() {
    return this.entries.size;
  }

  list() {
    return [...this.entries.values()].sort((a, b) => a.sequence - b.sequence);
  }

  // How many answers the round has more once everything has arrived.
  get net() {
    return this.list().reduce((sum, { kind, counts }) => sum + (counts ?? COUNTS[kind] ?? 0), 0);
  }

  load() {
    try {
      for (let i = 0; i < localStorage.length; i += 1) {
        const key = localStorage.key(i);
        if (key === null || !key.startsWith(this.prefix)) continue;
        const entry = this.parse(localStorage.getItem(key));
        if (entry !== null) {
          this.entries.set(entry.body.event_id, entry);
          this.lastSequence = Math.max(this.lastSequence, entry.sequence);
        }
      }
    } catch {
      this.durable = false;
    }
  }

  parse(text) {
    try {
      const entry = JSON.parse(text);
      const usable =
        KINDS.includes(entry.kind) &&
        Number.isFinite(entry.sequence) &&
        typeof entry.body.event_id === "string";
      return usable ? entry : null;
    } catch {
      return null;
    }
  }

  // target: the event id of what a take-back takes back. counts: how many answers the round has more once this has
  // arrived. A take-back of a new answer counts 0, since the earlier one stands again.
  add(kind, body, target = null, counts = COUNTS[kind] ?? 0) {
    this.lastSequence = Math.max(this.lastSequence + 1, Date.now());
    const entry = { kind, body, target, counts, sequence: this.lastSequence };
    this.entries.set(body.event_id, entry);
    this.write(entry);
    this.onChange();
    this.wake(false);
  }

  write(entry) {
    try {
      localStorage.setItem(this.prefix + entry.body.event_id, JSON.stringify(entry));
    } catch {
      this.durable = false; // said on the page: these answers would not survive a reload
    }
  }

  remove(entry) {
    this.entries.delete(entry.body.event_id);
    try {
      localStorage.removeItem(this.prefix + entry.body.event_id);
    } catch {
      this.durable = false;
    }
  }

  // An image that was taken back has a new lease: answers waiting behind the take-back use it.
  renew(itemId, leaseToken) {
    for (const entry of this.entries.values()) {
      if (entry.kind === "answer" && entry.body.item_id === itemId) {
        entry.body.lease_token = leaseToken;
        this.write(entry);
      }
    }
  }

  // A take-back of an answer that was refused would take back another one.
  dropUndoOf(eventId) {
    for (const entry of this.list()) {
      if (entry.kind === "undo" && entry.target === eventId) this.remove(entry);
    }
  }

  wake(now) {
    if (this.stopped) return;
    if (now) {
      this.delay = FIRST_DELAY_MS;
      clearTimeout(this.timer);
      this.timer = null;
    }
    if (this.timer === null) this.pump();
  }

  async pump() {
    if (this.busy) return;
    this.busy = true;
    try {
      while (!this.stopped && this.size > 0) {
        const entry = this.list()[0];
        const outcome = await this.send(entry);
        if (this.stopped) return;
        if (outcome.state === "again") {
          this.failing = true;
          this.reason = outcome.reply && outcome.reply.code === "project" ? outcome.reply.reason : "";
          this.timer = setTimeout(() => {
            this.timer = null;
            this.pump();
          }, this.delay);
          this.delay = Math.min(this.delay * 2, LONGEST_DELAY_MS);
          break;
        }
        this.failing = false;
        this.reason = "";
        this.delay = FIRST_DELAY_MS;
        this.remove(entry);
        if (outcome.state === "refused") this.dropUndoOf(entry.body.event_id);
        this.onSettled(entry, outcome);
        this.onChange();
      }
    } finally {
      this.busy = false;
      this.onChange();
    }
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
  }
}
