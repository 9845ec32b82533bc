// Wheel, pinch, drag and double click on a frame, told as zooming and moving.
//
//   zoom(factor, x, y)   x and y from the centre of the frame, in CSS pixels
//   move(dx, dy)
//   toggle(x, y)         a double click

const WHEEL = 0.0016; // of a zoom for each pixel that a wheel says
const LINE = 30; // pixels of a wheel that counts lines
const PINCHED = 6; // a pinch on a touch pad is told in smaller numbers

export class Gestures {
  constructor(node, { zoom, move, toggle }) {
    this.node = node;
    this.tell = { zoom, move, toggle };
    this.pointers = new Map();
    this.listeners = {
      wheel: (event) => this.onWheel(event),
      pointerdown: (event) => this.onDown(event),
      pointermove: (event) => this.onMove(event),
      pointerup: (event) => this.onUp(event),
      pointercancel: (event) => this.onUp(event),
      dblclick: (event) => this.tell.toggle(...this.place(event)),
    };
    for (const [name, listener] of Object.entries(this.listeners)) {
      node.addEventListener(name, listener, { passive: false });
    }
  }

  place(event) {
    const box = this.node.getBoundingClientRect();
    return [event.clientX - box.left - box.width / 2, event.clientY - box.top - box.height / 2];
  }

  onWheel(event) {
    event.preventDefault();
    const pixels = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? event.deltaY : LINE * event.deltaY;
    this.tell.zoom(Math.exp(-pixels * WHEEL * (event.ctrlKey ? PINCHED : 1)), ...this.place(event));
  }

  onDown(event) {
    if (event.button !== 0) return;
    this.node.setPointerCapture(event.pointerId);
    this.pointers.set(event.pointerId, this.place(event));
  }

  onMove(event) {
    const before = this.pointers.get(event.pointerId);
    if (before === undefined) return;
    const after = this.place(event);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId);
    this.pointers.set(event.pointerId, after);
    if (other === undefined) {
      this.tell.move(after[0] - before[0], after[1] - before[1]);
      return;
    }
    const [x, y] = other[1];
    const apart = (point) => Math.hypot(point[0] - x, point[1] - y);
    if (apart(before) < 1) return;
    // The point between both fingers moves half as far as the finger.
    this.tell.move((after[0] - before[0]) / 2, (after[1] - before[1]) / 2);
    this.tell.zoom(apart(after) / apart(before), (after[0] + x) / 2, (after[1] + y) / 2);
  }

  onUp(event) {
    this.pointers.delete(event.pointerId);
  }

  dispose() {
    for (const [name, listener] of Object.entries(this.listeners)) {
      this.node.removeEventListener(name, listener);
    }
  }
}
