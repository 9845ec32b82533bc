// Notes about the image on the screen, and its flag. They wait in the outbox like answers, and are shown at once.

import { hashOf } from "../card/card.js";
import { newId } from "../shared/ids.js";
import { hearMarks, marksWith, storedWords } from "../shared/marks.js";
import { openNote } from "../shared/note_dialog.js";

export class Marking {
  constructor(desk) {
    this.desk = desk;
    this.close = null;
    this.deafen = hearMarks(({ hash, ...marks }) => {
      for (const item of this.withHash(hash)) Object.assign(item, marks);
      desk.draw();
    });
  }

  // Whether an image is flagged, and how many notes it has: as the server said, and with what waits to be sent.
  of(item) {
    return marksWith(item, hashOf(item.image_url), this.desk.outbox.list());
  }

  // What this page shows of the image, or may show again.
  withHash(hash) {
    const { queue, reopening, history } = this.desk;
    const shown = [queue.current, ...queue.upcoming, ...reopening.strip.past, reopening.open?.item];
    const all = new Set([...shown, ...history.map((past) => past.item)].filter(Boolean));
    return [...all].filter((item) => hashOf(item.image_url) === hash);
  }

  // The image that is on the screen, also without its picture; null before that.
  get target() {
    const { desk } = this;
    if (desk.armed || desk.missing) return desk.shown;
    desk.refuse("no picture is on the screen yet");
    return null;
  }

  toggle() {
    const { target } = this;
    if (target !== null) this.send("flag", target, { raised: !this.of(target).flagged });
  }

  write() {
    const { desk, target } = this;
    if (target === null || this.close !== null) return;
    this.close = openNote(desk.root, {
      about: hashOf(target.image_url),
      title: "Note about this image",
      onSave: (text) => this.send("note", target, { text }),
      onClose: () => {
        this.close = null;
      },
    });
  }

  send(kind, item, body) {
    this.desk.begin();
    this.desk.outbox.add(kind, { event_id: newId(), images: [hashOf(item.image_url)], ...body });
  }

  // The server has said what became of it.
  settled(entry, { state, reply }) {
    const { desk } = this;
    if (state === "refused") {
      desk.refusals.add(entry, reply.reason);
      return;
    }
    for (const hash of entry.body.images) {
      for (const item of this.withHash(hash)) Object.assign(item, marksWith(item, hash, [entry]));
    }
    desk.supply.askAnew();
    desk.screen.saying.say(storedWords(entry));
  }

  dispose() {
    this.close?.();
    this.deafen();
  }
}
