// Draws all points into the pixels of a canvas. 100,000 points are a few milliseconds: no element, no path
// and no shader each, so it is as fast without a graphics card.

export class Painter {
  constructor() {
    this.canvas = document.createElement("canvas");
    // Its pixels stay in the memory of the processor, where they are written.
    this.context = this.canvas.getContext("2d", { alpha: false, willReadFrequently: true });
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
    const colours = some ? pale : groups;
    const half = side >> 1;
    for (let i = 0; i < count; i += 1) {
      const column = Math.floor(left + x[i] * scale + 0.5);
      const row = Math.floor(top - y[i] * scale + 0.5);
      if (column < -side || row < -side || column >= wide + side || row >= high + side) continue;
      const group = of[i];
      if (some && (selected !== null ? selected[i] === 1 : group === chosen)) marked.push(i, column, row);
      else if (side > 3 || column < 2 || row < 2 || column > wide - 3 || row > high - 3) {
        dot(pixels, wide, high, column, row, side, colours[group]);
      } else {
        const colour = colours[group]; // a small square, well inside
        let at = (row - half) * wide + column - half;
        for (let k = 0; k < side; k += 1, at += wide) {
          pixels[at] = colour;
          pixels[at + 1] = colour;
          if (side === 3) pixels[at + 2] = colour;
        }
      }
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
    return Math.max(2, Math.round((alone + Math.min(5, Math.log2(zoom))) * this.ratio));
  }
}

// Of each row of a disc with this side: the pixels that are left out at both ends.
const discs = new Map();
function discOf(side) {
  if (!discs.has(side)) {
    const radius = side / 2;
    const left = (row) => Math.round(radius - Math.sqrt(radius ** 2 - (row + 0.5 - radius) ** 2));
    discs.set(side, Uint8Array.from({ length: side }, (_, row) => (side < 4 ? 0 : left(row))));
  }
  return discs.get(side);
}

function dot(pixels, wide, high, column, row, side, colour) {
  const insets = discOf(side);
  const left = column - (side >> 1);
  const top = row - (side >> 1);
  for (let k = 0; k < side; k += 1) {
    const y = top + k;
    if (y < 0 || y >= high) continue;
    const from = y * wide + Math.max(0, left + insets[k]);
    const to = y * wide + Math.min(wide, left + side - insets[k]);
    for (let at = from; at < to; at += 1) pixels[at] = colour;
  }
}

const probe = document.createElement("canvas");
probe.width = probe.height = 1;

const ENOUGH = 3; // to 1: the contrast that WCAG 2.2 asks of graphics (1.4.11)

// The CSS colour, mixed with ink until it stands out from the paper.
export function legible(colour, ink, paper) {
  const ground = luminance(pixelOf(paper));
  for (let tenths = 10; tenths > 0; tenths -= 1) {
    const pixel = pixelOf(colour, tenths / 10, ink);
    const [dark, light] = [luminance(pixel), ground].sort((one, other) => one - other);
    if ((light + 0.05) / (dark + 0.05) >= ENOUGH) return `rgb(${partsOf(pixel).join(" ")})`;
  }
  return ink;
}

const partsOf = (pixel) => [...new Uint8Array(Uint32Array.of(pixel).buffer)].slice(0, 3);

// Relative luminance in sRGB, as WCAG defines it.
function luminance(pixel) {
  const linear = partsOf(pixel).map((part) => (part <= 10 ? part / 255 / 12.92 : ((part / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
}

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
