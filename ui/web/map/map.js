// The map: every image is a point; images that the model sees alike lie close together.

import { openCard } from "../card/card.js";
import { coloursOf } from "../shared/class_look.js";
import { keys } from "../shared/keys.js";
import { make } from "../shared/make.js";
import { Server } from "../shared/server.js";
import { Actions } from "./actions.js";
import { coloured, WAYS } from "./colouring.js";
import { Hover } from "./hover.js";
import { Layouts } from "./layouts.js";
import { Legend } from "./legend.js";
import { Painter, pixelOf } from "./painter.js";
import { Points } from "./points.js";
import { Rectangle, Lasso } from "./regions.js";
import { View } from "./view.js";

const PALE = 0.22; // of a point beside the chosen or selected ones
const CLICK = 4; // px that a click may move
const STEP = 60; // px of an arrow key
const WHEEL = 0.0016;
const SHEET = [
  ["← → ↑ ↓", "move the map; with the rectangle, move the rectangle"],
  ["Shift and arrows", "make the rectangle larger or smaller"],
  ["+ and -", "zoom in and out"],
  ["0", "show the whole map"],
  ["l", "draw a lasso with the pointer; Shift and drag does so at any time"],
  ["r", "a rectangle that the arrow keys move"],
  ["Enter", "select the images in the rectangle"],
  ["Escape", "put the rectangle away, then select nothing"],
];

class FeatureMap {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.points = null;
    this.view = new View(65534);
    this.painter = new Painter();
    this.chosen = null; // a group of the legend
    this.picked = []; // selected points
    this.region = null;
    this.tool = "move";
    this.pointers = new Map();
    this.stopped = false;
    this.server = new Server(() => this.data.base, (reason) => this.say(reason));
    this.build();
    this.leaveKeys = keys.enter("map", (press) => this.takeKey(press), { sheet: () => SHEET });
    this.watcher = new ResizeObserver(() => this.resize());
    this.watcher.observe(this.stage);
    this.load();
    this.layouts.look();
  }

  build() {
    const bar = make("div", "bar");
    this.layouts = new Layouts(this.server, () => this.data.base, (layout) => this.open(layout));
    this.way = make("select", "field");
    this.way.setAttribute("aria-label", "Coloured by");
    for (const [value, words] of WAYS) this.way.append(new Option(words, value));
    this.way.addEventListener("change", () => this.recolour());
    const colour = make("label", "pick");
    colour.append(make("span", "title", "Coloured by"), this.way);
    const tools = make("div", "tools");
    tools.setAttribute("role", "group");
    tools.setAttribute("aria-label", "Pointer and zoom");
    const button = (words, key, work) => {
      const made = make("button", "quiet", words);
      made.type = "button";
      made.title = key ? `${words} (${key})` : words;
      if (key) made.setAttribute("aria-keyshortcuts", key);
      made.addEventListener("click", work);
      tools.append(made);
      return made;
    };
    this.buttons = {
      move: button("Move", "m", () => this.use("move")),
      lasso: button("Lasso", "l", () => this.use("lasso")),
      rectangle: button("Rectangle", "r", () => this.use("rectangle")),
    };
    button("Zoom in", "+", () => this.zoom(1.5));
    button("Zoom out", "-", () => this.zoom(1 / 1.5));
    button("Whole map", "0", () => this.fit());
    bar.append(this.layouts.node, colour, tools, this.layouts.said);
    this.stage = make("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", "Map of the images. The table beside it says how many are selected.");
    this.overlay = make("canvas", "overlay");
    this.hover = new Hover(() => this.data);
    this.message = make("div", "message", "The map is loading…");
    this.message.setAttribute("role", "status");
    this.stage.append(this.painter.canvas, this.overlay, this.hover.node, this.message);
    this.lasso = new Lasso();
    this.rectangle = new Rectangle();
    this.legend = new Legend((group) => this.choose(group));
    this.actions = new Actions(this.server, {
      data: () => this.data,
      onClear: () => this.select(null),
      onStored: () => this.load(),
      onFocus: () => this.stage.focus({ preventScroll: true }),
    });
    const side = make("div", "side");
    side.append(this.actions.node, this.legend.node);
    const body = make("div", "body");
    body.append(this.stage, side);
    this.root.append(bar, body);
    const on = (name, work) => this.stage.addEventListener(name, work, { passive: false });
    on("pointerdown", (event) => this.onDown(event));
    on("pointermove", (event) => this.onMove(event));
    on("pointerup", (event) => this.onUp(event));
    on("pointercancel", (event) => this.onUp(event, true));
    on("pointerleave", () => this.hover.hide());
    on("wheel", (event) => this.onWheel(event));
    this.use("move");
  }

  // ------------------------------------------------------------------------------------- loading
  open(layout) {
    this.layout = layout;
    this.select(null);
    this.view.fit();
    this.load();
  }

  async load() {
    const layout = this.layouts.chosen;
    try {
      const response = await fetch(`${this.data.base}/map?layout=${layout}`, { credentials: "same-origin", cache: "no-cache" });
      if (!response.ok) {
        const reply = await response.json();
        this.points = null;
        this.layouts.note(reply.code === "not_computed");
        this.say(reply.reason ?? "The server does not give the map.");
        return;
      }
      const tag = response.headers.get("ETag");
      if (this.points !== null && tag === this.tag) return;
      const buffer = await response.arrayBuffer();
      if (this.stopped || layout !== this.layouts.chosen) return;
      this.tag = tag;
      this.take(new Points(buffer));
    } catch {
      this.say("The server does not answer. The map is loaded again by itself.");
      this.timer = setTimeout(() => this.load(), 3000);
    }
  }

  // New points; what was selected stays selected.
  take(points) {
    const kept = new Set(this.points === null ? [] : this.picked.map((i) => this.points.image[i]));
    this.points = points;
    this.view.steps = points.steps;
    if (this.picked.length === 0) this.region = null;
    this.picked = [];
    for (let i = 0; kept.size > 0 && i < points.count; i += 1) if (kept.has(points.image[i])) this.picked.push(i);
    this.layouts.tell(points.head);
    this.say("");
    this.recolour(true);
    this.showPicked();
    this.root.dataset.points = String(points.count);
  }

  say(words) {
    this.message.textContent = words;
    this.message.hidden = words === "";
    this.redraw();
  }

  // ------------------------------------------------------------------------------------ drawing
  recolour(keep = false) {
    if (this.points === null) return;
    if (!keep) this.chosen = null;
    this.colouring = coloured(this.points, this.way.value, coloursOf(this.data.classes));
    this.look = null;
    this.legend.show(this.colouring.groups, this.chosen);
    this.redraw();
  }

  choose(group) {
    this.chosen = this.chosen === group ? null : group;
    this.legend.show(this.colouring.groups, this.chosen);
    this.redraw();
  }

  // Colours as pixels; they are read again where the theme may have changed.
  colours() {
    const style = getComputedStyle(this.root);
    const ink = style.color;
    const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
    if (this.look?.key === ink + paper) return this.look;
    const quiet = pixelOf(ink, 0.28, paper);
    const of = (share) => Uint32Array.from(this.colouring.groups, ({ colour }) =>
      colour === null ? (share === 1 ? quiet : pixelOf(ink, 0.12, paper)) : pixelOf(colour, share, paper));
    this.look = { key: ink + paper, ink: pixelOf(ink, 1, paper), paper: pixelOf(paper), groups: of(1), pale: of(PALE), css: ink };
    return this.look;
  }

  resize() {
    const { clientWidth: width, clientHeight: height } = this.stage;
    if (width === 0 || height === 0) return;
    this.view.resize(width, height);
    this.painter.resize(width, height);
    [this.overlay.width, this.overlay.height] = [width, height];
    this.redraw();
  }

  redraw() {
    if (this.frame || this.stopped) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    if (this.painter.image === null) return;
    if (this.points === null) {
      this.painter.canvas.hidden = true;
      return;
    }
    this.painter.canvas.hidden = false;
    const look = this.colours();
    this.painter.draw(this.points, this.view, {
      ...look, of: this.colouring.of, chosen: this.chosen, selected: this.picked.length > 0 ? this.mask : null,
    });
    this.drawOver(look.css);
  }

  // A canvas that stays empty costs nothing, so it is cleared only where something was drawn.
  drawOver(ink) {
    const some = this.lasso.active || this.tool === "rectangle" || this.hover.point >= 0;
    this.overlay.hidden = !some;
    if (!some) return;
    const context = this.overlay.getContext("2d");
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    this.lasso.draw(context, ink);
    if (this.tool === "rectangle") this.rectangle.draw(context, ink);
    this.hover.draw(context, this.points, this.view, ink);
  }

  // ----------------------------------------------------------------------------------- selecting
  // line: a closed line of pixels, or null to select nothing.
  select(line) {
    this.region = null;
    this.picked = [];
    if (line !== null && this.points !== null && line.length > 2) {
      this.region = line.map(([left, top]) => this.view.toSteps(left, top).map(Math.round));
      this.picked = this.points.inside(this.region);
      if (this.picked.length === 0) this.region = null;
    }
    this.showPicked();
    this.redraw();
  }

  showPicked() {
    this.mask = this.points === null ? null : new Uint8Array(this.points.count);
    for (const i of this.picked) this.mask[i] = 1;
    this.root.dataset.selected = String(this.picked.length);
    this.root.dataset.region = this.region === null ? "" : JSON.stringify(this.region);
    this.actions.show(this.points, this.picked, this.region);
  }

  use(tool) {
    this.tool = tool === this.tool ? "move" : tool;
    if (this.tool === "rectangle") this.rectangle.begin(this.view.width, this.view.height);
    for (const [name, button] of Object.entries(this.buttons)) button.setAttribute("aria-pressed", String(name === this.tool));
    this.stage.dataset.tool = this.tool;
    this.redraw();
  }

  // ------------------------------------------------------------------------------------ pointers
  place(event) {
    const box = this.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  onDown(event) {
    if (event.button !== 0 || this.points === null) return;
    this.stage.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.pointers.set(event.pointerId, at);
    this.began = at;
    this.moved = false;
    this.hover.hide();
    if (this.pointers.size > 1) this.lasso.end();
    else if (event.shiftKey || this.tool === "lasso") this.lasso.begin(at);
    else if (this.tool === "rectangle") this.rectangle.drag(at);
  }

  onMove(event) {
    const at = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      if (this.points !== null && event.pointerType !== "touch") this.hoverAt(at);
      return;
    }
    this.pointers.set(event.pointerId, at);
    this.moved = this.moved || Math.hypot(at[0] - this.began[0], at[1] - this.began[1]) > CLICK;
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, at);
    else if (this.lasso.active) this.lasso.add(at);
    else if (this.tool === "rectangle") this.rectangle.dragTo(at);
    else this.view.pan(at[0] - before[0], at[1] - before[1]);
    this.redraw();
  }

  pinch(id, before, now) {
    const [, other] = [...this.pointers].find(([each]) => each !== id);
    const far = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    this.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    this.view.zoomBy(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  onUp(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const at = this.place(event);
    if (this.lasso.active) {
      const line = this.lasso.end();
      if (!cancelled) this.select(this.moved ? line : null);
    } else if (this.tool === "rectangle") {
      if (this.moved && !cancelled) this.select(this.rectangle.line());
    } else if (!this.moved && !cancelled) this.openAt(at);
    this.redraw();
  }

  onWheel(event) {
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    this.hover.hide();
    this.view.zoomBy(Math.exp(-event.deltaY * lines * WHEEL), ...this.place(event));
    this.redraw();
  }

  pointAt([left, top]) {
    return this.points.nearest(...this.view.toSteps(left, top), 9 / this.view.scale);
  }

  hoverAt(at) {
    if (this.hover.show(this.points, this.pointAt(at), this.view)) this.redraw();
  }

  async openAt(at) {
    if (this.points === null) return;
    const i = this.pointAt(at);
    this.hover.show(this.points, i, this.view);
    this.redraw();
    const said = i < 0 ? null : await this.hover.said(this.points.image[i]);
    if (said !== null && !this.stopped) openCard(said.hash);
  }

  // ---------------------------------------------------------------------------------------- keys
  zoom(factor) {
    this.view.zoomBy(factor);
    this.hover.hide();
    this.redraw();
  }

  fit() {
    this.view.fit();
    this.redraw();
  }

  takeKey({ key, shift }) {
    if (this.points === null) return false;
    const [right, down] = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key] ?? [0, 0];
    if (right !== 0 || down !== 0) {
      if (this.tool !== "rectangle") this.view.pan(-right * STEP, -down * STEP);
      else if (shift) this.rectangle.grow(right, down);
      else this.rectangle.move(right, down);
    } else if (key === "+" || key === "=") this.zoom(1.5);
    else if (key === "-") this.zoom(1 / 1.5);
    else if (key === "0") this.fit();
    else if (key === "m") this.use("move");
    else if (key === "l") this.use("lasso");
    else if (key === "r") this.use("rectangle");
    else if (key === "enter" && this.tool === "rectangle") this.select(this.rectangle.line());
    else if (key === "escape") this.leaveOne();
    else return false;
    this.redraw();
    return true;
  }

  leaveOne() {
    if (this.tool !== "move") this.use("move");
    else if (this.picked.length > 0) this.select(null);
    else if (this.chosen !== null) this.choose(this.chosen);
  }

  update(data) {
    this.data = data;
    this.actions.offer();
    this.load();
  }

  dispose() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.leaveKeys();
    this.watcher.disconnect();
    this.layouts.dispose();
    this.hover.dispose();
    this.actions.dispose();
  }
}

export function mount(root, data) {
  root.dataset.map = "";
  return new FeatureMap(root, data);
}
