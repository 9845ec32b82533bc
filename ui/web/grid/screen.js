// What a person sees around the images of the gallery: how many they are, what is computed, the acts, and what was said.

import { commandKeys, markKeys } from "../desk/meanings.js";
import { make, say } from "../shared/make.js";
import { actButton, ActButtons } from "./act_buttons.js";
import { MOST_ALIKE, MOST_IN_ACT } from "./labelling.js";
import { number } from "./words.js";

export class Screen {
  constructor(gallery) {
    this.gallery = gallery;
    const head = make("div", "head");
    this.total = make("div", "total");
    this.total.setAttribute("role", "status");
    this.compute = make("div", "compute");
    head.append(this.total, this.compute);
    this.message = make("div", "message");
    const foot = make("div", "foot");
    this.chosen = make("div", "chosen-count");
    this.chosen.setAttribute("role", "status");
    this.buttons = new ActButtons();
    this.outcome = make("div", "outcome");
    this.outcome.setAttribute("role", "status");
    foot.append(this.chosen, this.buttons.node, this.outcome);
    this.stage = make("div", "stage");
    this.stage.append(gallery.view.node, this.message);
    gallery.root.append(gallery.bar.node, head, this.stage, foot);
  }

  drawButtons() {
    const { gallery } = this;
    this.buttons.clear();
    const add = (...what) => this.buttons.add(...what);
    this.buttons.addClasses(gallery.data.classes, gallery.colours, (id) => gallery.labelling.labelWith({ act: "choose", id }));
    const [skip, cannotTell] = commandKeys(gallery.data.many);
    add("No class", skip, () => gallery.labelling.labelWith({ act: "skip" }));
    add("Cannot tell", cannotTell, () => gallery.labelling.labelWith({ act: "cannotTell" }));
    const [note, flag] = markKeys(gallery.data);
    add("Note", note, () => gallery.marking.act("note"), "quiet");
    add("Flag", flag, () => gallery.marking.act("flag"), "quiet");
    this.decide = add("Decide as reviewer", null, () => {
      gallery.labelling.settles = !gallery.labelling.settles;
      gallery.draw();
    }, "quiet");
    this.decide.title = "Your next answer counts alone, whatever others answered.";
    this.similar = add("Similar to these", null, () => {
      const images = gallery.targets().map((place) => gallery.list.at(place)).filter(Boolean).slice(0, MOST_ALIKE);
      if (images.length > 0) gallery.showLike(images.map((image) => image.hash), images.length === 1 ? "like one image" : `like ${number(images.length)} images`, false);
    }, "quiet");
    this.other = add("", null, () => gallery.labelling.move(), "quiet");
    this.all = add("", null, () => gallery.labelling.labelAll(gallery.labelling.wholeList()), "quiet");
  }

  draw() {
    const { gallery } = this;
    const { total } = gallery.list;
    gallery.root.dataset.total = String(total ?? "");
    gallery.root.dataset.selected = String(gallery.selection.size);
    gallery.root.dataset.saving = String(gallery.acts.underWay);
    this.total.textContent = total === null ? "" : total === 1 ? "1 image" : `${number(total)} images`;
    this.drawCompute();
    this.drawMessage();
    gallery.view.draw();
    const some = gallery.selection.size;
    const chosen = some === 0 ? "Nothing selected: keys label the image where you are." : `${number(some)} selected`;
    const decides = ". Your next answer decides: it counts alone, whatever others answered.";
    this.chosen.textContent = `${chosen}${gallery.labelling.settles ? decides : ""}`;
    this.decide.setAttribute("aria-pressed", String(gallery.labelling.settles));
    this.other.firstChild.textContent = gallery.labelling.otherSet() === "pool" ? "Move to the pool" : "Move to the audit set";
    const whole = gallery.labelling.wholeList();
    this.all.hidden = whole === null || !total || total > MOST_IN_ACT;
    if (!this.all.hidden) this.all.firstChild.textContent = `All ${number(total)} are ${whole.words}`;
    this.drawOutcome();
  }

  drawOutcome() {
    const { gallery } = this;
    const { acts } = gallery;
    this.outcome.replaceChildren();
    const words = acts.underWay > 0
      ? acts.failing ? "Not saved yet: the server does not answer. It is tried again by itself." : "Saving…"
      : gallery.notice || acts.words;
    this.outcome.append(make("span", "", words));
    if (acts.underWay > 0) return;
    const add = (...what) => this.outcome.append(actButton(...what, "quiet"));
    if (acts.done.length > 0) add("Undo", commandKeys(gallery.data.many)[2], () => acts.undo());
    if (acts.last) {
      const { like, words: named } = acts.last;
      add("Next: the most similar without an answer", null, () => gallery.showLike(like, `like those answered with ${named}`, true));
    }
  }

  drawCompute() {
    const { gallery } = this;
    const { state } = gallery.computing;
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
    if (!state.predicted) offer("Compute predictions", () => gallery.computing.start("score"));
    else if (state.older) offer("Predictions are older than the newest labels: compute again", () => gallery.computing.start("score"));
    if (state.compared === 0) offer("Find near-copies and clusters", () => gallery.computing.start("group"));
  }

  drawMessage() {
    const { gallery } = this;
    const { problem, total } = gallery.list;
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
      this.message.append(say(make("p"), problem.reason));
      if (problem.code === "not_computed") {
        const group = gallery.list.query.order === "near" || "near" in gallery.list.query.filter || "cluster" in gallery.list.query.filter;
        const parts = gallery.list.query.order === "epistemic";
        add(group ? "Compare all images now" : "Predict all images now", () => gallery.computing.start(group ? "group" : "score", parts));
      } else if (problem.code === "offline") add("Try again", () => gallery.open(gallery.list.query));
      if (gallery.bar.filtered) add("Show all images", () => gallery.bar.clear());
    } else if (gallery.computing.state?.images === 0) {
      this.message.append(make("p", "", "The project has no images yet. Bring them in on the page Import."));
    } else {
      this.message.append(make("p", "", "No image meets these conditions."));
      add("Show all images", () => gallery.bar.clear());
    }
  }
}
