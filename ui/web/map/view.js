// What part of the map is on screen: from steps of the map to pixels of the screen, and back.

const MOST_ZOOM = 64;
const MARGIN = 18; // px around the whole map

export class View {
  constructor(steps) {
    this.steps = steps;
    this.width = this.height = 1;
    this.fit();
  }

  resize(width, height) {
    const before = this.width > 1 ? this.toSteps(this.width / 2, this.height / 2) : null;
    [this.width, this.height] = [width, height];
    if (before !== null) this.centre(...before);
  }

  // The whole map is on screen.
  fit() {
    this.zoom = 1;
    [this.x, this.y] = [this.steps / 2, this.steps / 2]; // steps in the middle of the screen
  }

  // Pixels of a step.
  get scale() {
    return (this.zoom * Math.max(1, Math.min(this.width, this.height) - 2 * MARGIN)) / this.steps;
  }

  centre(x, y) {
    const clamp = (value) => Math.max(0, Math.min(this.steps, value));
    [this.x, this.y] = [clamp(x), clamp(y)];
  }

  toPixels(x, y) {
    return [this.width / 2 + (x - this.x) * this.scale, this.height / 2 - (y - this.y) * this.scale];
  }

  toSteps(left, top) {
    return [this.x + (left - this.width / 2) / this.scale, this.y - (top - this.height / 2) / this.scale];
  }

  pan(right, down) {
    this.centre(this.x - right / this.scale, this.y + down / this.scale);
  }

  // What is at this place of the screen stays there.
  zoomBy(factor, left = this.width / 2, top = this.height / 2) {
    const [x, y] = this.toSteps(left, top);
    this.zoom = Math.max(1, Math.min(MOST_ZOOM, this.zoom * factor));
    const [newX, newY] = this.toSteps(left, top);
    this.centre(this.x + x - newX, this.y + y - newY);
  }
}
