// The labelling desk: which image is on screen, what a key means, what is still to be sent.
//
// Streamlit calls the default export again whenever its data changes. The desk lives on the element
// it was mounted in, so that a rerun of the page never loses the image on screen.

const DESK = Symbol.for("alworkbench.labeller");
const REFILL_AT = 6; // ask for more when fewer images wait
const RETRY_QUEUE_MS = 2000;
const BUSY_ELSEWHERE_MS = 8000;
const RENEW_MS = { shortest: 5000, longest: 240000 };

class Desk {
  constructor(root, data, trigger) {
    this.trigger = trigger;
    this.data = data;
    this.current = null; // the item on screen
    this.armed = false; // its picture has been painted, so keys answer it
    this.missing = false; // it has none: the file is gone, so it can be skipped only
    this.shownAt = 0;
    this.hiddenMs = 0;
    this.hiddenSince = null;
    this.upcoming = [];
    this.history = [];
    this.answered = new Map(); // item id -> event id, answered here and not taken back
    this.progress = null;
    this.refilling = false;
    this.moreToClaim = false;
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
      () => this.data,
      // The server was started anew: only a rerun of the page brings its token here.
      () => this.trigger("changed", { stale: newId() }),
    );
    this.root = root;
    this.pictures = new Pictures(
      (url) => this.onPicture(url),
      (url) => this.onMissing(url),
    );
    this.outbox = new Outbox({
      prefix: `alworkbench.outbox.${data.project}.`,
      send: (entry) => this.server.send(entry),
      onSettled: (entry, outcome) => this.onSettled(entry, outcome),
      onChange: () => this.draw(),
    });
    for (const entry of this.outbox.list()) {
      if (entry.kind === "answer") this.answered.set(entry.body.item_id, entry.body.event_id);
      else this.forgetAnswer(entry.target);
    }

    this.onKey = (event) => this.handleKey(event);
    this.onLeave = (event) => {
      if (this.outbox.size > 0) event.preventDefault();
    };
    this.onOnline = () => this.reconnect();
    this.onVisibility = () => this.handleVisibility();
    window.addEventListener("keydown", this.onKey, true);
    window.addEventListener("beforeunload", this.onLeave);
    window.addEventListener("online", this.onOnline);
    document.addEventListener("visibilitychange", this.onVisibility);

    this.screen.drawClasses(data.classes);
    this.takeProgress(data.progress);
    this.draw();
    this.outbox.wake(true);
    this.refill();
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
      this.current = null;
      this.armed = false;
      this.upcoming = [];
      this.history = [];
      this.progress = null;
      this.reported = null;
      this.notice = "";
    }
    if (newRound || this.progress === null) this.takeProgress(data.progress);
    if (before.token !== data.token || newRound) this.reconnect();
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
        this.forgetAnswer(entry.body.event_id);
        this.history = this.history.filter((past) => past.eventId !== entry.body.event_id);
      }
      const what = entry.kind === "answer" ? "One answer was not recorded" : "Nothing was taken back";
      this.notice = `${what}: ${reply.reason}`;
      this.refill();
      return;
    }
    this.takeProgress(reply.progress);
    if (entry.kind === "answer") {
      this.topUp();
      return;
    }
    if (reply.item) {
      this.renew(reply.item);
      if (entry.target === null) {
        this.answered.delete(reply.item_id);
        this.putBack(reply.item);
      }
    }
    this.refill();
  }

  takeProgress(progress) {
    if (progress && progress.round_id === this.data.round.id) this.progress = progress;
  }

  renew(item) {
    this.outbox.renew(item.item_id, item.lease_token);
    for (const known of [this.current, ...this.upcoming]) {
      if (known && known.item_id === item.item_id) known.lease_token = item.lease_token;
    }
  }

  forgetAnswer(eventId) {
    for (const [itemId, known] of this.answered) {
      if (known === eventId) this.answered.delete(itemId);
    }
  }

  async refill() {
    if (this.stopped || this.refilling) return;
    this.refilling = true;
    clearTimeout(this.refillTimer);
    const epoch = this.epoch;
    let again = RETRY_QUEUE_MS;
    const reply = await this.server.queue();
    this.refilling = false;
    if (this.stopped) return;
    if (reply !== null) {
      if (epoch === this.epoch) this.takeProgress(reply.progress);
      this.merge(reply.items, reply.limit, epoch === this.epoch);
      again = this.renewalDelay(reply);
    }
    if (again !== null) this.refillTimer = setTimeout(() => this.refill(), again);
    this.advance();
  }

  // Leases are asked for again at half of their time; when others hold all that is left, later.
  renewalDelay(reply) {
    if (reply.lease_seconds !== null) {
      const half = 500 * reply.lease_seconds;
      return Math.min(Math.max(half, RENEW_MS.shortest), RENEW_MS.longest);
    }
    return this.finished() ? null : BUSY_ELSEWHERE_MS;
  }

  merge(items, limit, upToDate) {
    this.moreToClaim = items.length >= limit;
    const open = items.filter((item) => item.lease_token && !this.answered.has(item.item_id));
    const known = new Map(open.map((item) => [item.item_id, item]));
    if (this.current !== null) {
      const fresh = known.get(this.current.item_id);
      if (fresh) this.current.lease_token = fresh.lease_token;
      else if (upToDate && !this.moreToClaim && !this.pendingUndo()) this.drop();
    }
    const shown = this.current === null ? null : this.current.item_id;
    this.upcoming = open.filter((item) => item.item_id !== shown);
  }

  pendingUndo() {
    return this.outbox.list().some((entry) => entry.kind === "undo");
  }

  // ------------------------------------------------------------------------ the image on screen

  drop() {
    this.current = null;
    this.armed = false;
    this.missing = false;
  }

  putBack(item) {
    if (this.current !== null && this.current.item_id === item.item_id) return;
    if (this.current !== null) this.upcoming.unshift(this.current);
    this.upcoming = this.upcoming.filter((other) => other.item_id !== item.item_id);
    this.drop();
    this.upcoming.unshift(item);
    this.advance();
  }

  advance() {
    if (this.current === null && this.upcoming.length > 0) {
      this.current = this.upcoming.shift();
      this.armed = false;
      this.missing = false;
      this.show();
    }
    this.pictures.prefetch(this.upcoming.map((item) => item.image_url));
    this.draw();
  }

  // Asked after an acknowledgement, so never in a loop and never of a dead server.
  topUp() {
    const short = this.upcoming.length < REFILL_AT && this.moreToClaim;
    if (short || (this.current === null && !this.finished())) this.refill();
  }

  show() {
    const item = this.current;
    const picture = this.pictures.get(item.image_url);
    if (!Pictures.loaded(picture)) {
      this.screen.drawWaiting("Loading the image");
      return;
    }
    this.missing = false;
    this.screen.drawPicture(picture, `Image ${item.position + 1} of this round, to be labelled`);
    this.root.dataset.item = String(item.item_id);
    // Keys count from the frame in which the picture is painted, not earlier.
    requestAnimationFrame(() => {
      if (this.current !== item || this.stopped) return;
      this.armed = true;
      this.shownAt = performance.now();
      this.hiddenMs = 0;
      this.hiddenSince = document.hidden ? this.shownAt : null;
      this.draw();
    });
  }

  onPicture(url) {
    if (this.current !== null && !this.armed && this.current.image_url === url) this.show();
  }

  onMissing(url) {
    if (this.current === null || this.current.image_url !== url || this.armed) return;
    this.missing = true;
    this.shownAt = performance.now();
    this.hiddenMs = 0;
    this.screen.drawWaiting("The file of this image is gone or was changed. Skip it with s.");
  }

  handleVisibility() {
    const now = performance.now();
    if (document.hidden) this.hiddenSince = now;
    else if (this.hiddenSince !== null) {
      this.hiddenMs += now - this.hiddenSince;
      this.hiddenSince = null;
    }
  }

  // ---------------------------------------------------------------------------------- answering

  accept() {
    const suggestion = this.current === null ? null : this.current.suggestion;
    if (suggestion) this.answer("class", suggestion.class_id);
  }

  answer(kind, classId) {
    const skipsMissing = this.missing && kind === "skip";
    if (this.current === null || !(this.armed || skipsMissing)) return;
    const item = this.current;
    const eventId = newId();
    this.drop();
    this.notice = "";
    this.answered.set(item.item_id, eventId);
    this.history.push({ item, eventId, text: this.describe(kind, classId) });
    this.screen.flash(classId);
    this.outbox.add("answer", {
      event_id: eventId,
      item_id: item.item_id,
      lease_token: item.lease_token,
      kind,
      class_id: classId,
      duration_ms: Math.max(0, Math.round(performance.now() - this.shownAt - this.hiddenMs)),
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
      this.answered.delete(past.item.item_id);
      this.outbox.add("undo", { event_id: newId() }, past.eventId);
      this.putBack(past.item);
    } else if (this.outbox.size === 0) {
      // After a reload only the server knows the last answer: it says which image comes back.
      this.outbox.add("undo", { event_id: newId() }, null);
    }
  }

  handleKey(event) {
    const meant = readKey(event, this.data.classes);
    if (meant === null || (meant.act === "filter" && this.screen.filter.hidden)) return;
    event.preventDefault();
    if (meant.act === "filter") this.screen.filter.focus();
    else this.actions[meant.act](meant.id);
  }

  // ------------------------------------------------------------------------------------ drawing

  unsent() {
    let net = 0;
    for (const entry of this.outbox.list()) net += entry.kind === "answer" ? 1 : -1;
    return net;
  }

  counted() {
    if (this.progress === null) return 0;
    return Math.min(this.progress.total, Math.max(0, this.progress.answered + this.unsent()));
  }

  left() {
    return this.progress === null ? 0 : this.progress.total - this.counted();
  }

  finished() {
    return this.progress !== null && this.left() === 0 && this.current === null;
  }

  draw() {
    if (this.stopped) return;
    const total = this.progress === null ? 0 : this.progress.total;
    const done = this.finished();
    this.root.dataset.armed = String(this.armed);
    this.root.dataset.answered = String(this.counted());
    this.root.dataset.finished = String(done);
    if (this.current === null) delete this.root.dataset.item;
    this.screen.drawHead(`Round ${this.data.round.number}`, this.counted(), total);
    this.screen.drawSaved(this.outbox.size, this.outbox.failing);
    this.screen.enable(this.armed);
    this.screen.drawSuggestion(this.current === null ? null : this.current.suggestion);
    const past = this.history[this.history.length - 1];
    this.screen.last.textContent = past ? `Last answer: ${past.text}` : "";
    this.screen.undo.disabled = !past && this.counted() === 0;
    this.screen.drawEnd(
      done,
      total === 1 ? "The image is answered" : `All ${total} images are answered`,
      this.outbox.size > 0 ? "The last answers are being saved." : "Everything is saved.",
      this.counted() > 0,
    );
    if (this.current === null && !done) {
      const taken = this.progress !== null && !this.refilling && this.left() > 0;
      this.screen.drawWaiting(taken ? "Waiting for the next image" : "Loading");
    }
    const lost = "This browser keeps nothing: answers that are not saved yet would not survive a reload.";
    this.screen.drawNotice(this.notice || this.outbox.reason || (this.outbox.durable ? "" : lost));
    this.report(done && this.outbox.size === 0);
  }

  // Tell the page when the round becomes complete, or is no longer: it shows what comes next.
  report(complete) {
    const pageKnows = this.reported === null ? this.data.complete : this.reported;
    if (complete === pageKnows || this.progress === null || this.outbox.size > 0) return;
    this.reported = complete;
    this.trigger("changed", { round: this.data.round.id, complete });
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.refillTimer);
    window.removeEventListener("keydown", this.onKey, true);
    window.removeEventListener("beforeunload", this.onLeave);
    window.removeEventListener("online", this.onOnline);
    document.removeEventListener("visibilitychange", this.onVisibility);
    this.outbox.dispose();
    this.pictures.dispose();
    this.screen.dispose();
  }
}

export default function ({ parentElement, data, setTriggerValue }) {
  const root = parentElement.querySelector("[data-labeller]");
  if (root[DESK] === undefined) root[DESK] = new Desk(root, data, setTriggerValue);
  else root[DESK].update(data, setTriggerValue);
  const desk = root[DESK];
  return () => {
    desk.dispose();
    delete root[DESK];
  };
}
