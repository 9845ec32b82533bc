// From point to point by keys: first the point that is nearest to the middle of what is on screen, then the next
// nearest ones. It begins again where the map was moved.

const MOST = 200; // points of one walk

export class Walk {
  constructor() {
    this.order = [];
    this.at = -1;
    this.from = "";
  }

  // The next point (`by` 1) or the one before (-1); -1 where no point is on screen.
  step(points, view, by) {
    const from = [points.count, view.x, view.y, view.zoom, view.width, view.height].join(" ");
    if (from !== this.from) {
      this.from = from;
      this.order = this.around(points, view);
      this.at = by > 0 ? -1 : 0;
    }
    const { length } = this.order;
    if (length === 0) return -1;
    this.at = (this.at + by + length) % length;
    return this.order[this.at];
  }

  around(points, view) {
    const far = (i) => (points.x[i] - view.x) ** 2 + (points.y[i] - view.y) ** 2;
    const [x0, y1] = view.toSteps(0, 0);
    const [x1, y0] = view.toSteps(view.width, view.height);
    let reach = Math.max(1, (x1 - x0) / 64);
    let found = [];
    // A box that grows until it holds enough points, or all that is on screen.
    do {
      found = [];
      const [left, right] = [Math.max(x0, view.x - reach), Math.min(x1, view.x + reach)];
      const [low, high] = [Math.max(y0, view.y - reach), Math.min(y1, view.y + reach)];
      points.near(left, low, right, high, (i) => {
        const { x, y } = points;
        if (x[i] >= left && x[i] <= right && y[i] >= low && y[i] <= high) found.push(i);
      });
      reach *= 2;
    } while (found.length < MOST && reach < 2 * Math.max(x1 - x0, y1 - y0));
    return found.sort((a, b) => far(a) - far(b)).slice(0, MOST);
  }
}
