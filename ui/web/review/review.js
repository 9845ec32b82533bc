// The page of a reviewer: which case is on the screen, what a key means, what is still to be sent.
//
// A key acts on the case that is painted. What others said is asked for apart from the case, and where the
// reviewer answers blind, only after the answer. An act names the case in the version that was painted.

import { openCard } from "../card/card.js";
import { Exposure } from "../desk/tally.js";
import { newId } from "../shared/ids.js";
import { keys } from "../shared/keys.js";
import { listen } from "../shared/listen.js";
import { Cases } from "./cases.js";
import { Closed } from "./closed.js";
import { Search } from "./search.js";
import { linesOf, meaningOf } from "./meanings.js";
import { Screen } from "./screen.js";
import { ACTS, Shown } from "./shown.js";
import { Stage } from "./stage.js";
import { Wire } from "./wire.js";

const REFILL_AT = 10; // ask for more when fewer cases wait
const RETRY_MS = 2000;
const MOST_LATER = 200;
const CLOSED = "closed";

class Review {
  constructor(root, data) {
    this.data = data;
    this.root = root;
    this.cases = new Cases();
    this.exposure = new Exposure();
    this.kind = null; // the kind of cases to show; null: all; CLOSED
    this.notice = "";
    this.said = "";
    this.asking = 0; // counts questions for the queue: an older answer is not used
    this.timer = null;
    this.stopped = false;
    this.shown = new Shown(() => this.draw());

    this.actions = {
      see: (id) => this.see(id),
      cannotTell: () => this.see(null),
      later: () => this.later(),
      find: (text) => this.search.open(text),
      again: () => this.again(),
      note: () => this.screen.focusNote(),
      card: () => this.openCard(),
      show: (kind) => this.show(kind),
      setBlind: (on) => this.setBlind(on),
      refuse: (reason) => this.refuse(reason),
    };
    for (const act of Object.keys(ACTS)) this.actions[act] = () => this.act(act);
    this.screen = new Screen(root, this.actions);
    this.search = new Search(this);
    this.wire = new Wire(this);
    this.closed = new Closed(this.screen.closed, (body) => this.wire.ask("/reviews/closed", body));
    this.stage = new Stage(this);
    this.outbox = this.wire.outbox;
    for (const { body } of this.outbox.list()) this.cases.acted.set(body.case_id, body.event_id);

    this.stopListening = listen([
      [window, "beforeunload", (event) => this.outbox.size > 0 && event.preventDefault()],
      [window, "online", () => this.reconnect()],
      [document, "visibilitychange", () => this.onVisibility()],
    ]);
    this.leaveViewer = this.screen.viewer.listen();
    this.leaveKeys = keys.enter("review", (press) => this.takeKey(press), {
      sheet: () => linesOf(this.shown.step, this.data.many),
      blocked: (press, reason) => this.meaning(press) !== null && this.refuse(reason),
      unknown: (press) => this.refuse(`the key ${press.event.key} means nothing here`),
    });
    this.screen.drawClasses(data.classes, data.many);
    this.draw();
    this.reconnect();
  }

  reconnect() {
    this.outbox.wake(true);
    this.refill();
  }

  onVisibility() {
    this.exposure.visibilityChanged();
    if (!document.hidden) this.refill();
  }

  update(data) {
    const before = this.data;
    this.data = data;
    if (JSON.stringify(before.classes) !== JSON.stringify(data.classes)) {
      this.screen.drawClasses(data.classes, data.many);
    }
    this.refill();
  }

  // ---------------------------------------------------------------------------------- the server

  onSettled(body, { state, reply }) {
    if (state === "refused") {
      this.cases.reopen(body.event_id, body.case_id);
      this.notice = `Your decision was not stored. ${reply.reason}`;
    } else {
      this.said = reply.said;
    }
    this.refill();
  }

  async refill() {
    if (this.stopped || this.kind === CLOSED) return;
    clearTimeout(this.timer);
    this.asking += 1;
    const question = this.asking;
    const answer = await this.wire.ask("/reviews/queue", { reason: this.kind, later: this.cases.later });
    if (this.stopped || question !== this.asking || this.kind === CLOSED) return;
    if (answer === null || !answer.ok) {
      if (answer !== null && answer.reply.refused === true) this.tell(answer.reply.reason);
      this.timer = setTimeout(() => this.refill(), RETRY_MS);
      return;
    }
    if (this.cases.merge(answer.reply)) {
      this.notice = `Case ${this.cases.current.case_id} was closed by somebody else meanwhile.`;
      this.leaveCase();
    }
    this.advance();
  }

  async look() {
    const { shown } = this;
    if (!shown.mayLook) return;
    const { current } = shown;
    shown.looking = true;
    const answer = await this.wire.ask("/reviews/look", shown.question);
    if (this.stopped || shown.current !== current) return;
    shown.looking = false;
    if (answer !== null && answer.ok) shown.takeEvidence(answer.reply);
    else if (answer !== null && answer.reply.refused === true) {
      this.notice = answer.reply.reason;
      this.leaveCase();
      this.refill();
      this.advance();
    } else setTimeout(() => this.look(), RETRY_MS);
  }

  // --------------------------------------------------------------------------- the case on screen

  leaveCase() {
    this.cases.current = null;
    this.shown.begin(null);
    this.search.close();
  }

  advance() {
    if (this.cases.current === null) {
      this.cases.next();
      this.search.close();
      this.shown.begin(this.cases.current);
      if (this.cases.current !== null) {
        this.screen.startCase();
        this.stage.paint();
        this.look();
      }
    }
    this.stage.pictures.prefetch(this.cases.upcoming.map((each) => each.image_url));
    this.draw();
  }

  // ------------------------------------------------------------------------------ what is done

  see(id) {
    const reason = this.shown.step === "ask" ? this.shown.obstacle(id === null ? "cannotTell" : "see") : "you have answered";
    if (reason !== null) return this.refuse(reason);
    const name = id === null ? "Cannot tell" : this.data.classes.find((c) => c.id === id).name;
    this.notice = this.said = "";
    this.shown.answer({ id, name });
    this.screen.focusStep();
    this.look();
  }

  again() {
    if (this.shown.step !== "decide") return this.refuse("you have not answered yet");
    this.shown.answer(null);
    this.screen.focusStep();
  }

  later() {
    const reason = this.shown.step === "decide" ? "look again first" : this.shown.obstacle("later");
    if (reason !== null) return this.refuse(reason);
    this.notice = this.said = "";
    this.cases.putOff(MOST_LATER);
    this.screen.focusStep();
    this.advance();
    if (this.cases.upcoming.length < REFILL_AT) this.refill();
  }

  act(name) {
    const step = name === "withdraw" ? "own" : "decide";
    const reason = this.shown.step === step ? this.shown.obstacle(name) : "say first what you see";
    if (reason !== null) return this.refuse(reason);
    const eventId = newId();
    const body = {
      event_id: eventId,
      case_id: this.cases.current.case_id,
      version: this.shown.evidence.version,
      act: ACTS[name],
      class_id: this.shown.opinion?.id ?? null,
      note: this.screen.note || null,
      duration_ms: this.exposure.milliseconds,
    };
    this.notice = this.said = "";
    this.cases.close(ACTS[name], eventId);
    this.screen.saying.clear();
    this.screen.focusStep();
    this.outbox.add("answer", body);
    this.advance();
  }

  openCard() {
    const hash = this.shown.cardOf;
    if (hash === null || !openCard(hash)) this.refuse("say first what you see");
  }

  show(kind) {
    if (kind === this.kind) return;
    this.kind = kind;
    this.notice = this.said = "";
    this.cases.clear();
    this.leaveCase();
    if (kind === CLOSED) this.closed.open();
    else this.refill();
    this.draw();
  }

  setBlind(on) {
    this.shown.setBlind(on);
    this.look();
  }

  // ---------------------------------------------------------------------------------------- keys

  meaning(press) {
    return this.shown.step === "none" ? null : meaningOf(press, this.shown.step, this.data);
  }

  takeKey(press) {
    const meant = this.meaning(press);
    if (meant === null) return false;
    if (meant.act === "find") this.search.open(meant.text);
    else this.actions[meant.act](meant.id);
    return true;
  }

  // A press that cannot be taken is shown, not dropped.
  refuse(reason) {
    if (this.cases.current !== null) this.screen.saying.say(`Not taken: ${reason}.`);
  }

  tell(text) {
    this.notice = text;
    this.draw();
  }

  // ------------------------------------------------------------------------------------- drawing

  draw() {
    if (this.stopped) return;
    const { shown } = this;
    this.root.dataset.armed = String(shown.armed);
    this.root.dataset.step = shown.step;
    this.root.dataset.unsaved = String(this.outbox.size);
    if (shown.current === null) delete this.root.dataset.case;
    else this.root.dataset.case = String(shown.current.case_id);
    this.screen.drawHead(this.cases, this.kind, shown.blind);
    this.screen.drawSaved(this.outbox.size, this.outbox.failing);
    this.screen.drawCase(shown, this.cases.total);
    this.screen.drawEmpty(this.cases, this.kind);
    const lost = "This browser keeps nothing: decisions that are not saved yet would not survive a reload.";
    const trouble = this.notice || this.outbox.reason || (this.outbox.durable ? "" : lost);
    this.screen.drawNotices(trouble, this.said);
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.search.close();
    this.leaveKeys();
    this.leaveViewer();
    this.stopListening();
    this.outbox.dispose();
    this.stage.pictures.dispose();
    this.screen.dispose();
  }
}

export function mount(root, data) {
  root.dataset.review = "";
  return new Review(root, data);
}
