// What a person sees around the images: the head of the round, what keys do now, the buttons, and what was said.

import { endOf, noticeOf, waitingText } from "../desk/drawing.js";
import { commandKeys, markKeys } from "../desk/meanings.js";
import { actButton, ActButtons } from "../grid/act_buttons.js";
import { make } from "../shared/make.js";
import { RoundHead } from "../shared/round_head.js";
import { Saying } from "../shared/saying.js";

export class Screen {
  constructor(grid) {
    this.grid = grid;
    this.head = new RoundHead(grid.root);
    this.calibration = make("div", "muted calibration");
    this.message = make("div", "message");
    const stage = make("div", "stage");
    stage.append(grid.view.node, this.message);
    this.saying = new Saying(stage);
    this.chosen = make("div", "chosen-count");
    this.chosen.setAttribute("role", "status");
    this.buttons = new ActButtons();
    this.outcome = make("div", "outcome");
    this.outcome.setAttribute("role", "status");
    const foot = make("div", "foot");
    foot.append(this.chosen, this.buttons.node, this.outcome);
    this.noticeLine = make("div", "notice");
    this.noticeLine.setAttribute("role", "alert");
    grid.root.append(this.head.node, this.calibration, stage, foot, this.noticeLine);
  }

  drawClasses() {
    const { grid } = this;
    const { classes, many } = grid.data;
    this.buttons.clear();
    this.buttons.addClasses(classes, grid.colours, (id) => grid.acts.answerWith({ act: "choose", id }));
    const [skip, cannotTell] = commandKeys(many);
    const add = (...what) => this.buttons.add(...what, "quiet");
    if (many) add("Find a class", "a … z", () => grid.pressing.find(""));
    add("Accept the suggestion", "Enter", () => grid.acts.answerWith({ act: "accept" }));
    add("Skip", skip, () => grid.acts.answerWith({ act: "skip" }));
    add("Cannot tell", cannotTell, () => grid.acts.answerWith({ act: "cannotTell" }));
    const [note, flag] = markKeys(grid.data);
    add("Note", note, () => grid.marking.act("note"));
    add("Flag", flag, () => grid.marking.act("flag"));
    add("Larger", "+", () => grid.resize(1));
    add("Smaller", "-", () => grid.resize(-1));
  }

  draw() {
    const { data, held, outbox, tally, root, selection, view } = this.grid;
    const open = held.open.length;
    root.dataset.open = String(open);
    root.dataset.selected = String(selection.size);
    root.dataset.answered = String(tally.counted);
    root.dataset.finished = String(this.grid.finished());
    this.head.draw(`Round ${data.round.number}`, tally.counted, tally.total);
    this.head.drawSaved(outbox.size, outbox.failing);
    const suggests = held.slots.some(({ item }) => item.suggestion !== null);
    this.calibration.textContent = suggests ? `Suggestions of the model below the images: ${data.round.calibration}` : "";
    view.draw();
    this.drawMessage();
    this.chosen.textContent = open === 0 ? this.whyNone() : `${this.whatKeysDo()} ${open === 1 ? "1 image waits" : `${open} images wait`} for an answer here.`;
    this.drawOutcome();
    this.noticeLine.textContent = noticeOf(this.grid);
    this.noticeLine.hidden = this.noticeLine.textContent === "";
  }

  whyNone() {
    return endOf(this.grid) === null ? waitingText(this.grid) : "";
  }

  whatKeysDo() {
    const { selection } = this.grid;
    if (selection.size > 0) return `${selection.size} selected.`;
    return selection.focus < 0 ? "Nothing selected." : "Nothing selected: keys answer the image where you are.";
  }

  // Over the images, where none is left or none has come yet.
  drawMessage() {
    const end = endOf(this.grid);
    this.message.hidden = end === null && this.grid.held.total > 0;
    if (this.message.hidden) return;
    const words = end === null ? [make("p", "", waitingText(this.grid))] : [make("p", "end-title", end.title), make("p", "", end.text)];
    this.message.replaceChildren(...words);
  }

  // What the last act did, and what can be done next.
  drawOutcome() {
    const { answering, data, held, tally, words } = this.grid;
    const [, , undo] = commandKeys(data.many);
    const offers = [];
    if (answering.acts.length > 0 || tally.counted > 0) offers.push(["Undo", undo, () => this.grid.acts.undo()]);
    if (held.open.length > 0 && held.upcoming.length > 0) offers.push(["More images, these first", null, () => this.grid.turn()]);
    this.outcome.replaceChildren(make("span", "", words), ...offers.map((offer) => actButton(...offer, "quiet")));
  }
}
