// The map: every image is a point; images that the model sees alike lie close together.

import { openCard } from "../card/card.js";
import { coloursOf } from "../shared/class_look.js";
import { keys } from "../shared/keys.js";
import { make, say } from "../shared/make.js";
import { Server } from "../shared/server.js";
import { Actions } from "./actions.js";
import { coloured, WAYS } from "./colouring.js";
import { Hover } from "./hover.js";
import { Layouts } from "./layouts.js";
import { Legend } from "./legend.js";
import { Pointer } from "./pointer.js";
import { Points } from "./points.js";
import { SHEET, takeKey } from "./pressing.js";
import { Rectangle, Lasso } from "./regions.js";
import { Surface } from "./surface.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { Walk } from "./walk.js";

class FeatureMap {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.points = null;
    this.view = new View(65534);
    this.surface = new Surface(this);
    this.chosen = null; // a group of the legend
    this.picked = []; // selected points
    this.region = null;
    this.tool = "move";
    this.walk = new Walk();
    this.stopped = false;
    this.server = new Server(() => this.data.base, (reason) => this.say(reason));
    this.build();
    this.leaveKeys = keys.enter("map", (press) => takeKey(this, press), { sheet: () => SHEET });
    this.watcher = new ResizeObserver(() => this.surface.resize());
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
    this.tools = new Tools(this);
    bar.append(this.layouts.node, colour, this.tools.node, this.layouts.said);
    this.stage = make("div", "stage");
    this.stage.tabIndex = 0;
    this.stage.setAttribute("role", "application");
    this.stage.setAttribute("aria-label", "Map of the images. The table beside it says how many are selected.");
    this.hover = new Hover(() => this.data);
    this.message = make("div", "message", "The map is loading…");
    this.message.setAttribute("role", "status");
    this.said = make("div", "unseen");
    this.said.setAttribute("role", "status");
    this.stage.append(this.surface.painter.canvas, this.surface.overlay, this.hover.node, this.message, this.said);
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
    this.pointer = new Pointer(this);
    this.use("move");
  }

  // --------------------------------------------------------------------------------------------- loading
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
    this.message.replaceChildren(say(make("p"), words));
    this.message.hidden = words === "";
    this.redraw();
  }

  // --------------------------------------------------------------------------------------------- drawing
  recolour(keep = false) {
    if (this.points === null) return;
    if (!keep) this.chosen = null;
    this.colouring = coloured(this.points, this.way.value, coloursOf(this.data.classes));
    this.surface.look = null;
    this.surface.colours();
    this.redraw();
  }

  choose(group) {
    this.chosen = this.chosen === group ? null : group;
    this.legend.show(this.colouring.groups, this.chosen);
    this.redraw();
  }

  redraw() {
    this.surface.redraw();
  }

  // ------------------------------------------------------------------------------------------- selecting
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
    this.tools.show(this.tool);
    this.stage.dataset.tool = this.tool;
    this.redraw();
  }

  // --------------------------------------------------------------------------------------------- looking
  pointAt([left, top]) {
    return this.points.nearest(...this.view.toSteps(left, top), 9 / this.view.scale);
  }

  hoverAt(at) {
    if (this.hover.show(this.points, this.pointAt(at), this.view)) this.redraw();
  }

  async openAt(at) {
    if (this.points === null) return;
    this.hover.show(this.points, this.pointAt(at), this.view);
    this.redraw();
    await this.openPoint();
  }

  // The card of the point with the ring.
  async openPoint() {
    const i = this.hover.point;
    const said = i < 0 ? null : await this.hover.said(this.points.image[i]);
    if (said !== null && !this.stopped) openCard(said.hash);
  }

  async stepTo(by) {
    const i = this.walk.step(this.points, this.view, by);
    this.hover.show(this.points, i, this.view);
    this.redraw();
    if (i < 0) {
      this.said.textContent = "No image is on this part of the map.";
      return;
    }
    const said = await this.hover.said(this.points.image[i]);
    if (said !== null && i === this.hover.point) this.said.textContent = `${said.path}, ${this.hover.label.textContent}`;
  }

  // ---------------------------------------------------------------------------------------------- moving
  zoom(factor) {
    this.view.zoomBy(factor);
    this.hover.hide();
    this.redraw();
  }

  fit() {
    this.view.fit();
    this.redraw();
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
