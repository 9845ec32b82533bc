// Brightness and contrast of the picture on screen: for the eye alone, never stored.

import { make } from "./make.js";

const NEUTRAL = 100; // percent
const KINDS = [
  ["brightness", "Brightness"],
  ["contrast", "Contrast"],
];

export class Light {
  // onChange() is called after each change.
  constructor(onChange) {
    this.onChange = onChange;
    this.values = { brightness: NEUTRAL, contrast: NEUTRAL };
    this.panel = make("div", "light");
    this.panel.setAttribute("role", "group");
    this.panel.setAttribute("aria-label", "Brightness and contrast of the view");
    this.panel.hidden = true;
    this.sliders = KINDS.map(([kind, name]) => {
      const line = make("label", "light-line");
      const slider = make("input");
      slider.type = "range";
      slider.min = "20";
      slider.max = "300";
      slider.step = "5";
      slider.setAttribute("aria-label", name);
      slider.addEventListener("input", () => this.set(kind, Number(slider.value)));
      const value = make("span", "light-value");
      line.append(make("span", "", name), slider, value);
      this.panel.append(line);
      return { kind, slider, value };
    });
    const note = make("div", "muted", "Changes the view alone. The next image begins unchanged.");
    this.panel.append(note);
    this.draw();
  }

  get neutral() {
    return Object.values(this.values).every((value) => value === NEUTRAL);
  }

  // Of CSS; empty when nothing is changed, so that the pixels are those of the picture.
  get filter() {
    if (this.neutral) return "";
    return `brightness(${this.values.brightness}%) contrast(${this.values.contrast}%)`;
  }

  get words() {
    const changed = KINDS.filter(([kind]) => this.values[kind] !== NEUTRAL);
    return changed.map(([kind, name]) => `${name} ${this.values[kind]}\u00a0%`).join(", ");
  }

  set(kind, value) {
    this.values[kind] = value;
    this.draw();
    this.onChange();
  }

  reset() {
    if (this.neutral) return;
    this.values = { brightness: NEUTRAL, contrast: NEUTRAL };
    this.draw();
    this.onChange();
  }

  open(on) {
    this.panel.hidden = !on;
    if (on) this.sliders[0].slider.focus();
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  draw() {
    for (const { kind, slider, value } of this.sliders) {
      slider.value = String(this.values[kind]);
      value.textContent = `${this.values[kind]}\u00a0%`;
    }
  }
}
