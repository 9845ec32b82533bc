// Which part of a picture is seen, and how large: numbers alone, nothing of the page.
//
// Lengths are CSS pixels. `scale` is CSS pixels for each pixel of the original picture. `x` and `y` say how
// far the centre of the picture is from the centre of the frame.

const MOST = 32; // largest scale, or the one that fills the frame if that is larger
const STEP = 1.25; // one press of a key
const READABLE = 160; // a short side that is filled is enlarged at most to this
const MARGIN = 16; // around a picture that is seen as a whole
const THIN = 64; // a picture whose short side would be thinner than this begins filled
const TINY = 160; // a picture with no longer side is shown as crisp squares
const TINY_SHOWN = 460; // larger squares are harder to read, not easier

export class View {
  constructor() {
    this.frame = { width: 0, height: 0 };
    this.picture = { width: 0, height: 0 };
    this.reset();
  }

  reset() {
    this.turn = 0; // quarter turns to the right
    this.mode = "whole"; // or "fill", or "free" once somebody zoomed
    this.scale = 1;
    this.x = 0;
    this.y = 0;
  }

  // A new picture, of this many pixels: seen as a whole, or filled where it would be too thin to read.
  begin(width, height) {
    this.picture = { width, height };
    this.reset();
    this.start();
  }

  start() {
    const { width, height } = this.picture;
    const shown = this.wholeScale * Math.min(width, height);
    this.fit(shown < THIN && this.fillScale > this.wholeScale ? "fill" : "whole");
  }

  resize(width, height) {
    const hidden = this.frame.width === 0;
    this.frame = { width, height };
    if (hidden) this.start();
    else if (this.mode === "free") this.clamp();
    else this.fit(this.mode);
  }

  // Width and height of the picture as it stands, in its own pixels.
  get size() {
    const { width, height } = this.picture;
    return this.turn % 2 === 0 ? { width, height } : { width: height, height: width };
  }

  get shown() {
    return { width: this.size.width * this.scale, height: this.size.height * this.scale };
  }

  get tiny() {
    return Math.max(this.picture.width, this.picture.height) <= TINY;
  }

  // Whole multiples keep the squares of a tiny picture equal; larger pictures fill the frame.
  get wholeScale() {
    const { width, height } = this.size;
    if (width === 0) return 1;
    const across = Math.max(1, this.frame.width - 2 * MARGIN);
    const down = Math.max(1, this.frame.height - 2 * MARGIN);
    const scale = Math.min(across / width, down / height);
    if (!this.tiny || scale < 2) return scale;
    return Math.floor(Math.min(scale, Math.max(1, TINY_SHOWN / Math.max(width, height))));
  }

  get fillScale() {
    const { width, height } = this.size;
    if (width === 0) return 1;
    const scale = Math.max(this.frame.width / width, this.frame.height / height);
    return Math.max(this.wholeScale, Math.min(scale, Math.max(1, READABLE / Math.min(width, height))));
  }

  // Whether the picture is longer than the frame in the direction that filling leaves over.
  get fillsWidth() {
    return this.size.width / this.size.height < this.frame.width / this.frame.height;
  }

  get least() {
    return Math.min(1, this.wholeScale);
  }

  get most() {
    return Math.max(MOST, this.fillScale);
  }

  fit(mode) {
    this.mode = mode;
    this.scale = mode === "fill" ? this.fillScale : this.wholeScale;
    this.x = 0;
    this.y = 0;
    if (mode !== "fill") return;
    // Begin where reading begins.
    this.x = Math.max(0, (this.shown.width - this.frame.width) / 2);
    this.y = Math.max(0, (this.shown.height - this.frame.height) / 2);
  }

  // `scale` around a point of the frame, counted from its centre: what is there stays there.
  zoomTo(scale, x = 0, y = 0) {
    const wanted = Math.min(this.most, Math.max(this.least, scale));
    const by = wanted / this.scale;
    this.x = x - (x - this.x) * by;
    this.y = y - (y - this.y) * by;
    this.scale = wanted;
    this.mode = wanted === this.wholeScale ? "whole" : "free";
    this.clamp();
  }

  zoomBy(factor, x = 0, y = 0) {
    this.zoomTo(this.scale * factor, x, y);
  }

  step(steps) {
    this.zoomBy(STEP ** steps);
  }

  rotate(turns) {
    this.turn = (((this.turn + turns) % 4) + 4) % 4;
    if (this.mode === "free") {
      const right = (((turns % 4) + 4) % 4) === 1;
      [this.x, this.y] = right ? [-this.y, this.x] : [this.y, -this.x];
      this.clamp();
    } else {
      this.fit(this.mode);
    }
  }

  // Whether a part of the picture is outside of the frame.
  get pannable() {
    return this.slack.width > 0.5 || this.slack.height > 0.5;
  }

  get slack() {
    const { width, height } = this.shown;
    return {
      width: Math.max(0, (width - this.frame.width) / 2),
      height: Math.max(0, (height - this.frame.height) / 2),
    };
  }

  // Moves the picture; false when it is at its end there.
  pan(dx, dy) {
    const before = [this.x, this.y];
    this.x += dx;
    this.y += dy;
    this.clamp();
    return this.x !== before[0] || this.y !== before[1];
  }

  clamp() {
    const { width, height } = this.slack;
    this.x = Math.min(width, Math.max(-width, this.x));
    this.y = Math.min(height, Math.max(-height, this.y));
  }

  // Where the frame stands on the picture, for each direction: [begin, share], both 0 to 1.
  get window() {
    const along = (shown, frame, offset) => {
      if (shown <= frame + 0.5) return [0, 1];
      return [((shown - frame) / 2 - offset) / shown, frame / shown];
    };
    return {
      across: along(this.shown.width, this.frame.width, this.x),
      down: along(this.shown.height, this.frame.height, this.y),
    };
  }
}
