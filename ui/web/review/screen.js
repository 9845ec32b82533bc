// What the reviewer sees. Draws what it is told and reports clicks; decides nothing.

import { Answers } from "../desk/answers.js";
import { button, setKey } from "../shared/buttons.js";
import { keyCap, make } from "../shared/make.js";
import { Saying } from "../shared/saying.js";
import { Viewer } from "../shared/viewer.js";
import { Evidence } from "./evidence.js";
import { DECIDE_KEYS, askKeys } from "./meanings.js";

const KINDS = [
  [null, "All"],
  ["disagreement", "Disagreements"],
  ["label_error", "Likely errors"],
  ["second_opinion", "Second opinions"],
  ["closed", "Closed"],
];
const LONGEST_NOTE = 500;
const EMPTY =
  "Cases open by themselves where people give an image different classes. “Look for likely errors” opens more.";

export class Screen {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    root.replaceChildren();
    const press = (style, text, key, act) => button(style, text, key, () => actions[act](), actions.refuse);

    const bar = make("div", "bar review-bar");
    const kinds = make("div", "kinds");
    kinds.setAttribute("role", "group");
    kinds.setAttribute("aria-label", "Cases to show");
    this.kinds = KINDS.map(([kind, title]) => {
      const node = button("quiet kind choice", title, "", () => actions.show(kind), actions.refuse);
      kinds.append(node);
      return { kind, title, node };
    });
    this.blind = make("label", "blind");
    this.blind.title = "Hides the answers and the opinion of the model until you have said what you see.";
    this.switch = make("input");
    this.switch.type = "checkbox";
    this.switch.setAttribute("role", "switch");
    this.switch.addEventListener("change", () => actions.setBlind(this.switch.checked));
    this.blind.append(this.switch, make("span", "", "Answer before you see what others said"));
    this.saved = make("div", "saved");
    this.saved.setAttribute("role", "status");
    bar.append(kinds, this.blind, this.saved);

    this.desk = make("div", "desk");
    const place = make("div", "place");
    this.viewer = new Viewer();
    this.path = make("bdi", "muted path");
    place.append(this.viewer.node, this.path);
    this.saying = new Saying(place);

    this.side = make("div", "side");
    this.case = make("h2", "case");
    this.case.tabIndex = -1;
    this.question = make("h3", "question", "What do you see?");
    this.question.tabIndex = -1;
    this.evidence = new Evidence();
    this.answers = new Answers({ ...actions, choose: (id) => actions.see(id) });
    this.asked = make("div", "others");
    this.cannotTell = press("quiet", "Cannot tell", "", "cannotTell");
    this.asked.append(this.cannotTell);
    this.later = press("quiet", "Later", "", "later");
    this.decision = this.makeDecision(press);
    this.own = make("div", "own");
    this.own.append(
      make("p", "", "You asked for a second opinion of this image. Another reviewer decides."),
      press("quiet", "Withdraw the question", "", "withdraw"),
    );
    this.side.append(this.case, this.question, this.evidence.node, this.own, this.answers.node, this.asked);
    this.about = make("a", "about");
    this.about.append(make("span", "words", "About this image, its notes and its flag"), keyCap("i"));
    this.about.setAttribute("aria-keyshortcuts", "i");
    this.side.append(this.decision, this.later, this.about, this.answers.examples);
    this.desk.append(place, this.side);

    this.empty = make("div", "end");
    this.emptyTitle = make("h2", "end-title");
    this.emptyText = make("div", "end-text");
    this.empty.append(this.emptyTitle, this.emptyText);
    this.closed = make("section", "closed");
    this.closed.setAttribute("aria-label", "Closed cases");
    this.done = make("div", "done");
    this.done.setAttribute("role", "status");
    this.notice = make("div", "notice");
    this.notice.setAttribute("role", "alert");
    root.append(bar, this.done, this.notice, this.desk, this.empty, this.closed);
  }

  makeDecision(press) {
    const node = make("div", "decision");
    const label = make("label", "note");
    label.append(make("span", "", "Note on your decision"));
    this.noteField = make("input", "field");
    this.noteField.type = "text";
    this.noteField.maxLength = LONGEST_NOTE;
    this.noteField.setAttribute("aria-keyshortcuts", DECIDE_KEYS.note);
    this.noteField.addEventListener("keydown", (event) => {
      if (event.isComposing || (event.key !== "Enter" && event.key !== "Escape")) return;
      event.preventDefault();
      event.stopPropagation();
      this.question.focus(); // so that the keys act again
    });
    label.append(this.noteField);
    const acts = make("div", "others");
    acts.setAttribute("role", "group");
    acts.setAttribute("aria-label", "What becomes of the case");
    acts.append(
      press("decide", "Decide so", DECIDE_KEYS.decide, "decide"),
      press("quiet", "Keep the answers", DECIDE_KEYS.keep, "keep"),
      press("quiet", "Ask a second person", DECIDE_KEYS.passOn, "passOn"),
      press("quiet", "Look again", DECIDE_KEYS.again, "again"),
    );
    node.append(label, acts);
    return node;
  }

  get note() {
    return this.noteField.value.trim();
  }

  focusNote() {
    this.noteField.focus();
  }

  // Who came by keyboard stays where the step begins; who did not keeps what has the focus.
  focusStep() {
    const focused = this.root.getRootNode().activeElement;
    if (focused && this.side.contains(focused)) this.case.focus({ preventScroll: true });
  }

  drawClasses(classes, many) {
    this.answers.draw(classes, many);
    this.answers.digits.hidden = true; // the likeliest classes would give the opinion of the model away
    const { cannotTell, later } = askKeys(many);
    setKey(this.cannotTell, cannotTell);
    setKey(this.later, later);
  }

  drawHead(cases, chosen, blind) {
    const counts = cases.counts;
    const all = Object.values(counts).reduce((sum, each) => sum + each, 0);
    for (const { kind, title, node } of this.kinds) {
      const number = kind === null ? all : counts[kind];
      const known = kind !== "closed" && cases.known && number !== undefined;
      node.querySelector(".label").textContent = known ? `${title} (${number})` : title;
      node.setAttribute("aria-pressed", String(kind === chosen));
    }
    this.switch.checked = blind;
    this.blind.hidden = chosen === "closed";
    this.closed.hidden = chosen !== "closed";
  }

  drawSaved(unsaved, failing) {
    this.saved.classList.toggle("failing", failing);
    const text = unsaved === 0 ? "All saved" : `${unsaved} unsaved`;
    this.saved.textContent = failing ? `${text} · waiting for the server` : text;
  }

  startCase() {
    this.noteField.value = "";
  }

  drawCase(shown, total) {
    const { current, step, opinion } = shown;
    this.desk.hidden = current === null;
    if (current === null) return;
    this.desk.classList.toggle("idle", !shown.armed);
    this.setText(this.case, `Case ${current.case_id}, 1 of ${total}: ${current.why}. Opened ${current.opened}.`);
    this.setText(this.path, current.path);
    this.question.hidden = step === "own";
    if (step === "decide") this.question.replaceChildren("You see: ", make("bdi", "", opinion.name));
    else this.setText(this.question, "What do you see?");
    this.evidence.draw(shown.showsEvidence ? shown.evidence : null, shown.showsEvidence);
    this.own.hidden = step !== "own";
    this.answers.node.hidden = step !== "ask";
    this.asked.hidden = step !== "ask";
    this.decision.hidden = step !== "decide";
    this.later.hidden = step === "decide";
    this.drawAbout(shown.cardOf);
  }

  // hash: of the image whose card may be opened, or null.
  drawAbout(hash) {
    this.about.hidden = hash === null;
    if (hash === null) this.about.removeAttribute("href");
    else this.about.href = `?image=${hash}`;
  }

  // A text that stays is not said again by a screen reader.
  setText(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  markTarget(on) {
    this.viewer.frame.classList.toggle("target", on);
  }

  drawEmpty(cases, kind) {
    this.empty.hidden = kind === "closed" || cases.current !== null;
    const open = Object.values(cases.counts).reduce((sum, each) => sum + each, 0);
    const ofOthers = kind !== null && open > 0;
    const title = ofOthers ? "No open case of this kind." : "No open cases";
    this.setText(this.emptyTitle, cases.known ? title : "Loading");
    this.setText(this.emptyText, cases.known && !ofOthers ? EMPTY : "");
  }

  drawNotices(trouble, done) {
    this.setText(this.notice, trouble);
    this.notice.hidden = trouble === "";
    this.setText(this.done, done);
  }

  dispose() {
    this.viewer.dispose();
    this.saying.clear();
    this.root.replaceChildren();
  }
}
