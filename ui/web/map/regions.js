// Regions of the screen that select points: a lasso drawn with the pointer, and a rectangle for the keyboard.
// All places are pixels of the stage.

const APART = 3; // px between two corners of a lasso
const MOST_CORNERS = 400;
const MOVE = 20; // px of an arrow key
const LEAST = 20; // px of a side

export class Lasso {
  constructor() {
    this.line = null;
  }

  get active() {
    return this.line !== null;
  }

  begin(at) {
    this.line = [at];
  }

  add(at) {
    const last = this.line[this.line.length - 1];
    if (Math.hypot(at[0] - last[0], at[1] - last[1]) >= APART) this.line.push(at);
  }

  // The closed line that was drawn, with at most MOST_CORNERS corners.
  end() {
    const line = this.line ?? [];
    this.line = null;
    const every = Math.ceil(line.length / MOST_CORNERS);
    return every <= 1 ? line : line.filter((_, k) => k % every === 0);
  }

  draw(context, ink) {
    if (this.line !== null) outline(context, this.line, ink);
  }
}

export class Rectangle {
  constructor() {
    [this.x, this.y, this.width, this.height] = [0, 0, 0, 0];
  }

  // In the middle of a stage of this size, a third of it.
  begin(width, height) {
    [this.limitX, this.limitY] = [width, height];
    if (this.width > 0) return;
    [this.width, this.height] = [Math.round(width / 3), Math.round(height / 3)];
    [this.x, this.y] = [Math.round(width / 3), Math.round(height / 3)];
  }

  move(right, down) {
    this.x = Math.max(0, Math.min(this.limitX - this.width, this.x + right * MOVE));
    this.y = Math.max(0, Math.min(this.limitY - this.height, this.y + down * MOVE));
  }

  grow(right, down) {
    this.width = Math.max(LEAST, Math.min(this.limitX - this.x, this.width + right * MOVE));
    this.height = Math.max(LEAST, Math.min(this.limitY - this.y, this.height + down * MOVE));
  }

  drag(at) {
    this.from = at;
  }

  dragTo([x, y]) {
    [this.x, this.y] = [Math.min(x, this.from[0]), Math.min(y, this.from[1])];
    [this.width, this.height] = [Math.abs(x - this.from[0]), Math.abs(y - this.from[1])];
  }

  line() {
    const [x, y, right, bottom] = [this.x, this.y, this.x + this.width, this.y + this.height];
    return [[x, y], [right, y], [right, bottom], [x, bottom]];
  }

  draw(context, ink) {
    outline(context, this.line(), ink);
  }
}

function outline(context, line, ink) {
  context.beginPath();
  line.forEach(([x, y], k) => (k === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.closePath();
  context.globalAlpha = 0.1;
  context.fillStyle = ink;
  context.fill();
  context.globalAlpha = 1;
  context.strokeStyle = ink;
  context.lineWidth = 1.5;
  context.setLineDash([6, 4]);
  context.stroke();
  context.setLineDash([]);
}
