// What the annotator sees. Draws what it is told and reports clicks; decides nothing.

import { button, setKey } from "../shared/buttons.js";
import { keyCap, make } from "../shared/make.js";
import { Marks } from "../shared/marks.js";
import { RoundHead } from "../shared/round_head.js";
import { Saying } from "../shared/saying.js";
import { Viewer } from "../shared/viewer.js";
import { Answers } from "./answers.js";
import { commandKeys, markKeys } from "./meanings.js";

export class Screen {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    root.replaceChildren();

    this.head = new RoundHead(root);
    this.desk = make("div", "desk");
    this.viewer = new Viewer();

    const side = make("div", "side");
    this.suggestion = make("div", "suggestion");
    this.suggestionText = make("span", "suggestion-text");
    this.accept = button("accept", "Accept", "Enter", () => actions.accept(), actions.refuse);
    this.suggestion.append(this.suggestionText, this.accept);
    this.likely = make("div", "likely");
    this.again = make("div", "again");
    this.againText = make("span", "");
    this.again.append(this.againText, button("quiet", "Back", "Esc", () => actions.back()));
    this.again.hidden = true;
    this.answers = new Answers(actions);
    const others = make("div", "others");
    const quiet = (text, act) => button("quiet", text, "", act, actions.refuse);
    this.skip = quiet("Skip", () => actions.skip());
    this.cannotTell = quiet("Cannot tell", () => actions.cannotTell());
    this.undo = quiet("Undo", () => actions.undo());
    others.append(this.skip, this.cannotTell, this.undo);
    const marking = make("div", "others");
    this.note = quiet("Note", () => actions.note());
    this.flag = quiet("Flag", () => actions.flag());
    marking.append(this.note, this.flag);
    this.last = make("div", "last");
    this.about = make("a", "about");
    side.append(
      this.again,
      this.suggestion,
      this.likely,
      this.answers.node,
      others,
      marking,
      this.last,
      this.about,
      this.answers.examples,
    );
    this.side = side;

    const place = make("div", "place");
    place.append(this.viewer.node);
    this.marks = new Marks(place);
    this.saying = new Saying(place);
    this.desk.append(place, side);
    this.end = make("div", "end");
    this.endTitle = make("div", "end-title");
    this.endText = make("div", "end-text");
    this.endUndo = quiet("Undo the last answer", () => actions.undo());
    this.end.append(this.endTitle, this.endText, this.endUndo);
    this.notice = make("div", "notice");
    this.notice.setAttribute("role", "alert");
    this.below = make("div", "below");
    root.append(this.head.node, this.desk, this.end, this.notice, this.below);
  }

  drawClasses(classes, many) {
    this.answers.draw(classes, many);
    const [skip, cannotTell, undo] = commandKeys(many);
    setKey(this.skip, skip);
    setKey(this.cannotTell, cannotTell);
    setKey(this.undo, undo);
    setKey(this.endUndo, undo);
    const [note, flag] = markKeys({ classes, many });
    setKey(this.note, note);
    setKey(this.flag, flag);
    const card = many ? "Shift+I" : "i";
    this.about.replaceChildren(make("span", "words", "About this image"), keyCap(card));
    this.about.setAttribute("aria-keyshortcuts", many ? card : "i Shift+I");
  }

  drawSuggestion(suggestion, calibration) {
    this.suggestion.classList.toggle("none", !suggestion);
    this.accept.hidden = !suggestion;
    if (!suggestion) {
      this.suggestionText.textContent = "The model has no suggestion";
      return;
    }
    const percent = Math.round(100 * suggestion.probability);
    this.suggestionText.replaceChildren(
      make("span", "muted", "Model: "),
      make("bdi", "name", suggestion.name),
      make("span", "muted", `  ${percent}\u00a0%`),
      make("span", "calibration", calibration),
    );
  }

  // Class ids that the image probably has, best first; `promise` is null where the round has none.
  // The line keeps its place without a set, so that nothing moves from image to image.
  drawLikely(ids, promise) {
    const names = this.answers.drawLikely(ids, promise !== null);
    this.likely.hidden = promise === null;
    if (promise === null) return;
    const text = names.join(", ");
    this.likely.title = text ? `${text}. ${promise.words}` : "";
    // The names first: where the line is too short for all, its end is cut.
    const said = `: probably ${names.length === 1 ? "this" : "one of these"} (${promise.level})`;
    this.likely.replaceChildren(
      ...(text ? [make("span", "names", text), make("span", "muted", said)] : []),
    );
  }

  // The words of the earlier answer of an image that was opened again; null for an image whose turn it is.
  drawReopened(text) {
    this.again.hidden = text === null;
    this.suggestion.hidden = text !== null;
    if (text === null) return;
    const said = make("bdi", "name", text);
    this.againText.replaceChildren("Your answer: ", said, ". A new answer replaces it.");
  }

  // marks: {flagged, notes} of the image on the screen, or null; on: whether it can be marked.
  drawMarks(marks, on) {
    this.marks.draw(marks !== null && on ? marks : { flagged: false, notes: 0 });
    this.flag.setAttribute("aria-pressed", String(on && marks?.flagged === true));
  }

  // Whether a class is searched for the picture that is shown.
  markTarget(on) {
    this.viewer.frame.classList.toggle("target", on);
  }

  enable(on) {
    this.desk.classList.toggle("idle", !on);
  }

  drawEnd(shown, title, text, canUndo) {
    this.desk.hidden = shown;
    this.end.hidden = !shown;
    this.endTitle.textContent = title;
    this.endText.textContent = text;
    this.endUndo.hidden = !canUndo;
  }

  drawNotice(text) {
    this.notice.textContent = text;
    this.notice.hidden = text === "";
  }

  dispose() {
    this.saying.clear();
    this.viewer.dispose();
    this.root.replaceChildren();
  }
}
