// Answers of a selection: one for each image, with an event id of its own, all taken back by one key.

import { newId } from "../shared/ids.js";

export class Answering {
  constructor(grid) {
    this.grid = grid;
    this.acts = []; // each a list of {item, event_id, before}: `before` is the earlier answer here, or null
  }

  clear() {
    this.acts = [];
  }

  // answer: {kind, class_id, words}; slots: open ones and answered ones. Returns how many it changed.
  give(answer, slots, milliseconds) {
    const { held, outbox } = this.grid;
    const { kind, class_id } = answer;
    const changed = slots.filter(({ said }) => said === null || said.kind !== kind || said.class_id !== class_id);
    if (changed.length === 0) return 0;
    const duration_ms = Math.round(milliseconds / changed.length); // the time of the act, in equal parts
    const act = changed.map((slot) => ({ item: slot.item, event_id: newId(), before: slot.said }));
    this.acts.push(act);
    // All are shown before the first is sent.
    act.forEach(({ item, event_id }, n) => {
      held.answered.set(item.item_id, event_id);
      held.set(changed[n], "answered", { event_id, kind, class_id });
    });
    for (const { item, event_id, before } of act) {
      if (before === null) {
        outbox.add("answer", {
          event_id,
          item_id: item.item_id,
          lease_token: item.lease_token,
          kind,
          class_id,
          duration_ms,
          suggested_class_id: item.suggestion ? item.suggestion.class_id : null,
        });
      } else {
        outbox.add("relabel", { event_id, answer: before.event_id, kind, class_id, duration_ms });
      }
    }
    return changed.length;
  }

  // Takes the last act back: null without one, else the places of the images that wait for an answer again.
  undo() {
    const { held, outbox } = this.grid;
    const act = this.acts.pop();
    if (act === undefined) return null;
    for (const { item, event_id, before } of act) {
      outbox.add("undo", { event_id: newId() }, event_id, before === null ? -1 : 0);
      if (before === null) {
        held.answered.delete(item.item_id);
        continue;
      }
      held.answered.set(item.item_id, before.event_id);
      const slot = held.slotOf(item.item_id);
      if (slot !== undefined) held.set(slot, "answered", before);
    }
    return held.putBack(act.filter(({ before }) => before === null).map(({ item }) => item));
  }

  // The server did not record the answer: its image has none.
  refused(eventId) {
    this.grid.held.forget(eventId);
    for (const { event_id, before } of this.entries()) {
      if (before?.event_id === eventId) this.grid.held.forget(event_id); // a new answer in its place is refused, too
    }
    this.remove(eventId);
  }

  // The server did not record the new answer: the earlier one stands.
  relabelRefused(eventId) {
    const { held } = this.grid;
    for (const { item, event_id, before } of this.entries()) {
      if (event_id !== eventId || held.answered.get(item.item_id) !== eventId) continue;
      held.answered.set(item.item_id, before.event_id);
      const slot = held.slotOf(item.item_id);
      if (slot !== undefined) held.set(slot, "answered", before);
    }
    this.remove(eventId);
  }

  entries() {
    return this.acts.flat();
  }

  remove(eventId) {
    const others = (act) => act.filter(({ event_id }) => event_id !== eventId);
    this.acts = this.acts.map(others).filter((act) => act.length > 0);
  }
}
