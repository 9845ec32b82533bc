// The labelling desk: which image is on screen, what a key means, what is still to be sent.

import { hashOf, openCard } from "../card/card.js";
import { imageLink } from "../shared/image_link.js";
import { keys } from "../shared/keys.js";
import { listen } from "../shared/listen.js";
import { Outbox } from "../shared/outbox.js";
import { Pictures, sideFor } from "../shared/pictures.js";
import { Refusals } from "../shared/refusals.js";
import { Server } from "../shared/server.js";
import { Answering } from "./answering.js";
import { drawDesk } from "./drawing.js";
import { Finder } from "./finder.js";
import { Marking } from "./marking.js";
import { commandKeys, deskLines, digitsOf, meaningOf } from "./meanings.js";
import { Queue } from "./queue.js";
import { Reopening } from "./reopening.js";
import { Screen } from "./screen.js";
import { Settling } from "./settling.js";
import { Supply } from "./supply.js";
import { Exposure, Tally } from "./tally.js";

class Desk {
  constructor(root, data, trigger) {
    this.trigger = trigger;
    this.data = data;
    this.queue = new Queue();
    this.tally = new Tally(() => this.outbox.net);
    this.exposure = new Exposure();
    this.armed = false; // its picture has been painted, so keys answer it
    this.missing = false; // it has none: the file is gone, so it can be skipped only
    this.history = [];
    this.stopped = false;
    this.notice = "";
    this.refusals = new Refusals();
    this.reported = null;

    this.actions = {
      choose: (id) => this.answering.answer("class", id),
      accept: () => this.answering.accept(),
      skip: () => this.answering.answer("skip", null),
      cannotTell: () => this.answering.answer("cannot_tell", null),
      undo: () => this.answering.undo(),
      note: () => this.marking.write(),
      flag: () => this.marking.toggle(),
      find: (text) => this.finder.open(text),
      refuse: (reason) => this.refuse(reason),
      back: () => this.reopening.leave(),
    };
    this.screen = new Screen(root, this.actions);
    this.finder = new Finder(this);
    this.reopening = new Reopening(this);
    this.answering = new Answering(this);
    this.settling = new Settling(this);
    this.supply = new Supply(this);
    this.server = new Server(
      () => this.data.base,
      (reason) => this.onSignedOut(reason),
    );
    this.root = root;
    this.pictures = new Pictures({
      onReady: (url) => this.onPicture(url),
      onMissing: (url) => this.onMissing(url),
      side: () => this.side,
    });
    this.outbox = new Outbox({
      prefix: `alworkbench.outbox.${data.project}.${data.owner}.`,
      send: (entry) => this.server.send(entry),
      onSettled: (entry, outcome) => this.settling.settled(entry, outcome),
      onChange: () => this.draw(),
    });
    this.marking = new Marking(this);
    for (const entry of this.outbox.list()) {
      if (entry.kind === "answer") this.queue.answered.set(entry.body.item_id, entry.body.event_id);
      else this.queue.forget(entry.target);
    }

    this.leaveKeys = keys.enter("desk", (press) => this.takeKey(press), {
      sheet: () => deskLines(this.data, this.reopening.open !== null),
      blocked: (press, reason) => this.tellBlocked(press, reason),
      unknown: (press) => this.refuse(`the key ${press.event.key} means nothing here`),
    });
    this.leaveViewer = this.screen.viewer.listen();
    this.deafen = listen([
      [window, "beforeunload", (event) => this.outbox.size > 0 && event.preventDefault()],
      [window, "online", () => this.reconnect()],
      [window, "pagehide", () => this.server.release(this.queue.waiting())],
      [document, "visibilitychange", () => this.onVisibility()],
    ]);

    this.screen.drawClasses(data.classes, data.many);
    this.tally.take(data.progress, data.round.id);
    this.draw();
    this.reconnect();
    this.reopening.load();
  }

  // What is on the screen: an image opened again, or the one whose turn it is.
  get shown() {
    return this.reopening.open === null ? this.queue.current : this.reopening.open.item;
  }

  onSignedOut(reason) {
    this.notice = reason;
    this.draw();
  }

  // ------------------------------------------------------------------ what Streamlit tells us

  update(data, trigger) {
    const before = this.data;
    this.trigger = trigger;
    this.data = data;
    if (JSON.stringify(before.classes) !== JSON.stringify(data.classes)) {
      this.screen.drawClasses(data.classes, data.many);
    }
    const newRound = before.round.id !== data.round.id;
    if (newRound) {
      this.queue.clear();
      this.reopening.open = null;
      this.armed = false;
      this.history = [];
      this.tally.progress = null;
      this.supply.clear();
      this.reported = null;
      this.begin();
    }
    if (newRound || this.tally.progress === null) this.tally.take(data.progress, data.round.id);
    if (newRound) this.reconnect();
    this.draw();
  }

  reconnect() {
    this.outbox.wake(true);
    this.supply.refill();
  }

  onVisibility() {
    this.exposure.visibilityChanged();
    if (!document.hidden) this.supply.refill(); // another tab may have taken the images over
  }

  // ------------------------------------------------------------------------ the image on screen

  // Of the renditions that fit this frame and screen.
  get side() {
    return sideFor(this.screen.viewer.area, this.data.sides);
  }

  drop() {
    this.queue.current = null;
    this.disarm();
  }

  disarm() {
    if (this.reopening.open !== null) return; // the image on the screen is another one, and stays
    this.armed = false;
    this.missing = false;
  }

  putBack(item) {
    if (!this.queue.putBack(item)) return;
    this.drop();
    this.advance();
  }

  advance() {
    if (this.queue.current === null && this.queue.upcoming.length > 0) {
      this.queue.next();
      this.disarm();
      this.show();
    }
    this.pictures.prefetch(this.queue.upcoming.map((item) => item.image_url));
    this.draw();
  }

  show() {
    const item = this.shown;
    const { picture, ready, transparent } = this.pictures.get(item.image_url);
    if (!ready) {
      this.screen.viewer.say("Loading the image");
      return;
    }
    if (this.armed) return;
    this.missing = false;
    const which = item.position === null ? "Answered image" : `Image ${item.position + 1} of this round`;
    this.screen.viewer.show({
      picture,
      alt: `${which}, to be labelled`,
      width: item.width,
      height: item.height,
      full: item.image_url,
      transparent,
    });
    this.root.dataset.item = String(item.item_id);
    this.screen.about.href = imageLink(hashOf(item.image_url));
    // Keys count from the frame in which the picture is painted, not earlier.
    requestAnimationFrame(() => {
      if (this.shown !== item || this.stopped) return;
      this.armed = true;
      this.exposure.begin();
      this.draw();
    });
  }

  onPicture(url) {
    const item = this.shown;
    if (item !== null && !this.armed && item.image_url === url) this.show();
  }

  onMissing(url) {
    const item = this.shown;
    if (item === null || item.image_url !== url || this.armed) return;
    this.missing = true;
    this.exposure.begin();
    const [skip] = commandKeys(this.data.many);
    this.screen.viewer.say(`The file of this image is gone or was changed. Skip it with ${skip}`);
  }

  // ---------------------------------------------------------------------------------- answering

  // The person acts: what was said of earlier acts is read.
  begin() {
    this.notice = "";
    this.refusals.clear();
  }

  describe(kind, classId) {
    if (kind === "skip") return "Skipped";
    if (kind === "cannot_tell") return "Cannot tell";
    return this.data.classes.find((c) => c.id === classId)?.name ?? "";
  }

  // -------------------------------------------------------------------------------------- keys

  get digits() {
    const current = this.shown;
    return digitsOf(this.data.many && current !== null ? current.likeliest : [], this.data.classes);
  }

  // The card of the image that is painted.
  openCard() {
    return this.armed && openCard(hashOf(this.shown.image_url));
  }

  takeKey(press) {
    if (press.key === "escape") return this.reopening.leave();
    const meant = meaningOf(press, this.data, this.digits);
    if (press.key === "i" && (press.shift || meant === null)) return this.openCard();
    if (meant === null) return false;
    if (meant.act === "find") this.actions.find(meant.text);
    else this.actions[meant.act](meant.id);
    return true;
  }

  tellBlocked(press, reason) {
    const meant = meaningOf(press, this.data, this.digits);
    if (meant !== null) this.refuse(reason);
  }

  // A press that cannot be taken is shown, not dropped.
  refuse(reason) {
    if (!this.finished()) this.screen.saying.say(`Not taken: ${reason}.`);
  }

  // ------------------------------------------------------------------------------------ drawing

  finished() {
    return this.tally.progress !== null && this.tally.left === 0 && this.queue.current === null;
  }

  draw() {
    if (!this.stopped) drawDesk(this);
  }

  dispose() {
    this.stopped = true;
    this.server.release(this.queue.waiting());
    this.supply.dispose();
    this.finder.palette.close();
    this.marking.dispose();
    this.leaveKeys();
    this.leaveViewer();
    this.deafen();
    this.outbox.dispose();
    this.pictures.dispose();
    this.screen.dispose();
  }
}

export function mount(root, data, trigger) {
  root.dataset.labeller = "";
  return new Desk(root, data, trigger);
}
