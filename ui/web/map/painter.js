// Draws all points into the pixels of a canvas. 100,000 points are a few milliseconds: no element, no path
// and no shader each, so it is as fast without a graphics card.

export class Painter {
  constructor() {
    this.canvas = document.createElement("canvas");
    this.context = this.canvas.getContext("2d", { alpha: false });
    this.image = null;
  }

  resize(width, height) {
    this.ratio = Math.min(2, window.devicePixelRatio || 1);
    const [wide, high] = [Math.max(1, Math.round(width * this.ratio)), Math.max(1, Math.round(height * this.ratio))];
    if (this.canvas.width === wide && this.canvas.height === high && this.image !== null) return;
    [this.canvas.width, this.canvas.height] = [wide, high];
    this.image = this.context.createImageData(wide, high);
    this.pixels = new Uint32Array(this.image.data.buffer);
  }

  // look: {paper, ink, groups: colours as numbers, of, chosen: group or null, selected: Uint8Array or null}.
  // A chosen group is drawn last and outlined, selected points too; all others are paler then.
  draw(points, view, look) {
    const { pixels } = this;
    const [wide, high] = [this.canvas.width, this.canvas.height];
    const { of, groups, pale, paper, ink, chosen, selected } = look;
    pixels.fill(paper);
    const scale = view.scale * this.ratio;
    const left = wide / 2 - view.x * scale;
    const top = high / 2 + view.y * scale;
    const side = this.sideOf(points.count, view.zoom);
    const { x, y, count } = points;
    const marked = [];
    const some = chosen !== null || selected !== null;
    for (let i = 0; i < count; i += 1) {
      const column = Math.round(left + x[i] * scale);
      const row = Math.round(top - y[i] * scale);
      if (column < -side || row < -side || column >= wide + side || row >= high + side) continue;
      if (some && (selected !== null ? selected[i] === 1 : of[i] === chosen)) marked.push(i, column, row);
      else dot(pixels, wide, high, column, row, side, some ? pale[of[i]] : groups[of[i]]);
    }
    for (let k = 0; k < marked.length; k += 3) dot(pixels, wide, high, marked[k + 1], marked[k + 2], side + 2, ink);
    for (let k = 0; k < marked.length; k += 3) {
      dot(pixels, wide, high, marked[k + 1], marked[k + 2], side, groups[of[marked[k]]]);
    }
    this.context.putImageData(this.image, 0, 0);
  }

  // Pixels of the side of a point: larger where there are few, and where the map is zoomed in.
  sideOf(count, zoom) {
    const alone = count > 50000 ? 2 : count > 5000 ? 3 : count > 500 ? 5 : 8;
    return Math.round((alone + Math.min(5, Math.log2(zoom))) * this.ratio);
  }
}

function dot(pixels, wide, high, column, row, side, colour) {
  const half = side >> 1;
  const [x0, x1] = [Math.max(0, column - half), Math.min(wide, column - half + side)];
  const [y0, y1] = [Math.max(0, row - half), Math.min(high, row - half + side)];
  const corner = side > 3 ? 1 : 0; // without its corners, a small square looks round
  for (let y = y0; y < y1; y += 1) {
    const edge = y === row - half || y === row - half + side - 1 ? corner : 0;
    const from = y * wide;
    for (let x = x0 + edge; x < x1 - edge; x += 1) pixels[from + x] = colour;
  }
}

const probe = document.createElement("canvas");
probe.width = probe.height = 1;

// A CSS colour as a pixel, laid with this share over another.
export function pixelOf(colour, share = 1, under = "#fff") {
  const context = probe.getContext("2d", { willReadFrequently: true });
  context.globalAlpha = 1;
  context.fillStyle = under;
  context.fillRect(0, 0, 1, 1);
  context.globalAlpha = share;
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer)[0];
}
