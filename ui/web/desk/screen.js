// What the annotator sees. Draws what it is told and reports clicks; decides nothing.

import { keyCap, make } from "../shared/make.js";
import { Viewer } from "../shared/viewer.js";

const FLASH_MS = 160;

export class Screen {
  constructor(root, actions) {
    this.root = root;
    this.actions = actions;
    this.classButtons = [];
    root.replaceChildren();

    const bar = make("div", "bar");
    this.title = make("div", "title");
    this.meter = make("div", "meter");
    this.meter.setAttribute("role", "progressbar");
    this.meter.setAttribute("aria-label", "Answered images of this round");
    this.meterFill = make("div", "meter-fill");
    this.meter.append(this.meterFill);
    this.count = make("div", "count");
    this.saved = make("div", "saved");
    this.saved.setAttribute("role", "status");
    bar.append(this.title, this.meter, this.count, this.saved);

    this.desk = make("div", "desk");
    this.viewer = new Viewer();

    const side = make("div", "side");
    this.suggestion = make("div", "suggestion");
    this.suggestionText = make("span", "suggestion-text");
    this.accept = this.button("accept", "Accept", "Enter", () => actions.accept());
    this.suggestion.append(this.suggestionText, this.accept);
    this.likely = make("div", "likely");
    this.filter = make("input", "field filter");
    this.filter.type = "text";
    this.filter.placeholder = "Type to filter classes  ( / )";
    this.filter.setAttribute("aria-label", "Filter classes by name");
    this.filter.addEventListener("input", () => this.applyFilter());
    this.filter.addEventListener("keydown", (event) => this.onFilterKey(event));
    this.grid = make("div", "grid");
    this.grid.setAttribute("role", "group");
    this.grid.setAttribute("aria-label", "Classes");
    const others = make("div", "others");
    this.skip = this.button("quiet", "Skip", "s", () => actions.skip());
    this.cannotTell = this.button("quiet", "Cannot tell", "u", () => actions.cannotTell());
    this.undo = this.button("quiet", "Undo", "z", () => actions.undo());
    others.append(this.skip, this.cannotTell, this.undo);
    this.last = make("div", "last");
    this.about = make("a", "about");
    this.about.append("About this image ", keyCap("i"));
    this.about.setAttribute("aria-keyshortcuts", "i Shift+I");
    this.examples = make("div", "examples");
    this.examples.hidden = true;
    side.append(this.suggestion, this.likely, this.filter, this.grid, others, this.last, this.about, this.examples);

    this.desk.append(this.viewer.node, side);
    this.end = make("div", "end");
    this.endTitle = make("div", "end-title");
    this.endText = make("div", "end-text");
    this.endUndo = this.button("quiet", "Undo the last answer", "z", () => actions.undo());
    this.end.append(this.endTitle, this.endText, this.endUndo);
    this.notice = make("div", "notice");
    this.notice.setAttribute("role", "alert");
    root.append(bar, this.desk, this.end, this.notice);
  }

  button(className, text, key, onClick) {
    const node = make("button", className);
    node.type = "button";
    node.append(make("span", "label", text));
    if (key) {
      node.append(keyCap(key));
      node.setAttribute("aria-keyshortcuts", key);
    }
    node.addEventListener("click", (event) => {
      // Without this, Enter would press the clicked button again instead of accepting.
      if (event.detail > 0) node.blur();
      onClick();
    });
    return node;
  }

  drawClasses(classes) {
    this.classButtons = classes.map((c) => {
      const node = this.button("class", c.name, c.key, () => this.actions.choose(c.id));
      node.title = c.description ? `${c.name}: ${c.description}` : c.name;
      if (c.colour) node.style.borderInlineStart = `5px solid ${c.colour}`;
      if (c.examples.length > 0) {
        for (const name of ["pointerenter", "focus"]) {
          node.addEventListener(name, () => this.drawExamples(c));
        }
        for (const name of ["pointerleave", "blur"]) {
          node.addEventListener(name, () => this.drawExamples(null));
        }
      }
      if (!c.key) node.classList.add("keyless");
      const mark = make("span", "unseen"); // the mark for those who hear the page
      node.querySelector(".label").after(mark);
      return { node, mark, id: c.id, name: c.name };
    });
    this.grid.replaceChildren(...this.classButtons.map((b) => b.node));
    this.grid.classList.toggle("many", classes.length > 14);
    this.filter.hidden = classes.every((c) => c.key);
    this.filter.value = "";
  }

  // The example images of the class under the pointer, below everything so that nothing else moves.
  drawExamples(c) {
    this.examples.hidden = c === null;
    if (c === null) return;
    const pictures = c.examples.map((url) => {
      const picture = make("img");
      picture.src = url;
      picture.alt = `Example of ${c.name}`;
      return picture;
    });
    this.examples.replaceChildren(make("div", "examples-title", `Examples of ${c.name}`), ...pictures);
  }

  applyFilter() {
    const wanted = this.filter.value.trim().toLowerCase();
    for (const b of this.classButtons) {
      b.node.hidden = wanted !== "" && !b.name.toLowerCase().includes(wanted);
    }
  }

  onFilterKey(event) {
    if (event.isComposing || event.repeat) return;
    if (event.key === "Enter") {
      const first = this.classButtons.find((b) => !b.node.hidden);
      if (this.filter.value.trim() !== "" && first) this.actions.choose(first.id);
    }
    if (event.key === "Enter" || event.key === "Escape") {
      event.preventDefault();
      this.filter.value = "";
      this.applyFilter();
      this.filter.blur();
    }
  }

  flash(classId) {
    const chosen = this.classButtons.find((b) => b.id === classId);
    if (!chosen) return;
    chosen.node.classList.add("chosen");
    setTimeout(() => chosen.node.classList.remove("chosen"), FLASH_MS);
  }

  drawHead(title, answered, total) {
    this.title.textContent = title;
    const percent = total > 0 ? (100 * answered) / total : 0;
    this.meterFill.style.width = `${percent}%`;
    this.meter.setAttribute("aria-valuemin", "0");
    this.meter.setAttribute("aria-valuemax", String(total));
    this.meter.setAttribute("aria-valuenow", String(answered));
    this.count.replaceChildren(
      make("strong", "", `${answered} of ${total}`),
      make("span", "left", `${total - answered} left`),
    );
  }

  drawSaved(unsaved, failing) {
    this.root.dataset.unsaved = String(unsaved);
    this.saved.classList.toggle("failing", failing);
    const text = unsaved === 0 ? "All saved" : `${unsaved} unsaved`;
    this.saved.textContent = failing ? `${text} · waiting for the server` : text;
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
      make("span", "name", suggestion.name),
      make("span", "muted", `  ${percent} %`),
      make("span", "calibration", calibration),
    );
  }

  // Class ids that the image probably has, best first; `promise` is null where the round has none.
  // The line keeps its place without a set, so that nothing moves from image to image.
  drawLikely(ids, promise) {
    for (const b of this.classButtons) {
      const marked = ids.includes(b.id);
      b.node.classList.toggle("likely-class", marked);
      b.mark.textContent = marked ? "likely" : "";
    }
    this.likely.hidden = promise === null;
    this.grid.classList.toggle("marked", promise !== null);
    if (promise === null) return;
    const names = ids.map((id) => this.classButtons.find((b) => b.id === id)?.name);
    const text = names.filter((name) => name !== undefined).join(", ");
    this.likely.title = text ? `${text}. ${promise.words}` : "";
    const lead = `${names.length === 1 ? "Only this" : "One of these"} (${promise.level}): `;
    this.likely.replaceChildren(
      ...(text ? [make("span", "muted", lead), make("span", "names", text)] : []),
    );
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
    this.viewer.dispose();
    this.root.replaceChildren();
  }
}
