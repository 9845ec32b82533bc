// The images that this page holds: a sheet on the screen, and those that wait for the next sheet.
//
// It is what `Queue` is to the desk, for many images at once, and a list for the view of the grid. An image stays in
// its place while its sheet is on the screen: what is answered with its answer, and also what others hold now. A
// sheet grows at its end, and the next one comes once nothing of it is open. Only what is taken back from an earlier
// sheet comes before the others and moves them.

import { hashOf } from "../card/card.js";
import { marksWith } from "../shared/marks.js";

const MOST = 24; // images of a sheet, and all that a person holds: MOST in alworkbench/project/fair_share.py
const FEWEST = 2; // images that a tab holds at least

export class Held {
  // plain(slot): the image of a slot as a cell draws it. prefers(place): whether it is kept before others.
  constructor({ plain, prefers }) {
    this.plain = plain;
    this.prefers = prefers;
    this.answered = new Map(); // item id -> event id, answered here and not taken back
    this.moreToClaim = false; // the server gave as many as this tab may hold now
    this.people = 1; // who work on the round now
    this.clear();
  }

  clear() {
    this.slots = []; // {item, state: "open" | "answered" | "gone", said: {event_id, kind, class_id} | null, image}
    this.upcoming = [];
    this.missed = []; // slots that the server did not give us again
  }

  // --------------------------------------------------------------------------- a list for the view
  get total() {
    return this.slots.length;
  }

  get items() {
    return new Map(this.slots.map((slot, place) => [place, slot.image]));
  }

  at(place) {
    return this.slots[place]?.image ?? null;
  }

  ensure() {}

  async read() {
    return true;
  }

  drop() {}

  // Flags and notes as the server has them now.
  renew(images) {
    for (const { id, flagged, notes } of images) {
      const slot = this.slotOf(id);
      if (slot === undefined) continue;
      Object.assign(slot.item, { flagged, notes });
      this.redraw(slot);
    }
  }

  // A note or a flag of these images waits, or was refused.
  redrawAll(hashes) {
    for (const slot of this.slots) if (hashes.includes(slot.image.hash)) this.redraw(slot);
  }

  // The server has stored a note or a flag.
  marked(entry) {
    const { images } = entry.body;
    const items = [...this.slots.map((slot) => slot.item), ...this.upcoming];
    for (const item of items) {
      const hash = hashOf(item.image_url);
      if (images.includes(hash)) Object.assign(item, marksWith(item, hash, [entry]));
    }
    this.redrawAll(images);
  }

  // A cell is drawn again when its image is another object.
  redraw(slot) {
    slot.image = this.plain(slot);
  }

  slotOf(itemId) {
    return this.slots.find((slot) => slot.item.item_id === itemId);
  }

  set(slot, state, said) {
    Object.assign(slot, { state, said });
    this.redraw(slot);
  }

  // ------------------------------------------------------------------------- what the server gives
  get open() {
    return this.slots.filter((slot) => slot.state === "open");
  }

  // The first image of the sheet that waits for an answer, or null.
  get current() {
    return this.open[0]?.item ?? null;
  }

  waiting() {
    return [...this.open.map((slot) => slot.item), ...this.upcoming].map((item) => item.item_id);
  }

  // More than a fair share of the answers that are left: see alworkbench/project/fair_share.py.
  holdsMuch(left) {
    return this.waiting().length > Math.max(FEWEST, Math.floor(left / this.people));
  }

  // What the server leased to us, less what was answered here. `keep` says that some answers are on their way:
  // then a list that was cut at the limit takes nothing from us. Gives whether the server did not give an image
  // of the sheet again, and the ids of images that we hold beyond our share.
  merge({ items, limit, people }, keep) {
    this.moreToClaim = items.length >= limit;
    this.people = people;
    const given = new Map(items.filter((item) => item.lease_token && !this.answered.has(item.item_id)).map((item) => [item.item_id, item]));
    const held = [...this.open.map((slot) => slot.item), ...this.upcoming];
    for (const item of held) this.update(item, given.get(item.item_id) ?? item);
    const known = new Set(held.map((item) => item.item_id));
    const fresh = [...given.values()].filter((item) => !known.has(item.item_id));
    const without = held.filter((item) => !given.has(item.item_id));
    this.missed = [];
    let spare = [];
    // Own images come first. So a list that is full of them was cut, and any other one has all that are ours.
    if (this.moreToClaim && fresh.length === 0) spare = keep ? [] : this.giveBack(without.length);
    else {
      this.upcoming = this.upcoming.filter((item) => given.has(item.item_id));
      this.missed = this.open.filter((slot) => !given.has(slot.item.item_id));
    }
    this.upcoming.push(...fresh);
    return { gone: this.missed.length > 0, spare };
  }

  // The lease of an image, its flag and its notes as the server has them now.
  update(item, { lease_token, flagged, notes }) {
    const changed = item.flagged !== flagged || item.notes !== notes;
    Object.assign(item, { lease_token, flagged, notes });
    const slot = this.slotOf(item.item_id);
    if (changed && slot !== undefined) this.redraw(slot);
  }

  // Which of ours others get: those that wait, then the last ones of the sheet, what is selected at the end.
  giveBack(count) {
    const places = [...this.slots.keys()].filter((place) => this.slots[place].state === "open");
    const last = places.sort((a, b) => Number(this.prefers(a)) - Number(this.prefers(b)) || b - a);
    const waiting = this.upcoming.splice(Math.max(0, this.upcoming.length - count));
    const shown = last.slice(0, count - waiting.length).map((place) => this.slots[place]);
    for (const slot of shown) this.set(slot, "gone", null);
    return [...waiting.map((item) => item.item_id), ...shown.map((slot) => slot.item.item_id)];
  }

  dropMissed() {
    for (const slot of this.missed) if (slot.state === "open") this.set(slot, "gone", null);
    this.missed = [];
  }

  // ------------------------------------------------------------------------------------- the sheet
  // Images that wait come onto the sheet, or onto a new one where nothing is open. Whether it is a new one.
  advance() {
    if (this.open.length === 0 && this.upcoming.length > 0) {
      this.turn();
      return true;
    }
    this.append(MOST - this.slots.length);
    return false;
  }

  // A new sheet: what is still open, and then what waits.
  turn() {
    this.slots = this.open;
    this.append(MOST - this.slots.length);
  }

  append(count) {
    // An image that others held meanwhile opens again in its place: it is on a sheet once.
    for (const item of this.upcoming) {
      const slot = this.slotOf(item.item_id);
      if (slot !== undefined) this.set(Object.assign(slot, { item }), "open", null);
    }
    this.upcoming = this.upcoming.filter((item) => this.slotOf(item.item_id) === undefined);
    for (const item of this.upcoming.splice(0, Math.max(0, count))) this.slots.push(this.slot(item));
  }

  slot(item) {
    const slot = { item, state: "open", said: null, image: null };
    this.redraw(slot);
    return slot;
  }

  // Images that wait for an answer again. Those of an earlier sheet come first. Returns their places.
  putBack(items) {
    const ids = new Set(items.map((item) => item.item_id));
    this.upcoming = this.upcoming.filter((item) => !ids.has(item.item_id));
    const earlier = items.filter((item) => this.slotOf(item.item_id) === undefined);
    this.slots.unshift(...earlier.map((item) => this.slot(item)));
    for (const slot of this.slots) if (ids.has(slot.item.item_id)) this.set(slot, "open", null);
    return [...this.slots.keys()].filter((place) => ids.has(this.slots[place].item.item_id));
  }

  // A new lease of an image that was taken back.
  renewLease({ item_id, lease_token }) {
    for (const item of [...this.slots.map((slot) => slot.item), ...this.upcoming]) {
      if (item.item_id === item_id) item.lease_token = lease_token;
    }
  }

  // An answer that does not count after all.
  forget(eventId) {
    for (const [itemId, known] of this.answered) {
      if (known !== eventId) continue;
      this.answered.delete(itemId);
      const slot = this.slotOf(itemId);
      if (slot !== undefined) this.set(slot, "gone", null);
    }
  }
}
