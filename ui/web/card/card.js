// The card of one image: a drawer over any page. `openCard(hash)` opens it from any component.
//
// It is a modal <dialog>: the browser keeps the focus inside and everything behind it inert, and its context of
// the router takes all keys, so that nothing behind it labels. Links to `?image=HASH` open it in place.

import { imageOf } from "../shared/image_link.js";
import { keys } from "../shared/keys.js";
import { keyCap, make } from "../shared/make.js";
import { Pictures, sideFor } from "../shared/pictures.js";
import { Server } from "../shared/server.js";
import { Viewer } from "../shared/viewer.js";
import { drawModel } from "./belief.js";
import { drawFacts, drawHistory, drawNearest } from "./records.js";
import { Marking } from "./marking.js";
import { Relabel } from "./relabel.js";

const HERE = Symbol.for("alworkbench.card");
const ASKED = Symbol.for("alworkbench.card.asked");
const HASH = /^[0-9a-f]{64}$/;

// Opens the card of the image with this content hash; false for what is no hash. A page draws its card after
// everything else: one that is asked for before opens as soon as it is there.
export function openCard(hash) {
  if (!HASH.test(hash)) return false;
  if (window[HERE] === undefined) window[ASKED] = hash;
  else window[HERE].open(hash);
  return true;
}

// The content hash in the address of a picture.
export function hashOf(address) {
  return /\/image\/([0-9a-f]{64})/.exec(address)?.[1] ?? "";
}

class Card {
  constructor(root, data) {
    this.data = data;
    this.hash = null;
    this.before = []; // images whose cards led here, the last one at the end
    this.leave = [];
    this.server = new Server(() => this.data.base, (reason) => this.say(reason));
    this.relabel = new Relabel(this.server, () => this.load());
    this.node = make("dialog", "card");
    this.marking = new Marking(this.server, this.node, () => this.loadRecords());
    this.node.setAttribute("aria-labelledby", "card-title");
    this.build();
    root.append(this.node);
    this.node.addEventListener("close", () => this.onClose()); // also where the browser closed it
    this.node.addEventListener("click", (event) => {
      if (event.target === this.node) this.close(); // beside the drawer
    });
    this.onLink = (event) => {
      const hash = linkedHash(event);
      if (hash === null) return;
      event.preventDefault();
      this.open(hash);
    };
    document.addEventListener("click", this.onLink);
    window[HERE] = this;
    const asked = window[ASKED] ?? new URL(location.href).searchParams.get("image");
    delete window[ASKED];
    if (asked !== null && HASH.test(asked)) this.open(asked);
  }

  build() {
    const head = make("header", "card-head");
    this.title = make("h2", "");
    this.title.id = "card-title";
    this.back = pressable("Back", () => this.goBack());
    this.shut = pressable("Close", () => this.close());
    this.shut.append(keyCap("Esc"));
    this.shut.setAttribute("aria-keyshortcuts", "Escape");
    head.append(this.title, this.back, this.shut);
    this.stage = make("div", "card-picture");
    this.status = make("p", "card-status");
    this.status.setAttribute("role", "status");
    this.facts = make("section", "card-facts");
    this.model = make("section", "");
    this.nearest = make("section", "");
    this.history = make("section", "");
    this.body = make("div", "card-body");
    this.body.append(
      this.stage, this.status, this.facts, this.relabel.node, this.marking.node, this.model,
      this.nearest, this.history,
    );
    this.panel = make("div", "card-panel");
    this.panel.append(head, this.body);
    this.node.append(this.panel);
  }

  update(data) {
    this.data = data;
  }

  // ------------------------------------------------------------------------------ opened and closed
  open(hash) {
    if (this.hash !== null && this.hash !== hash) this.before.push(this.hash);
    if (!this.node.open) {
      this.before = [];
      this.focused = deepFocus();
      this.node.showModal();
      this.viewer = new Viewer();
      this.stage.replaceChildren(this.viewer.node);
      this.pictures = new Pictures({
        onReady: () => this.drawPicture(),
        onMissing: () => this.viewer.say("The file of this image is gone or was changed."),
        side: () => sideFor(this.viewer.area, this.data.sides),
      });
      this.leave = [
        keys.enter("drawer", (press) => this.takeKey(press), { modal: true, sheet: () => LINES }),
        this.viewer.listen("picture of the card", "drawer"),
      ];
    }
    this.show(hash);
    this.shut.focus({ preventScroll: true });
  }

  show(hash) {
    this.hash = hash;
    this.records = null;
    this.body.scrollTop = 0;
    this.title.textContent = "Image";
    this.back.hidden = this.before.length === 0;
    this.viewer.say("Loading the image");
    for (const part of [this.facts, this.nearest, this.history]) part.replaceChildren();
    this.model.replaceChildren(make("h3", "", "What the model says"), make("p", "muted", "Asking the model"));
    this.relabel.hide();
    this.marking.hide();
    this.load();
  }

  goBack() {
    this.show(this.before.pop());
    this.shut.focus();
  }

  // The keys are free at once: the event of the dialog comes later than a key that is pressed meanwhile.
  close() {
    this.node.close();
    this.onClose();
  }

  onClose() {
    if (this.node.open || this.hash === null) return; // opened again meanwhile, or done already
    this.hash = null;
    this.marking.hide();
    for (const leave of this.leave) leave();
    this.leave = [];
    this.pictures?.dispose();
    this.viewer?.dispose();
    this.focused?.focus?.({ preventScroll: true });
  }

  takeKey(press) {
    if (press.key === "escape" || (press.key === "i" && !press.shift)) this.close();
    else if (press.key === ";" || (press.key === "n" && !press.shift)) this.marking.note();
    else if (press.key === ":" || (press.key === "f" && !press.shift)) this.marking.toggle();
    else return false;
    return true;
  }

  // ------------------------------------------------------------------------------------ what it says
  async load() {
    const hash = this.hash;
    this.status.textContent = "";
    const path = `/images/${hash}/card`;
    const parts = [
      [path, (reply) => this.drawRecords(reply)],
      [`${path}/model`, (reply) => drawModel(this.model, reply)],
      [`${path}/nearest`, (reply) => drawNearest(this.nearest, reply, this.data.thumbnail, (each) => this.open(each))],
    ];
    await Promise.all(parts.map(([address, draw]) => this.part(hash, address, draw)));
  }

  loadRecords() {
    return this.part(this.hash, `/images/${this.hash}/card`, (reply) => this.drawRecords(reply));
  }

  async part(hash, address, draw) {
    let told;
    try {
      told = await this.server.read(address);
    } catch {
      told = { ok: false, reply: { reason: "The server does not answer. Close this card and open it again." } };
    }
    if (this.hash !== hash || !this.node.open) return;
    if (told.ok) draw(told.reply);
    else this.say(told.reply.reason);
  }

  drawRecords(reply) {
    this.records = reply;
    this.title.replaceChildren(make("span", "muted", "Image "), make("bdi", "", reply.path.split("/").at(-1)));
    drawFacts(this.facts, reply);
    drawHistory(this.history, reply);
    this.relabel.draw(reply);
    this.marking.draw(reply);
    this.drawPicture();
  }

  drawPicture() {
    if (this.records === null) return;
    const { picture: address, width, height, path } = this.records;
    const found = this.pictures.get(address);
    if (!found.ready) return;
    const { picture, transparent } = found;
    this.viewer.show({ picture, alt: `Image ${path}`, width, height, full: address, transparent });
  }

  say(reason) {
    this.status.textContent = reason;
  }

  dispose() {
    if (this.node.open) this.close();
    document.removeEventListener("click", this.onLink);
    if (window[HERE] === this) delete window[HERE];
    this.node.remove();
  }
}

const LINES = [
  ["Esc", "Close the card."],
  ["i", "Close the card."],
  ["n and ;", "Write a note about the image."],
  ["f and :", "Flag the image, or take the flag off."],
];

// The image of a plain click on a link to `?image=HASH`; null for any other click.
function linkedHash(event) {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return null;
  const link = event.composedPath().find((node) => node instanceof HTMLAnchorElement);
  return imageOf(link?.getAttribute("href"));
}

// What has the focus, also inside of components.
function deepFocus() {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found;
}

function pressable(text, onClick) {
  const node = make("button", "quiet");
  node.type = "button";
  node.append(make("span", "label", text));
  node.addEventListener("click", onClick);
  return node;
}

export function mount(root, data) {
  return new Card(root, data);
}
