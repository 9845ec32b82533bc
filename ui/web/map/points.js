// The points of the map: read from the server's bytes, found by place, and counted.
// Positions are whole steps from 0 to `steps`, with the same scale in both directions; y goes up.

const TYPES = { uint16: Uint16Array, uint32: Uint32Array, float64: Float64Array };
export const UNKNOWN = 65535; // the uncertainty of a point without a prediction
export const FIRST_CLASS = 3; // label and prediction: 0 none, 1 skipped, 2 cannot tell, then the classes
const CELLS = 256; // cells of the lookup in each direction

export class Points {
  // buffer: see `MapPoints.packed` of the server.
  constructor(buffer) {
    const size = new DataView(buffer).getUint32(0, true);
    this.head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, size)));
    const columns = {};
    for (const { name, type, at, length } of this.head.columns) columns[name] = new TYPES[type](buffer, 4 + size + at, length);
    Object.assign(this, columns); // image, x, y, label, predicted, uncertainty, round
    this.count = this.image.length;
    this.steps = this.head.steps;
    this.buildCells();
  }

  buildCells() {
    const width = (this.steps + 1) / CELLS;
    const cell = new Uint16Array(this.count);
    this.starts = new Uint32Array(CELLS * CELLS + 1);
    for (let i = 0; i < this.count; i += 1) {
      cell[i] = Math.floor(this.y[i] / width) * CELLS + Math.floor(this.x[i] / width);
      this.starts[cell[i] + 1] += 1;
    }
    for (let k = 1; k < this.starts.length; k += 1) this.starts[k] += this.starts[k - 1];
    const next = this.starts.slice();
    this.byCell = new Uint32Array(this.count);
    for (let i = 0; i < this.count; i += 1) this.byCell[next[cell[i]]++] = i;
    this.cellWidth = width;
  }

  // Calls see(i) for the points whose cell touches this box of steps.
  near(x0, y0, x1, y1, see) {
    const clamp = (value) => Math.max(0, Math.min(CELLS - 1, Math.floor(value / this.cellWidth)));
    for (let row = clamp(y0); row <= clamp(y1); row += 1) {
      const from = this.starts[row * CELLS + clamp(x0)];
      const to = this.starts[row * CELLS + clamp(x1) + 1];
      for (let k = from; k < to; k += 1) see(this.byCell[k]);
    }
  }

  // The nearest point within `reach` steps, or -1.
  nearest(x, y, reach) {
    let best = -1;
    let least = reach * reach;
    this.near(x - reach, y - reach, x + reach, y + reach, (i) => {
      const distance = (this.x[i] - x) ** 2 + (this.y[i] - y) ** 2;
      if (distance <= least) [best, least] = [i, distance];
    });
    return best;
  }

  // The points inside a closed line of whole steps [[x, y], ...], by the even-odd rule, in increasing order.
  inside(line) {
    const xs = line.map(([x]) => x);
    const ys = line.map(([, y]) => y);
    const found = [];
    this.near(Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys), (i) => {
      if (encloses(xs, ys, this.x[i], this.y[i])) found.push(i);
    });
    return found.sort((a, b) => a - b);
  }
}

function encloses(xs, ys, x, y) {
  let odd = false;
  for (let i = 0, j = xs.length - 1; i < xs.length; j = i, i += 1) {
    if (ys[i] > y !== ys[j] > y && x < ((xs[j] - xs[i]) * (y - ys[i])) / (ys[j] - ys[i]) + xs[i]) odd = !odd;
  }
  return odd;
}
