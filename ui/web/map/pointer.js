// What the pointer does on the map: it moves and zooms the map, draws a lasso or the rectangle, and opens an image.

const CLICK = 4; // px that a click may move
const WHEEL = 0.0016;

export class Pointer {
  constructor(map) {
    this.map = map;
    this.pointers = new Map(); // those that are down -> where
    const on = (name, work) => map.stage.addEventListener(name, work, { passive: false });
    on("pointerdown", (event) => this.onDown(event));
    on("pointermove", (event) => this.onMove(event));
    on("pointerup", (event) => this.onUp(event));
    on("pointercancel", (event) => this.onUp(event, true));
    on("pointerleave", () => map.hover.hide());
    on("wheel", (event) => this.onWheel(event));
  }

  place(event) {
    const { map } = this;
    const box = map.stage.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  onDown(event) {
    const { map } = this;
    if (event.button !== 0 || map.points === null) return;
    map.stage.setPointerCapture(event.pointerId);
    const at = this.place(event);
    this.pointers.set(event.pointerId, at);
    this.began = at;
    this.moved = false;
    map.hover.hide();
    if (this.pointers.size > 1) map.lasso.end();
    else if (event.shiftKey || map.tool === "lasso") map.lasso.begin(at);
    else if (map.tool === "rectangle") map.rectangle.drag(at);
  }

  onMove(event) {
    const { map } = this;
    const at = this.place(event);
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) {
      if (map.points !== null && event.pointerType !== "touch") map.hoverAt(at);
      return;
    }
    this.pointers.set(event.pointerId, at);
    this.moved = this.moved || Math.hypot(at[0] - this.began[0], at[1] - this.began[1]) > CLICK;
    if (this.pointers.size === 2) this.pinch(event.pointerId, before, at);
    else if (map.lasso.active) map.lasso.add(at);
    else if (map.tool === "rectangle") map.rectangle.dragTo(at);
    else map.view.pan(at[0] - before[0], at[1] - before[1]);
    map.redraw();
  }

  pinch(id, before, now) {
    const { map } = this;
    const [, other] = [...this.pointers].find(([each]) => each !== id);
    const far = (point) => Math.max(1, Math.hypot(point[0] - other[0], point[1] - other[1]));
    map.view.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
    map.view.zoomBy(far(now) / far(before), (now[0] + other[0]) / 2, (now[1] + other[1]) / 2);
  }

  onUp(event, cancelled = false) {
    const { map } = this;
    if (!this.pointers.delete(event.pointerId)) return;
    const at = this.place(event);
    if (map.lasso.active) {
      const line = map.lasso.end();
      if (!cancelled) map.select(this.moved ? line : null);
    } else if (map.tool === "rectangle") {
      if (this.moved && !cancelled) map.select(map.rectangle.line());
    } else if (!this.moved && !cancelled) map.openAt(at);
    map.redraw();
  }

  onWheel(event) {
    const { map } = this;
    event.preventDefault();
    const lines = event.deltaMode === 1 ? 30 : 1;
    map.hover.hide();
    map.view.zoomBy(Math.exp(-event.deltaY * lines * WHEEL), ...this.place(event));
    map.redraw();
  }
}
