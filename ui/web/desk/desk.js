// The labelling desk: which image is on screen, what a key means, what is still to be sent.

import { hashOf, openCard } from "../card/card.js";
import { newId } from "../shared/ids.js";
import { keys } from "../shared/keys.js";
import { Outbox } from "../shared/outbox.js";
import { Pictures, sideFor } from "../shared/pictures.js";
import { Server } from "../shared/server.js";
import { drawDesk } from "./drawing.js";
import { Finder } from "./finder.js";
import { commandKeys, deskLines, digitsOf, meaningOf } from "./meanings.js";
import { Queue } from "./queue.js";
import { Reopening } from "./reopening.js";
import { Screen } from "./screen.js";
import { Supply } from "./supply.js";
import { Exposure, Tally } from "./tally.js";

class Desk {
  constructor(root, data, trigger) {
    this.trigger = trigger;
    this.data = data;
    this.queue = new Queue();
    this.tally = new Tally(() => this.unsent());
    this.exposure = new Exposure();
    this.armed = false; // its picture has been painted, so keys answer it
    this.missing = false; // it has none: the file is gone, so it can be skipped only
    this.history = [];
    this.stopped = false;
    this.notice = "";
    this.reported = null;

    this.actions = {
      choose: (id) => this.answer("class", id),
      accept: () => this.accept(),
      skip: () => this.answer("skip", null),
      cannotTell: () => this.answer("cannot_tell", null),
      undo: () => this.undo(),
      find: (text) => this.finder.open(text),
      refuse: (reason) => this.refuse(reason),
      back: () => this.reopening.leave(),
    };
    this.screen = new Screen(root, this.actions);
    this.finder = new Finder(this);
    this.reopening = new Reopening(this);
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
      onSettled: (entry, outcome) => this.onSettled(entry, outcome),
      onChange: () => this.draw(),
    });
    for (const entry of this.outbox.list()) {
      if (entry.kind === "answer") this.queue.answered.set(entry.body.item_id, entry.body.event_id);
      else this.queue.forget(entry.target);
    }

    this.onLeave = (event) => {
      if (this.outbox.size > 0) event.preventDefault();
    };
    this.onOnline = () => this.reconnect();
    this.onVisibility = () => {
      this.exposure.visibilityChanged();
      // Another tab may have taken the images over while this one was hidden.
      if (!document.hidden) this.supply.refill();
    };
    this.onHide = () => this.server.release(this.queue.waiting());
    this.leaveKeys = keys.enter("desk", (press) => this.takeKey(press), {
      sheet: () => deskLines(this.data.many, this.reopening.open !== null),
      blocked: (press, reason) => this.tellBlocked(press, reason),
      unknown: (press) => this.refuse(`the key ${press.event.key} means nothing here`),
    });
    this.leaveViewer = this.screen.viewer.listen();
    window.addEventListener("beforeunload", this.onLeave);
    window.addEventListener("online", this.onOnline);
    window.addEventListener("pagehide", this.onHide);
    document.addEventListener("visibilitychange", this.onVisibility);

    this.screen.drawClasses(data.classes, data.many);
    this.tally.take(data.progress, data.round.id);
    this.draw();
    this.outbox.wake(true);
    this.supply.refill();
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
      this.notice = "";
    }
    if (newRound || this.tally.progress === null) this.tally.take(data.progress, data.round.id);
    if (newRound) this.reconnect();
    this.draw();
  }

  reconnect() {
    this.outbox.wake(true);
    this.supply.refill();
  }

  // -------------------------------------------------------------------------------- the server

  onSettled(entry, { state, reply }) {
    this.supply.epoch += 1;
    if (entry.kind === "relabel") {
      if (state === "refused") this.notice = `The new answer was not recorded: ${reply.reason}`;
      if (state === "refused") this.reopening.load();
      return;
    }
    if (state === "refused") {
      if (entry.kind === "answer") {
        this.queue.forget(entry.body.event_id);
        this.history = this.history.filter((past) => past.eventId !== entry.body.event_id);
        this.reopening.strip.remove(entry.body.event_id);
      }
      const what = entry.kind === "answer" ? "One answer was not recorded" : "Nothing was taken back";
      this.notice = `${what}: ${reply.reason}`;
      this.supply.refill();
      return;
    }
    this.tally.take(reply.progress, this.data.round.id);
    if (entry.kind === "answer") {
      if (reply.late) this.notice = reply.late;
      this.queue.people = reply.people;
      this.supply.topUp();
      return;
    }
    if (reply.item) {
      this.outbox.renew(reply.item.item_id, reply.item.lease_token);
      this.queue.renew(reply.item);
      if (entry.target === null) {
        this.queue.answered.delete(reply.item_id);
        this.putBack(reply.item);
      }
    }
    this.supply.refill();
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
    this.screen.about.href = `?image=${hashOf(item.image_url)}`;
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

  accept() {
    const suggestion = this.shown?.suggestion;
    if (suggestion) this.answer("class", suggestion.class_id);
    else this.refuse("there is no suggestion to accept");
  }

  answer(kind, classId) {
    const skipsMissing = this.missing && kind === "skip";
    const item = this.shown;
    if (item === null || !(this.armed || skipsMissing)) {
      this.refuse(this.missing ? "this image has no picture, it can be skipped only" : "no picture is on the screen yet");
      return;
    }
    if (this.reopening.open !== null) {
      this.reopening.answer(kind, classId);
      return;
    }
    const eventId = newId();
    this.drop();
    this.notice = "";
    this.queue.answered.set(item.item_id, eventId);
    this.history.push({ item, eventId, text: this.describe(kind, classId) });
    const { item_id, image_url, width, height } = item;
    const past = { event_id: eventId, item_id, image_url, width, height, kind, class_id: classId };
    this.reopening.strip.add(past);
    this.screen.answers.flash(classId);
    this.screen.saying.clear();
    this.outbox.add("answer", {
      event_id: eventId,
      item_id: item.item_id,
      lease_token: item.lease_token,
      kind,
      class_id: classId,
      duration_ms: this.exposure.milliseconds,
      suggested_class_id: item.suggestion ? item.suggestion.class_id : null,
    });
    this.advance();
  }

  describe(kind, classId) {
    if (kind === "skip") return "Skipped";
    if (kind === "cannot_tell") return "Cannot tell";
    return this.data.classes.find((c) => c.id === classId)?.name ?? "";
  }

  undo() {
    if (this.reopening.leave()) return;
    const past = this.history.pop();
    this.notice = "";
    if (past) {
      this.queue.answered.delete(past.item.item_id);
      this.reopening.strip.remove(past.eventId);
      this.outbox.add("undo", { event_id: newId() }, past.eventId);
      this.putBack(past.item);
    } else if (this.outbox.size === 0) {
      // After a reload only the server knows the last answer: it says which image comes back.
      this.outbox.add("undo", { event_id: newId() }, null);
    } else this.refuse("the last answers are not saved yet");
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

  unsent() {
    let net = 0;
    const counts = { answer: 1, undo: -1 };
    for (const entry of this.outbox.list()) net += counts[entry.kind] ?? 0;
    return net;
  }

  finished() {
    return this.tally.progress !== null && this.tally.left === 0 && this.queue.current === null;
  }

  draw() {
    if (!this.stopped) drawDesk(this);
  }

  dispose() {
    this.stopped = true;
    this.supply.dispose();
    this.finder.palette.close();
    this.leaveKeys();
    this.leaveViewer();
    window.removeEventListener("beforeunload", this.onLeave);
    window.removeEventListener("online", this.onOnline);
    window.removeEventListener("pagehide", this.onHide);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.outbox.dispose();
    this.pictures.dispose();
    this.screen.dispose();
  }
}

export function mount(root, data, trigger) {
  root.dataset.labeller = "";
  return new Desk(root, data, trigger);
}
