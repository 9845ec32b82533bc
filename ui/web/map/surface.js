// What is drawn of the map: all points on one canvas, and what lies over them on another.

import { make } from "../shared/make.js";
import { legible, Painter, pixelOf } from "./painter.js";

const PALE = 0.22; // of a point beside the chosen or selected ones

export class Surface {
  constructor(map) {
    this.map = map;
    this.painter = new Painter();
    this.overlay = make("canvas", "overlay");
    this.look = null; // colours as pixels
    this.frame = null;
  }

  // Colours as pixels, which the legend shows too; they are made again where the theme has changed.
  colours() {
    const { map } = this;
    const style = getComputedStyle(map.root);
    const ink = style.color;
    const paper = style.getPropertyValue("--st-background-color").trim() || "#fff";
    if (this.look?.key === ink + paper) return this.look;
    const quiet = pixelOf(ink, 0.28, paper);
    for (const group of map.colouring.groups) group.shown = group.colour && legible(group.colour, ink, paper);
    const of = (share) => Uint32Array.from(map.colouring.groups, ({ shown }) =>
      shown === null ? (share === 1 ? quiet : pixelOf(ink, 0.12, paper)) : pixelOf(shown, share, paper));
    this.look = { key: ink + paper, ink: pixelOf(ink, 1, paper), paper: pixelOf(paper), groups: of(1), pale: of(PALE), css: ink };
    map.legend.show(map.colouring.groups, map.chosen);
    return this.look;
  }

  resize() {
    const { map } = this;
    const { clientWidth: width, clientHeight: height } = map.stage;
    if (width === 0 || height === 0) return;
    map.view.resize(width, height);
    this.painter.resize(width, height);
    [this.overlay.width, this.overlay.height] = [width, height];
    this.redraw();
  }

  redraw() {
    const { map } = this;
    if (this.frame || map.stopped) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    const { map } = this;
    if (this.painter.image === null) return;
    if (map.points === null) {
      this.painter.canvas.hidden = true;
      return;
    }
    this.painter.canvas.hidden = false;
    const look = this.colours();
    this.painter.draw(map.points, map.view, {
      ...look, of: map.colouring.of, chosen: map.chosen, selected: map.picked.length > 0 ? map.mask : null,
    });
    this.drawOver(look.css);
  }

  // A canvas that stays empty costs nothing, so it is cleared only where something was drawn.
  drawOver(ink) {
    const { map } = this;
    const some = map.lasso.active || map.tool === "rectangle" || map.hover.point >= 0;
    this.overlay.hidden = !some;
    if (!some) return;
    const context = this.overlay.getContext("2d");
    context.clearRect(0, 0, this.overlay.width, this.overlay.height);
    map.lasso.draw(context, ink);
    if (map.tool === "rectangle") map.rectangle.draw(context, ink);
    map.hover.draw(context, map.points, map.view, ink);
  }
}
