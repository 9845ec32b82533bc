// One picture: seen as a whole, zoomed, moved, turned, and lit for the eye. Used by desk, card and review.
//
//   const viewer = new Viewer();          viewer.node goes into the page; viewer.frame is the part with the picture
//   viewer.show({ picture, alt, width, height, full, transparent });
//   viewer.say(text);                     a sentence instead of a picture
//   const leave = viewer.listen("desk");  takes its keys from the router until leave() is called
//   viewer.dispose();
//
// `picture` is a loaded <img>; `width` and `height` are those of the original, `full` is the address of its
// full size, which is fetched when a zoom needs it. Each picture begins unturned, whole and in neutral light.

import { Gestures } from "./gestures.js";
import { keys } from "./keys.js";
import { Light } from "./light.js";
import { make } from "./make.js";
import { View } from "./view.js";
import { ViewBar } from "./viewbar.js";
import { LINES, takePress } from "./viewkeys.js";

const CRISP = 3; // CSS pixels of a pixel from which squares are shown as squares
const SAY_AFTER_MS = 500;
const PLAIN_KEY = "alworkbench.viewer.plain"; // transparency on white, as the model sees it

export class Viewer {
  constructor() {
    this.view = new View();
    this.shown = null;
    this.sharp = null; // the <img> of the full size, once a zoom needed it
    this.node = make("figure", "viewer");
    this.frame = make("div", "frame");
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "group");
    this.frame.setAttribute("aria-label", "The picture. It can be zoomed, moved and turned.");
    this.sheet = make("div", "sheet");
    this.message = make("div", "waiting");
    this.marks = { across: make("div", "mark across"), down: make("div", "mark down") };
    this.state = make("div", "view-state");
    this.spoken = make("div", "unseen");
    this.spoken.setAttribute("role", "status");
    this.light = new Light(() => this.draw());
    this.bar = new ViewBar(this);
    this.node.append(this.frame, this.light.panel, this.bar.node, this.spoken);
    this.frame.append(this.message, this.state);
    this.gestures = new Gestures(this.frame, {
      zoom: (factor, x, y) => this.act(() => this.view.zoomBy(factor, x, y)),
      move: (dx, dy) => this.act(() => this.view.pan(dx, dy)),
      toggle: (x, y) => this.toggle(x, y),
    });
    this.resizer = new ResizeObserver(() => this.resize());
    this.resizer.observe(this.frame);
    this.resize();
    this.draw();
  }

  // ------------------------------------------------------------------------------------ the picture

  show({ picture, alt, width, height, full = null, transparent = false }) {
    picture.alt = alt;
    if (this.shown?.picture === picture) return;
    this.forgetSharp();
    this.shown = { picture, width, height, full, transparent };
    this.light.reset();
    this.view.begin(width, height);
    this.sheet.replaceChildren(picture);
    this.frame.replaceChildren(this.sheet, this.marks.across, this.marks.down, this.state);
    this.draw();
  }

  say(text) {
    if (this.message.textContent !== text) this.message.textContent = text;
    if (this.shown === null && this.message.isConnected) return;
    this.forgetSharp();
    this.shown = null;
    this.frame.replaceChildren(this.message);
    this.draw();
  }

  // Pixels of the screen that a picture can have at most while it is seen as a whole.
  get area() {
    const width = this.frame.clientWidth || window.innerWidth / 2; // it is hidden
    const height = this.frame.clientHeight || window.innerHeight / 2;
    return width * height * window.devicePixelRatio ** 2;
  }

  // ------------------------------------------------------------------------------------ what to do

  act(change) {
    if (this.shown === null) return false;
    change();
    this.draw();
    return true;
  }

  toggle(x, y) {
    const { view } = this;
    this.act(() => (view.mode === "free" ? view.fit("whole") : view.zoomTo(view.scale < 1 ? 1 : 2 * view.scale, x, y)));
  }

  original() {
    this.act(() => this.view.zoomTo(1));
  }

  openLight(on) {
    if (this.shown !== null || !on) this.light.open(on);
    this.draw();
  }

  // Transparency on white, as the model sees it, or on squares: kept for the next pictures of this tab.
  get plain() {
    return plain();
  }

  setPlain(on) {
    remember(on);
    this.draw();
  }

  // Closes what is open, else begins again; false when there is nothing to leave.
  leave() {
    if (this.untouched) return false;
    if (this.light.isOpen) {
      this.openLight(false);
      this.bar.buttons.light.focus();
    } else {
      this.reset();
    }
    return true;
  }

  reset() {
    this.light.reset();
    this.light.open(false);
    this.act(() => this.view.begin(this.shown.width, this.shown.height));
  }

  get untouched() {
    return this.view.mode !== "free" && this.view.turn === 0 && this.light.neutral && !this.light.isOpen;
  }

  // ------------------------------------------------------------------------------------ keys

  // inside: the name of the modal context in which the picture is.
  listen(name = "picture", inside = null) {
    return keys.enter(name, (press) => takePress(this, press), { inside, sheet: () => LINES });
  }

  // ------------------------------------------------------------------------------------ drawing

  resize() {
    this.view.resize(this.frame.clientWidth, this.frame.clientHeight);
    this.draw();
  }

  draw() {
    const { view, shown } = this;
    this.bar.draw();
    this.frame.classList.toggle("movable", shown !== null && view.pannable);
    if (shown === null) return;
    const { width, height } = shown;
    Object.assign(this.sheet.style, {
      width: `${width * view.scale}px`,
      height: `${height * view.scale}px`,
      transform: `translate(-50%, -50%) translate(${view.x}px, ${view.y}px) rotate(${90 * view.turn}deg)`,
    });
    this.sheet.classList.toggle("squares", shown.transparent && !this.plain);
    for (const image of this.sheet.children) {
      image.style.filter = this.light.filter;
      image.classList.toggle("tiny", view.tiny || view.scale >= CRISP);
    }
    this.drawMarks();
    const turned = view.turn === 0 ? "" : `Turned ${view.turn === 3 ? "left" : view.turn === 1 ? "right" : "over"}`;
    this.state.textContent = [this.light.words, turned, this.sharp?.words].filter(Boolean).join(" · ");
    this.state.hidden = this.state.textContent === "";
    this.speak();
    this.sharpen();
  }

  // Where the frame stands on a picture that is larger.
  drawMarks() {
    for (const [name, [begin, share]] of Object.entries(this.view.window)) {
      const [from, long] = name === "across" ? ["left", "width"] : ["top", "height"];
      const mark = this.marks[name];
      mark.hidden = share === 1;
      mark.style[from] = `${100 * begin}%`;
      mark.style[long] = `${100 * share}%`;
    }
  }

  speak() {
    clearTimeout(this.speaking);
    const words = [this.bar.percent.textContent, this.state.textContent].filter(Boolean).join(". ");
    if (this.untouched) {
      this.spoken.textContent = "";
      return;
    }
    this.speaking = setTimeout(() => (this.spoken.textContent = words), SAY_AFTER_MS);
  }

  // ------------------------------------------------------------------------------------ the full size

  // Fetched when the screen has more pixels for the picture than the rendition.
  sharpen() {
    const { shown, view } = this;
    const wanted = view.scale * window.devicePixelRatio * shown.width;
    const enough = shown.picture.naturalWidth >= Math.min(wanted * 0.98, shown.width);
    if (enough || view.mode === "whole" || shown.full === null || this.sharp !== null) return;
    const image = make("img", "sharp");
    image.alt = "";
    image.draggable = false;
    const sharp = { image, words: "Loading the full size" };
    this.sharp = sharp;
    image.src = shown.full;
    image.decode().then(
      () => this.onSharp(sharp, ""),
      () => this.onSharp(sharp, "The full size cannot be loaded"),
    );
    this.draw();
  }

  onSharp(sharp, words) {
    if (this.sharp !== sharp) return;
    sharp.words = words;
    if (words === "") this.sheet.append(sharp.image);
    this.draw();
  }

  forgetSharp() {
    if (this.sharp === null) return;
    this.sharp.image.remove();
    this.sharp = null;
  }

  dispose() {
    clearTimeout(this.speaking);
    this.resizer.disconnect();
    this.gestures.dispose();
    this.forgetSharp();
    this.node.remove();
  }
}

function plain() {
  try {
    return sessionStorage.getItem(PLAIN_KEY) === "yes";
  } catch {
    return false;
  }
}

function remember(on) {
  try {
    sessionStorage.setItem(PLAIN_KEY, on ? "yes" : "no");
  } catch {
    // A browser that keeps nothing shows squares.
  }
}
