// The grid of an open round: many images that are this person's to answer, and one key for those that are selected.
//
// Images, leases, progress and answers are those of the desk: it asks the same routes, keeps answers in the same
// outbox, and supplies itself in the same way. Only images whose picture was on the screen can be answered.

import { report } from "../desk/drawing.js";
import { meaningOf } from "../desk/meanings.js";
import { Palette } from "../desk/palette.js";
import { Supply } from "../desk/supply.js";
import { Exposure, Tally } from "../desk/tally.js";
import { Marking } from "../grid/marking.js";
import { Selection } from "../grid/selection.js";
import { View } from "../grid/view.js";
import { coloursOf } from "../shared/class_look.js";
import { keys } from "../shared/keys.js";
import { listen } from "../shared/listen.js";
import { Outbox } from "../shared/outbox.js";
import { sideFor } from "../shared/pictures.js";
import { Refusals } from "../shared/refusals.js";
import { Server } from "../shared/server.js";
import { Acts } from "./acts.js";
import { Answering } from "./answering.js";
import { Held } from "./held.js";
import { Pressing } from "./pressing.js";
import { Screen } from "./screen.js";
import { Seen } from "./seen.js";
import { Settling } from "./settling.js";
import { keptSize, nextSize, SIZE } from "./sizes.js";
import { Targets } from "./targets.js";
import { linesOf, plainImage } from "./words.js";

class AnswerGrid {
  constructor(root, data, trigger) {
    Object.assign(this, { root, data, trigger, stopped: false, notice: "", reported: null, words: "" });
    this.seen = new Seen(this);
    this.names = new Map();
    this.held = new Held({
      plain: (slot) => plainImage(slot, this.names, this.outbox.list()),
      prefers: (place) => this.selection.has(place) || place === this.selection.focus,
    });
    this.refusals = new Refusals();
    this.selection = new Selection();
    this.selection.leave();
    this.targeted = new Targets(this);
    this.answering = new Answering(this);
    this.settling = new Settling(this);
    this.pressing = new Pressing(this);
    this.tally = new Tally(() => this.outbox.net);
    this.exposure = new Exposure();
    this.supply = new Supply(this);
    this.server = new Server(() => this.data.base, (reason) => this.tell(reason));
    this.acts = new Acts(this);
    this.view = this.newView();
    this.screen = new Screen(this);
    this.palette = new Palette(root, {
      onChoose: (choice) => {
        this.acts.answerWith(choice);
        return true;
      },
      onClose: () => this.focus(),
    });
    this.outbox = new Outbox({
      prefix: `alworkbench.outbox.${data.project}.${data.owner}.`,
      send: (entry) => this.server.send(entry),
      onSettled: (entry, outcome) => this.settling.settled(entry, outcome),
      onChange: () => this.draw(),
    });
    // What the desk left in the outbox: an answer holds its image, and a take-back gives it free.
    for (const { kind, body, target } of this.outbox.list()) {
      if (kind === "answer") this.held.answered.set(body.item_id, body.event_id);
      else if (kind === "undo") this.held.forget(target);
    }
    this.marking = new Marking(this);
    this.leaveKeys = keys.enter("grid", (press) => this.pressing.take(press), {
      sheet: () => linesOf(this.data),
      blocked: (press, reason) => meaningOf(press, this.data, new Map()) !== null && this.refuse(reason),
      unknown: (press) => this.refuse(`the key ${press.event.key} means nothing here`),
    });
    this.deafen = listen([
      [window, "beforeunload", (event) => this.outbox.size > 0 && event.preventDefault()],
      [window, "online", () => this.reconnect()],
      [window, "pagehide", () => this.server.release(this.held.waiting())],
      [document, "visibilitychange", () => this.onVisibility()],
      [document, "scroll", () => this.view.tellSeen(), { capture: true, passive: true }],
      [this.view.node, "keydown", (event) => this.pressing.onAll(event)],
    ]);
    this.drawClasses();
    this.tally.take(data.progress, data.round.id);
    this.draw();
    this.reconnect();
  }

  newView() {
    const view = new View({
      list: this.held,
      selection: this.selection,
      address: (image) => `${image.url}&side=${this.side}`,
      pendingOf: (image) => (this.outbox.entries.has(image.event) ? image.words : null),
      colours: () => this.colours,
      onSelect: () => {
        this.focus();
        this.draw();
      },
      width: keptSize(),
      onSeen: (image) => this.seen.onSeen(image),
      onLost: (image, cell) => this.seen.onLost(image, cell),
    });
    view.node.setAttribute("aria-label", "Images of this round that are yours to answer");
    return view;
  }

  focus() {
    this.view.node.focus({ preventScroll: true });
  }

  // What `Supply` knows as the queue of a desk, and `Marking` as the list of a gallery.
  get queue() {
    return this.held;
  }

  get list() {
    return this.held;
  }

  // Of the renditions that fit a cell.
  get side() {
    return sideFor(((this.view.cellWidth || SIZE) * window.devicePixelRatio) ** 2, this.data.sides);
  }

  // ----------------------------------------------------------------------------- what Streamlit tells us
  update(data, trigger) {
    const before = this.data;
    Object.assign(this, { data, trigger });
    if (JSON.stringify(before.classes) !== JSON.stringify(data.classes)) this.drawClasses();
    const newRound = before.round.id !== data.round.id;
    if (newRound) {
      this.held.clear();
      this.answering.clear();
      this.selection.clear();
      this.selection.leave();
      this.tally.progress = null;
      this.supply.clear();
      this.begin();
      this.reported = null;
    }
    if (newRound || this.tally.progress === null) this.tally.take(data.progress, data.round.id);
    if (newRound) this.reconnect();
    this.draw();
  }

  drawClasses() {
    const { classes } = this.data;
    this.names = new Map(classes.map((c) => [c.id, c.name]));
    this.colours = coloursOf(classes);
    this.held.slots.forEach((slot) => this.held.redraw(slot));
    this.screen.drawClasses();
  }

  reconnect() {
    this.outbox.wake(true);
    this.supply.refill();
  }

  onVisibility() {
    this.exposure.visibilityChanged();
    if (!document.hidden) this.supply.refill(); // another tab may have taken the images over
  }

  // ------------------------------------------------------------------------------------------- the sheet
  // Images came or went; called by `Supply`.
  advance() {
    const sheet = this.held.advance();
    if (sheet) this.beginSheet();
    this.draw();
  }

  // An image of the sheet is not ours any more; called by `Supply`.
  drop() {
    this.held.dropMissed();
  }

  // Keys mean nothing until the person goes to an image: a press that came too late answers none.
  beginSheet() {
    this.selection.clear();
    this.selection.leave();
    this.view.node.scrollTop = 0;
    this.exposure.begin();
  }

  // The next sheet: what is still open, and then what waits.
  turn() {
    this.held.turn();
    this.beginSheet();
    this.draw();
  }

  // ---------------------------------------------------------------------------------------------- acting
  targets() {
    return this.targeted.places();
  }

  // The person acts: what was said of earlier acts is read.
  begin() {
    this.notice = "";
    this.words = "";
    this.refusals.clear();
  }

  // --------------------------------------------------------------------------------------------- drawing
  resize(by) {
    const size = nextSize(this.view.width, by);
    if (size === null) return true;
    this.view.width = size;
    this.view.measure();
    return this.drawn();
  }

  drawn() {
    this.draw();
    return true;
  }

  // A press that cannot be taken is shown, not dropped.
  refuse(reason) {
    if (!this.finished()) this.screen.saying.say(`Not taken: ${reason}.`);
  }

  say(words) {
    this.screen.saying.say(words);
  }

  tell(words) {
    this.notice = words;
    this.draw();
  }

  finished() {
    return this.tally.progress !== null && this.tally.left === 0 && this.held.current === null;
  }

  draw() {
    if (this.stopped) return;
    this.screen.draw();
    report(this, this.finished() && this.outbox.size === 0);
  }

  dispose() {
    this.stopped = true;
    this.server.release(this.held.waiting());
    this.supply.dispose();
    this.palette.close();
    this.marking.dispose();
    this.leaveKeys();
    this.deafen();
    this.outbox.dispose();
    this.screen.saying.clear();
    this.view.dispose();
    this.root.replaceChildren();
  }
}

export function mount(root, data, trigger) {
  root.dataset.answerGrid = "";
  return new AnswerGrid(root, data, trigger);
}
