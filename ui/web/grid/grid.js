// The gallery: a list of images, what is selected of it, and acts on the selection.

import { openCard } from "../card/card.js";
import { commandKeys, meaningOf } from "../desk/meanings.js";
import { Palette } from "../desk/palette.js";
import { coloursOf, initials } from "../shared/class_look.js";
import { takeOver } from "../shared/handover.js";
import { keys } from "../shared/keys.js";
import { keyCap, make } from "../shared/make.js";
import { Server } from "../shared/server.js";
import { Acts } from "./acts.js";
import { Bar } from "./bar.js";
import { ImageList } from "./list.js";
import { Selection } from "./selection.js";
import { View } from "./view.js";

const ASK_ABOVE = 50; // images of an act that are labelled without a question
const MOST_IN_ACT = 5000;
const MOST_ALIKE = 1000;
const MOST_BUTTONS = 12; // classes that have a button; the others are found by their name
const WATCH_MS = 1000; // between two looks at what is computed

// The lines of the sheet of keys.
function linesOf(many) {
  const [skip, cannotTell, undo] = commandKeys(many);
  return [
    ["← → ↑ ↓", "go to another image; with Shift, select on the way"],
    ["Space", "select or release the image"],
    [many ? "A" : "a", "select all images that are loaded, unless a class has this key"],
    ["Escape", "select nothing"],
    ["class keys", "label the selection, or the image where you are"],
    ...(many ? [["a … z", "find a class by words of its name, in any order"]] : []),
    ["Enter", "confirm the prediction, if the selection has one prediction"],
    [skip, "no class (skip)"],
    [cannotTell, "cannot tell"],
    [undo, "take the last act back"],
    [many ? "I" : "i", "open the card of the image where you are, unless a class has this key"],
    ["/", "search"],
  ];
}

class Gallery {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.state = null;
    this.counts = { cluster: {} };
    this.asking = null;
    this.notice = "";
    this.stopped = false;
    this.server = new Server(() => this.data.base, (reason) => this.say(reason));
    this.list = new ImageList(this.server, () => this.onList());
    this.selection = new Selection();
    this.acts = new Acts(this.server, {
      onChange: () => this.draw(),
      onImages: (images, more) => {
        this.list.renew(images);
        if (more) this.open(this.list.query);
      },
    });
    this.view = new View({
      list: this.list,
      selection: this.selection,
      address: (image) => `${this.data.base}/image/${image.hash}?v=${this.data.version}&side=256`,
      pendingOf: (image) => this.acts.pending.get(image.id) ?? null,
      colours: () => this.colours,
      onSelect: () => { this.view.node.focus({ preventScroll: true }); this.draw(); },
    });
    this.bar = new Bar((query) => this.open(query), takeOver(data.project));
    this.head = make("div", "head");
    this.total = make("div", "total");
    this.total.setAttribute("role", "status");
    this.compute = make("div", "compute");
    this.head.append(this.total, this.compute);
    this.message = make("div", "message");
    this.foot = make("div", "foot");
    this.chosen = make("div", "chosen-count");
    this.chosen.setAttribute("role", "status");
    this.buttons = make("div", "buttons");
    this.outcome = make("div", "outcome");
    this.outcome.setAttribute("role", "status");
    this.foot.append(this.chosen, this.buttons, this.outcome);
    this.stage = make("div", "stage");
    this.stage.append(this.view.node, this.message);
    root.append(this.bar.node, this.head, this.stage, this.foot);
    this.view.node.addEventListener("keydown", (event) => this.onAll(event));
    this.leaveKeys = keys.enter("grid", (press) => this.takeKey(press), {
      sheet: () => linesOf(this.data.many),
    });
    this.palette = new Palette(root, {
      onChoose: (choice) => {
        this.label(this.answerOf(choice));
        return true;
      },
      onClose: () => this.view.node.focus({ preventScroll: true }),
    });
    this.take(data);
    this.open(this.bar.query());
    this.look();
  }

  take(data) {
    this.data = data;
    this.colours = coloursOf(data.classes);
    this.bar.offer(data, Object.keys(this.counts.cluster));
    this.drawButtons();
  }

  update(data) {
    if (JSON.stringify(data) === JSON.stringify(this.data)) return;
    this.take(data);
    this.draw();
  }

  open(query) {
    this.selection.clear();
    this.selection.move(0);
    this.view.node.scrollTop = 0;
    this.notice = "";
    this.list.open(query);
    this.draw();
  }

  onList() {
    if (this.list.problem?.code === "list_changed") this.open(this.list.query);
    this.draw();
  }

  say(words) {
    this.notice = words;
    this.draw();
  }

  // ------------------------------------------------------------------------- what was computed
  async look() {
    clearTimeout(this.timer);
    if (this.stopped) return;
    let again = null;
    try {
      const { ok, reply } = await this.server.call("/images/state", {});
      if (this.stopped) return;
      if (ok) {
        const ended = this.state !== null && this.state.jobs.length > 0 && reply.jobs.length === 0;
        const fresh = this.state === null || ended;
        this.state = reply;
        if (reply.jobs.length > 0) again = WATCH_MS;
        if (fresh && reply.clusters > 0) this.readClusters();
        if (ended) this.open(this.bar.query());
      }
    } catch {
      again = 5 * WATCH_MS;
    }
    if (again !== null) this.timer = setTimeout(() => this.look(), again);
    this.draw();
  }

  async readClusters() {
    const { ok, reply } = await this.server.call("/images/counts", { query: {} });
    if (!ok || this.stopped) return;
    this.counts = reply;
    this.bar.offer(this.data, Object.keys(reply.cluster));
  }

  async start(what, parts = false) {
    const { ok, reply } = await this.server.call("/images/compute", { what, parts });
    if (!ok) this.say(reply.reason);
    this.look();
  }

  // --------------------------------------------------------------------------------- selecting
  places() {
    return [...this.selection.places].sort((a, b) => a - b);
  }

  onAll(event) {
    if (event.key.toLowerCase() !== "a" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.selectLoaded();
  }

  selectLoaded() {
    this.selection.places = new Set(this.list.items.keys());
    this.draw();
  }

  step(press) {
    const { columns } = this.view;
    const page = columns * Math.max(1, this.view.seenRows - 2);
    const total = this.list.total ?? 0;
    const steps = { arrowleft: -1, arrowright: 1, arrowup: -columns, arrowdown: columns, pageup: -page, pagedown: page, home: -total, end: total };
    const by = steps[press.key];
    if (by === undefined || total === 0) return false;
    const place = Math.min(total - 1, Math.max(0, this.selection.focus + by));
    if (press.shift) this.selection.reach(place);
    else this.selection.move(place);
    this.view.reveal(place);
    return true;
  }

  takeKey(press) {
    if (this.asking !== null) return false;
    if (this.step(press)) return this.drawn();
    if (press.key === " ") {
      this.selection.toggle(this.selection.focus);
      return this.drawn();
    }
    if (press.key === "escape") {
      if (this.selection.size === 0) return false;
      this.selection.clear();
      return this.drawn();
    }
    if (press.key === "/") {
      this.bar.search.focus();
      return true;
    }
    const { classes, many } = this.data;
    const meant = meaningOf(press, { classes, many }, new Map());
    // With many classes a small letter finds a class, so these two need Shift.
    const free = meant === null || (meant.act === "find" && press.shift);
    if (free && press.key === "i" && press.shift === many) {
      const image = this.list.at(this.selection.focus);
      return Boolean(image) && openCard(image.hash);
    }
    if (free && press.key === "a" && press.shift === many) {
      this.selectLoaded();
      return true;
    }
    if (meant === null) return false;
    if (meant.act === "undo") return this.acts.undo();
    if (meant.act === "find") this.find(meant.text);
    else this.label(this.answerOf(meant));
    return true;
  }

  drawn() {
    this.draw();
    return true;
  }

  // A class for the selection, by words of its name.
  find(text) {
    this.palette.open(text, [
      ...this.data.classes.map((c) => ({ act: "choose", id: c.id, name: c.name, hint: "" })),
      { act: "skip", id: null, name: "No class", hint: "skip" },
      { act: "cannotTell", id: null, name: "Cannot tell", hint: "nobody can" },
    ]);
  }

  // ---------------------------------------------------------------------------------- labelling
  answerOf({ act, id }) {
    if (act === "skip") return { kind: "skip", class_id: null, words: "Skipped" };
    if (act === "cannotTell") return { kind: "cannot_tell", class_id: null, words: "Cannot tell" };
    if (act === "accept") return this.onePrediction();
    return { kind: "class", class_id: id, words: this.data.classes.find((c) => c.id === id).name };
  }

  onePrediction() {
    const images = this.targets().map((place) => this.list.at(place)).filter(Boolean);
    const found = new Set(images.map((image) => image.predicted_id));
    const [id] = found;
    if (found.size !== 1 || id === null || id === undefined) {
      this.say("The selected images do not have one prediction. Press the key of a class instead.");
      return null;
    }
    return this.answerOf({ act: "choose", id });
  }

  targets() {
    if (this.selection.size > 0) return this.places();
    return (this.list.total ?? 0) > 0 ? [this.selection.focus] : [];
  }

  async label(answer) {
    if (answer === null) return;
    const places = this.targets();
    if (places.length === 0) return;
    if (places.length > MOST_IN_ACT) {
      this.say(`One act labels at most ${number(MOST_IN_ACT)} images. Select fewer.`);
      return;
    }
    if (places.length > ASK_ABOVE && !(await this.ask(answer, places.length))) return;
    if (places.some((place) => this.list.at(place) === null)) await this.list.ensure(places[0], places.at(-1));
    const images = places.map((place) => this.list.at(place)).filter(Boolean);
    if (images.length < places.length) {
      this.say("Some of the selected images could not be read. Nothing was recorded. Try again.");
      return;
    }
    this.acts.label(answer, { images: images.map((image) => image.id) }, images.slice(0, MOST_ALIKE).map((image) => image.hash));
    if (this.selection.size === 0) this.selection.move(Math.min((this.list.total ?? 1) - 1, this.selection.focus + 1));
    this.selection.clear();
    this.draw();
  }

  // All images of the list are of this class.
  async labelAll(answer) {
    const { total, cursor, query } = this.list;
    if (answer === null || !total || !(await this.ask(answer, total))) return;
    const loaded = [...this.list.items.values()].slice(0, MOST_ALIKE).map((image) => image.hash);
    this.acts.label(answer, { query, cursor, total }, loaded);
    this.selection.clear();
    this.draw();
  }

  ask(answer, count) {
    return new Promise((resolve) => {
      const box = make("div", "question");
      box.setAttribute("role", "alertdialog");
      box.setAttribute("aria-modal", "true");
      const words = make("p");
      words.id = "grid-question";
      box.setAttribute("aria-labelledby", words.id);
      const name = make("bdi", "", answer.words);
      words.append(`Answer ${number(count)} images with `, name, "? One undo takes all of it back.");
      const yes = make("button", "chosen", `Answer ${number(count)} images`);
      const no = make("button", "", "Cancel");
      box.append(words, yes, no);
      const before = this.view.node;
      const end = (said) => {
        leave();
        box.remove();
        this.asking = null;
        before.focus({ preventScroll: true });
        resolve(said);
      };
      const leave = keys.enter("question", (press) => {
        if (press.key === "escape") end(false);
        else if (press.key === "enter") end(true);
        return true;
      }, { modal: true, sheet: () => [["Enter", "answer"], ["Escape", "cancel"]] });
      yes.addEventListener("click", () => end(true));
      no.addEventListener("click", () => end(false));
      this.asking = box;
      this.stage.append(box);
      yes.focus();
    });
  }

  showLike(hashes, words, unanswered) {
    if (unanswered) this.bar.set("answered", "no");
    this.bar.showLike({ hashes, words });
  }

  // ------------------------------------------------------------------------------------ drawing
  drawButtons() {
    this.buttons.replaceChildren();
    const add = (words, key, work, className = "") => {
      const button = make("button", className);
      button.type = "button";
      button.append(make("bdi", "label", words));
      if (key) {
        button.append(keyCap(key));
        button.setAttribute("aria-keyshortcuts", key);
      }
      button.addEventListener("click", work);
      this.buttons.append(button);
      return button;
    };
    for (const c of this.data.classes.slice(0, MOST_BUTTONS)) {
      const button = add(c.name, c.key, () => this.label(this.answerOf({ act: "choose", id: c.id })), "class");
      button.style.setProperty("--of", this.colours.get(c.id));
      button.title = c.name;
      const badge = make("span", "badge", initials(c.name));
      badge.setAttribute("aria-hidden", "true");
      button.prepend(badge);
    }
    const [skip, cannotTell] = commandKeys(this.data.many);
    add("No class", skip, () => this.label(this.answerOf({ act: "skip" })));
    add("Cannot tell", cannotTell, () => this.label(this.answerOf({ act: "cannotTell" })));
    this.similar = add("Similar to these", null, () => {
      const images = this.targets().map((place) => this.list.at(place)).filter(Boolean).slice(0, MOST_ALIKE);
      if (images.length > 0) this.showLike(images.map((image) => image.hash), images.length === 1 ? "like one image" : `like ${number(images.length)} images`, false);
    }, "quiet");
    this.all = add("", null, () => this.labelAll(this.wholeList()), "quiet");
  }

  // The answer that fits a list of one prediction; null for any other list.
  wholeList() {
    const predicted = this.list.query.filter?.predicted ?? [];
    const found = this.data.classes.find((c) => predicted.length === 1 && c.name === predicted[0]);
    if (found !== undefined) return this.answerOf({ act: "choose", id: found.id });
    if (this.list.query.filter?.cluster === undefined) return null;
    const image = this.list.at(this.selection.focus);
    const own = this.data.classes.find((c) => c.id === (image?.class_id ?? image?.predicted_id));
    return own === undefined ? null : this.answerOf({ act: "choose", id: own.id });
  }

  draw() {
    if (this.stopped) return;
    const { total } = this.list;
    this.root.dataset.total = String(total ?? "");
    this.root.dataset.selected = String(this.selection.size);
    this.root.dataset.saving = String(this.acts.underWay);
    this.total.textContent = total === null ? "" : total === 1 ? "1 image" : `${number(total)} images`;
    this.drawCompute();
    this.drawMessage();
    this.view.draw();
    const some = this.selection.size;
    this.chosen.textContent = some === 0 ? "Nothing selected: keys label the image where you are." : `${number(some)} selected`;
    const whole = this.wholeList();
    this.all.hidden = whole === null || !total || total > MOST_IN_ACT;
    if (!this.all.hidden) this.all.firstChild.textContent = `All ${number(total)} are ${whole.words}`;
    this.drawOutcome();
  }

  drawOutcome() {
    const { acts } = this;
    this.outcome.replaceChildren();
    const words = acts.underWay > 0
      ? acts.failing ? "Not saved yet: the server does not answer. It is tried again by itself." : "Saving…"
      : this.notice || acts.words;
    this.outcome.append(make("span", "", words));
    if (acts.underWay > 0) return;
    const add = (text, key, work) => {
      const button = make("button", "quiet");
      button.type = "button";
      button.append(make("span", "label", text));
      if (key) button.append(keyCap(key));
      button.addEventListener("click", work);
      this.outcome.append(button);
    };
    if (acts.done.length > 0) add("Undo", commandKeys(this.data.many)[2], () => acts.undo());
    if (acts.last) {
      const { like, words: named } = acts.last;
      add("Next: the most similar without an answer", null, () => this.showLike(like, `like those answered with ${named}`, true));
    }
  }

  drawCompute() {
    const { state } = this;
    this.compute.replaceChildren();
    if (state === null) return;
    const offer = (words, work) => {
      const button = make("button", "quiet", words);
      button.type = "button";
      button.addEventListener("click", work);
      this.compute.append(button);
    };
    for (const job of state.jobs) {
      const bar = make("progress");
      bar.max = 1;
      bar.value = job.fraction;
      bar.setAttribute("aria-label", job.step);
      this.compute.append(make("span", "muted", `${job.step}…`), bar);
    }
    if (state.jobs.length > 0 || !state.encoded) return;
    if (state.failed) this.compute.append(make("span", "failed", `Not computed: ${state.failed}`));
    if (!state.predicted) offer("Compute predictions", () => this.start("score"));
    else if (state.older) offer("Predictions are older than the newest labels: compute again", () => this.start("score"));
    if (state.compared === 0) offer("Find near-copies and clusters", () => this.start("group"));
  }

  drawMessage() {
    const { problem, total } = this.list;
    this.message.replaceChildren();
    this.message.hidden = problem === null && total !== 0;
    if (this.message.hidden) return;
    const add = (words, work) => {
      const button = make("button", "", words);
      button.type = "button";
      button.addEventListener("click", work);
      this.message.append(button);
    };
    if (problem !== null) {
      this.message.append(make("p", "", problem.reason));
      if (problem.code === "not_computed") {
        const group = this.list.query.order === "near" || "near" in this.list.query.filter || "cluster" in this.list.query.filter;
        const parts = this.list.query.order === "epistemic";
        add(group ? "Compare all images now" : "Predict all images now", () => this.start(group ? "group" : "score", parts));
      } else if (problem.code === "offline") add("Try again", () => this.open(this.list.query));
      if (this.bar.filtered) add("Show all images", () => this.bar.clear());
    } else if (this.state?.images === 0) {
      this.message.append(make("p", "", "The project has no images yet. Add some with `alworkbench import FOLDER`."));
    } else {
      this.message.append(make("p", "", "No image meets these conditions."));
      add("Show all images", () => this.bar.clear());
    }
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.leaveKeys();
    this.acts.dispose();
    this.view.dispose();
  }
}

function number(value) {
  return value.toLocaleString("en");
}

export function mount(root, data) {
  root.dataset.gallery = "";
  return new Gallery(root, data);
}
