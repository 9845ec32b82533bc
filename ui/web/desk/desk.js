// The labelling desk: which image is on screen, what a key means, what is still to be sent.

import { hashOf, openCard } from "../card/card.js";
import { newId } from "../shared/ids.js";
import { keys } from "../shared/keys.js";
import { Outbox } from "../shared/outbox.js";
import { Pictures, sideFor } from "../shared/pictures.js";
import { Server } from "../shared/server.js";
import { meaningOf } from "./meanings.js";
import { Queue } from "./queue.js";
import { Screen } from "./screen.js";
import { Exposure, Tally } from "./tally.js";

const REFILL_AT = 6; // ask for more when fewer images wait
const RETRY_QUEUE_MS = 2000;
const OTHERS_HOLD_MS = 2500; // others hold all that is left, and give back what is more than their share
const DONE_HERE_MS = 8000; // only others may answer what is left
// A tab that does not ask for so long counts as left: see TAB_LEFT in alworkbench/project/labels.py.
const RENEW_MS = { shortest: 5000, longest: 10000 };

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
    this.refilling = false;
    this.empty = false; // the server gave us no image
    this.doneHere = false; // what is left, others must answer
    this.inOtherTab = false; // what is left, another tab of this person holds
    this.epoch = 0; // counts settled answers: an older queue does not know them
    this.refillTimer = null;
    this.stopped = false;
    this.notice = "";
    this.reported = null;

    this.actions = {
      choose: (id) => this.answer("class", id),
      accept: () => this.accept(),
      skip: () => this.answer("skip", null),
      cannotTell: () => this.answer("cannot_tell", null),
      undo: () => this.undo(),
    };
    this.screen = new Screen(root, this.actions);
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
      if (!document.hidden) this.refill();
    };
    this.onHide = () => this.server.release(this.queue.waiting());
    this.leaveKeys = keys.enter("desk", (press) => this.takeKey(press));
    this.leaveViewer = this.screen.viewer.listen();
    window.addEventListener("beforeunload", this.onLeave);
    window.addEventListener("online", this.onOnline);
    window.addEventListener("pagehide", this.onHide);
    document.addEventListener("visibilitychange", this.onVisibility);

    this.screen.drawClasses(data.classes);
    this.tally.take(data.progress, data.round.id);
    this.draw();
    this.outbox.wake(true);
    this.refill();
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
      this.screen.drawClasses(data.classes);
    }
    const newRound = before.round.id !== data.round.id;
    if (newRound) {
      this.queue.clear();
      this.armed = false;
      this.history = [];
      this.tally.progress = null;
      this.doneHere = false;
      this.inOtherTab = false;
      this.empty = false;
      this.reported = null;
      this.notice = "";
    }
    if (newRound || this.tally.progress === null) this.tally.take(data.progress, data.round.id);
    if (newRound) this.reconnect();
    this.draw();
  }

  reconnect() {
    this.outbox.wake(true);
    this.refill();
  }

  // -------------------------------------------------------------------------------- the server

  onSettled(entry, { state, reply }) {
    this.epoch += 1;
    if (state === "refused") {
      if (entry.kind === "answer") {
        this.queue.forget(entry.body.event_id);
        this.history = this.history.filter((past) => past.eventId !== entry.body.event_id);
      }
      const what = entry.kind === "answer" ? "One answer was not recorded" : "Nothing was taken back";
      this.notice = `${what}: ${reply.reason}`;
      this.refill();
      return;
    }
    this.tally.take(reply.progress, this.data.round.id);
    if (entry.kind === "answer") {
      if (reply.late) this.notice = reply.late;
      this.queue.people = reply.people;
      this.topUp();
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
    this.refill();
  }

  async refill() {
    if (this.stopped || this.refilling) return;
    this.refilling = true;
    clearTimeout(this.refillTimer);
    const epoch = this.epoch;
    let again = RETRY_QUEUE_MS;
    const reply = await this.server.queue(this.side);
    this.refilling = false;
    if (this.stopped) return;
    if (reply !== null) {
      const upToDate = epoch === this.epoch;
      if (upToDate) this.tally.take(reply.progress, this.data.round.id);
      this.doneHere = reply.done;
      this.inOtherTab = reply.in_other_tab;
      this.empty = reply.items.length === 0;
      const { gone, spare } = this.queue.merge(reply, this.outbox.size > 0);
      this.server.release(spare);
      if (gone && upToDate && !this.queue.moreToClaim && !this.pendingUndo()) this.drop();
      again = this.renewalDelay(reply);
    }
    if (again !== null) this.refillTimer = setTimeout(() => this.refill(), again);
    this.advance();
  }

  // Leases are asked for again at half of their time.
  renewalDelay(reply) {
    if (reply.lease_seconds !== null) {
      const half = 500 * reply.lease_seconds;
      return Math.min(Math.max(half, RENEW_MS.shortest), RENEW_MS.longest);
    }
    if (this.finished()) return null;
    return this.doneHere ? DONE_HERE_MS : OTHERS_HOLD_MS;
  }

  pendingUndo() {
    return this.outbox.list().some((entry) => entry.kind === "undo");
  }

  // ------------------------------------------------------------------------ the image on screen

  // Of the renditions that fit this frame and screen.
  get side() {
    return sideFor(this.screen.viewer.area, this.data.sides);
  }

  drop() {
    this.queue.current = null;
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
      this.armed = false;
      this.missing = false;
      this.show();
    }
    this.pictures.prefetch(this.queue.upcoming.map((item) => item.image_url));
    this.draw();
  }

  // Asked after an acknowledgement, so never in a loop and never of a dead server.
  topUp() {
    const short = this.queue.upcoming.length < REFILL_AT && this.queue.moreToClaim;
    const without = this.queue.current === null && !this.finished();
    if (short || without || this.queue.holdsMuch(this.tally.left)) this.refill();
  }

  show() {
    const item = this.queue.current;
    const { picture, ready, transparent } = this.pictures.get(item.image_url);
    if (!ready) {
      this.screen.viewer.say("Loading the image");
      return;
    }
    this.missing = false;
    this.screen.viewer.show({
      picture,
      alt: `Image ${item.position + 1} of this round, to be labelled`,
      width: item.width,
      height: item.height,
      full: item.image_url,
      transparent,
    });
    this.root.dataset.item = String(item.item_id);
    this.screen.about.href = `?image=${hashOf(item.image_url)}`;
    // Keys count from the frame in which the picture is painted, not earlier.
    requestAnimationFrame(() => {
      if (this.queue.current !== item || this.stopped) return;
      this.armed = true;
      this.exposure.begin();
      this.draw();
    });
  }

  onPicture(url) {
    const item = this.queue.current;
    if (item !== null && !this.armed && item.image_url === url) this.show();
  }

  onMissing(url) {
    const item = this.queue.current;
    if (item === null || item.image_url !== url || this.armed) return;
    this.missing = true;
    this.exposure.begin();
    this.screen.viewer.say("The file of this image is gone or was changed. Skip it with s.");
  }

  // ---------------------------------------------------------------------------------- answering

  accept() {
    const suggestion = this.queue.current?.suggestion;
    if (suggestion) this.answer("class", suggestion.class_id);
  }

  answer(kind, classId) {
    const skipsMissing = this.missing && kind === "skip";
    const item = this.queue.current;
    if (item === null || !(this.armed || skipsMissing)) return;
    const eventId = newId();
    this.drop();
    this.notice = "";
    this.queue.answered.set(item.item_id, eventId);
    this.history.push({ item, eventId, text: this.describe(kind, classId) });
    this.screen.flash(classId);
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
    const past = this.history.pop();
    this.notice = "";
    if (past) {
      this.queue.answered.delete(past.item.item_id);
      this.outbox.add("undo", { event_id: newId() }, past.eventId);
      this.putBack(past.item);
    } else if (this.outbox.size === 0) {
      // After a reload only the server knows the last answer: it says which image comes back.
      this.outbox.add("undo", { event_id: newId() }, null);
    }
  }

  // The card of the image that is painted.
  openCard() {
    return this.armed && openCard(hashOf(this.queue.current.image_url));
  }

  takeKey(press) {
    const meant = meaningOf(press, this.data.classes);
    if (press.key === "i" && (press.shift || meant === null)) return this.openCard();
    if (meant === null || (meant.act === "filter" && this.screen.filter.hidden)) return false;
    if (meant.act === "filter") this.screen.filter.focus();
    else this.actions[meant.act](meant.id);
    return true;
  }

  // ------------------------------------------------------------------------------------ drawing

  unsent() {
    let net = 0;
    for (const entry of this.outbox.list()) net += entry.kind === "answer" ? 1 : -1;
    return net;
  }

  finished() {
    return this.tally.progress !== null && this.tally.left === 0 && this.queue.current === null;
  }

  draw() {
    if (this.stopped) return;
    const { current } = this.queue;
    const { total, counted } = this.tally;
    const done = this.finished();
    this.root.dataset.armed = String(this.armed);
    this.root.dataset.answered = String(counted);
    this.root.dataset.finished = String(done);
    if (current === null) delete this.root.dataset.item;
    this.screen.drawHead(`Round ${this.data.round.number}`, counted, total);
    this.screen.drawSaved(this.outbox.size, this.outbox.failing);
    this.screen.enable(this.armed);
    this.screen.drawSuggestion(
      current === null ? null : current.suggestion,
      this.data.round.calibration,
    );
    this.screen.drawLikely(current === null ? [] : current.likely, this.data.round.likely);
    const past = this.history[this.history.length - 1];
    this.screen.last.textContent = past ? `Last answer: ${past.text}` : "";
    this.screen.undo.disabled = !past && counted === 0;
    const doneHere = !done && this.doneHere && current === null;
    this.root.dataset.doneHere = String(doneHere);
    this.screen.drawEnd(
      done || doneHere,
      doneHere ? "You are done with this round" : this.allAnswered(),
      `${doneHere ? this.othersAnswer() : ""}${this.savedText()}`,
      counted > 0,
    );
    if (current === null && !done) this.screen.viewer.say(this.waitingText());
    const lost = "This browser keeps nothing: answers that are not saved yet would not survive a reload.";
    this.screen.drawNotice(this.notice || this.outbox.reason || (this.outbox.durable ? "" : lost));
    this.report(done && this.outbox.size === 0);
  }

  allAnswered() {
    const { total } = this.tally;
    return total === 1 ? "The image is answered" : `All ${total} images are answered`;
  }

  othersAnswer() {
    const { left } = this.tally;
    const what = left === 1 ? "1 answer that is left" : `${left} answers that are left`;
    return `You have answered every image that you are asked. Others give the ${what}. `;
  }

  savedText() {
    return this.outbox.size > 0 ? "The last answers are being saved." : "Everything is saved.";
  }

  waitingText() {
    if (!this.empty || this.tally.left === 0) return "Loading";
    return this.inOtherTab
      ? "Another tab of yours has the last images. Answer them there, or close that tab."
      : "Others have the last images. You get the next one that becomes free.";
  }

  // Tell the page when the round becomes complete, or is no longer: it shows what comes next.
  report(complete) {
    const pageKnows = this.reported === null ? this.data.complete : this.reported;
    if (complete === pageKnows || this.tally.progress === null || this.outbox.size > 0) return;
    this.reported = complete;
    this.trigger("changed", { round: this.data.round.id, complete });
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.refillTimer);
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
