// What is under the pointer: a ring around the point, its picture, and what is said of it.

import { make } from "../shared/make.js";
import { FIRST_CLASS, UNKNOWN } from "./points.js";

const STILL_MS = 60; // before the picture is asked for
const KEPT = 200;
const WORDS = ["", "Skipped (no class)", "Cannot tell"];

export class Hover {
  // data(): {base, version}
  constructor(data) {
    this.data = data;
    this.point = -1;
    this.known = new Map(); // image -> what the server says of it
    this.node = make("div", "tip");
    this.node.hidden = true;
    this.picture = make("img");
    this.picture.alt = "";
    this.name = make("bdi", "name");
    this.label = make("div", "line");
    this.model = make("div", "line muted");
    this.node.append(this.picture, this.name, this.label, this.model);
  }

  // True where something changed on screen.
  show(points, i, view) {
    if (i === this.point) return false;
    this.point = i;
    clearTimeout(this.timer);
    this.node.hidden = i < 0;
    if (i < 0) return true;
    const named = (value) => (value < FIRST_CLASS ? WORDS[value] : points.head.classes[value - FIRST_CLASS].name);
    this.label.replaceChildren(make("bdi", "", named(points.label[i]) || "No answer"));
    this.model.replaceChildren();
    if (points.predicted[i] >= FIRST_CLASS) {
      this.model.append("Prediction: ", make("bdi", "", named(points.predicted[i])));
      if (points.uncertainty[i] !== UNKNOWN) {
        const nats = (points.uncertainty[i] / points.steps) * points.head.most_entropy;
        this.model.append(`, uncertainty ${nats.toFixed(2)} nats`);
      }
    }
    const [left, top] = view.toPixels(points.x[i], points.y[i]);
    this.node.style.left = `${left < view.width / 2 ? left + 16 : left - 216}px`;
    this.node.style.top = `${Math.max(4, Math.min(view.height - 250, top - 60))}px`;
    this.picture.removeAttribute("src");
    this.name.textContent = "";
    const image = points.image[i];
    if (this.known.has(image)) this.fill(image);
    else this.timer = setTimeout(() => this.ask(image, i), STILL_MS);
    return true;
  }

  async ask(image, i) {
    const found = await this.said(image);
    if (found !== null && i === this.point) this.fill(image);
  }

  // What the server says of an image; null without a connection, when the words here are all there is.
  async said(image) {
    if (this.known.has(image)) return this.known.get(image);
    try {
      const response = await fetch(`${this.data().base}/map/images/${image}`, { credentials: "same-origin", cache: "no-store" });
      if (!response.ok) return null;
      this.known.set(image, await response.json());
    } catch {
      return null;
    }
    if (this.known.size > KEPT) this.known.delete(this.known.keys().next().value);
    return this.known.get(image);
  }

  fill(image) {
    const { hash, path } = this.known.get(image);
    this.name.textContent = path;
    this.picture.src = `${this.data().base}/image/${hash}?v=${this.data().version}&side=256`;
  }

  hide() {
    clearTimeout(this.timer);
    this.point = -1;
    this.node.hidden = true;
  }

  draw(context, points, view, ink) {
    if (this.point < 0 || this.point >= points.count) return;
    const [left, top] = view.toPixels(points.x[this.point], points.y[this.point]);
    context.beginPath();
    context.arc(left, top, 8, 0, 2 * Math.PI);
    context.strokeStyle = ink;
    context.lineWidth = 2;
    context.stroke();
  }

  dispose() {
    clearTimeout(this.timer);
  }
}
