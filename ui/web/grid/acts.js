// Acts on selections: sent until the server has stored or refused them, and taken back whole.

import { newId } from "../shared/ids.js";

const AGAIN_MS = 2000;

export class Acts {
  // onChange(): something is under way or has ended; onImages(images): as they are now.
  constructor(server, { onChange, onImages }) {
    this.server = server;
    this.onChange = onChange;
    this.onImages = onImages;
    this.done = []; // acts that can be taken back, the newest last
    this.pending = new Map(); // id of an image -> the answer in words, while it is being saved
    this.underWay = 0;
    this.failing = false;
    this.words = "";
    this.stopped = false;
    this.turn = Promise.resolve();
  }

  // answer: {kind, class_id, words}; what: {images} or {query, cursor, total}; like: hashes of some of them.
  label(answer, what, like) {
    const act = { act_id: newId(), words: answer.words, like };
    const ids = what.images ?? [];
    for (const id of ids) this.pending.set(id, answer.words);
    this.begin(async () => {
      const body = { act_id: act.act_id, kind: answer.kind, class_id: answer.class_id, ...what };
      const { ok, reply } = await this.deliver("/labels", body);
      for (const id of ids) this.pending.delete(id);
      if (this.stopped) return;
      this.words = ok ? reply.words : `Nothing was recorded: ${reply.reason}`;
      if (!ok) return;
      if (reply.labelled > 0) this.done.push(act);
      this.last = reply.labelled > 0 ? act : null;
      this.onImages(reply.images, reply.labelled > reply.images.length);
    });
  }

  // Moves images of the list to another set. Resolves to what would follow where that must be confirmed first.
  move(images, role, confirmed) {
    const moved = images.filter((image) => image.role !== role);
    return new Promise((resolve) => {
      this.begin(async () => {
        const { ok, reply } = await this.roles(moved, role, confirmed);
        const asks = !ok && reply.code === "unconfirmed";
        resolve(asks ? reply.reason : null);
        if (this.stopped || asks) return;
        this.words = ok ? reply.words : `Nothing was moved: ${reply.reason}`;
        if (!ok) return;
        if (moved.length > 0) this.done.push({ moved, back: role === "audit" ? "pool" : "audit" });
        this.last = null;
        this.onImages(moved.map((image) => ({ ...image, role })), false);
      });
    });
  }

  roles(images, role, confirmed) {
    return this.deliver("/roles", { images: images.map((image) => image.hash), role, confirmed });
  }

  // What was moved goes back: it was there before, so nothing is asked.
  moveBack({ moved, back }) {
    this.begin(async () => {
      const { ok, reply } = await this.roles(moved, back, true);
      if (this.stopped) return;
      this.words = ok ? `Moved back. ${reply.words}` : reply.reason;
      if (ok) this.onImages(moved, false);
    });
    return true;
  }

  undo() {
    const act = this.done.pop();
    if (act === undefined) return false;
    if (act.moved !== undefined) return this.moveBack(act);
    this.begin(async () => {
      const { ok, reply } = await this.deliver("/labels/undo", { act_id: act.act_id, event_id: newId() });
      if (this.stopped) return;
      const taken = ok ? `${reply.taken_back.toLocaleString("en")} answers are taken back.` : reply.reason;
      this.words = ok && reply.taken_back === 1 ? "1 answer is taken back." : taken;
      this.last = null;
      if (ok) this.onImages(reply.images, reply.taken_back > reply.images.length);
    });
    return true;
  }

  // body: {text} of a note, or {raised} of a flag; images: of the list; changed(image): it as it is then.
  mark(path, body, images, changed) {
    const event_id = newId();
    this.begin(async () => {
      const { ok, reply } = await this.deliver(path, { event_id, images: images.map((each) => each.hash), ...body });
      if (this.stopped) return;
      const many = images.length === 1 ? "1 image" : `${images.length.toLocaleString("en")} images`;
      const done = path === "/note" ? "have a new note" : body.raised ? "are flagged" : "are no longer flagged";
      const words = images.length === 1 ? done.replace("have", "has").replace("are", "is") : done;
      this.words = ok ? `${many} ${words}.` : `Nothing was recorded: ${reply.reason}`;
      if (ok) this.onImages(images.map(changed), false);
    });
  }

  // One after another, so that a take-back follows its act.
  begin(work) {
    this.underWay += 1;
    this.words = "";
    this.onChange();
    this.turn = this.turn.then(work).finally(() => {
      this.underWay -= 1;
      this.onChange();
    });
  }

  async deliver(path, body) {
    for (;;) {
      try {
        const { ok, reply } = await this.server.call(path, body);
        if (ok || reply.refused === true || this.stopped) {
          this.failing = false;
          return { ok, reply };
        }
      } catch {
        // No connection: the same act is sent again, and recorded once.
      }
      if (this.stopped) return { ok: false, reply: { reason: "" } };
      this.failing = true;
      this.onChange();
      await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
    }
  }

  dispose() {
    this.stopped = true;
  }
}
