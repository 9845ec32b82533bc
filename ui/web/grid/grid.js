// The gallery: a list of images, what is selected of it, and acts on the selection.

import { Palette } from "../desk/palette.js";
import { coloursOf } from "../shared/class_look.js";
import { takeOver } from "../shared/handover.js";
import { keys } from "../shared/keys.js";
import { Server } from "../shared/server.js";
import { Acts } from "./acts.js";
import { Bar } from "./bar.js";
import { Computing } from "./computing.js";
import { Labelling } from "./labelling.js";
import { ImageList } from "./list.js";
import { Marking } from "./marking.js";
import { Pressing } from "./pressing.js";
import { Screen } from "./screen.js";
import { Selection } from "./selection.js";
import { View } from "./view.js";
import { linesOf } from "./words.js";

class Gallery {
  constructor(root, data) {
    this.root = root;
    this.data = data;
    this.notice = "";
    this.stopped = false;
    this.server = new Server(() => this.data.base, (reason) => this.say(reason));
    this.list = new ImageList(this.server, () => this.onList());
    this.selection = new Selection();
    this.labelling = new Labelling(this);
    this.computing = new Computing(this);
    this.pressing = new Pressing(this);
    this.acts = new Acts(this.server, {
      onChange: () => this.draw(),
      onImages: (images, more) => {
        this.list.renew(images);
        if (more) this.open(this.list.query);
      },
    });
    this.view = new View({
      list: this.list,
      selection: this.selection,
      address: (image) => `${this.data.base}/image/${image.hash}?v=${this.data.version}&side=256`,
      pendingOf: (image) => this.acts.pending.get(image.id) ?? null,
      colours: () => this.colours,
      onSelect: () => { this.view.node.focus({ preventScroll: true }); this.draw(); },
    });
    this.bar = new Bar((query) => this.open(query), takeOver(data.project));
    this.screen = new Screen(this);
    this.view.node.addEventListener("keydown", (event) => this.pressing.onAll(event));
    this.leaveKeys = keys.enter("grid", (press) => this.pressing.take(press), {
      sheet: () => linesOf(this.data),
    });
    this.marking = new Marking(this);
    this.palette = new Palette(root, {
      onChoose: (choice) => {
        this.labelling.labelWith(choice);
        return true;
      },
      onClose: () => this.view.node.focus({ preventScroll: true }),
    });
    this.take(data);
    this.bar.ask(data.asked);
    this.open(this.bar.query());
    this.computing.look();
  }

  take(data) {
    this.data = data;
    this.colours = coloursOf(data.classes);
    this.bar.offer(data, Object.keys(this.computing.counts.cluster));
    this.screen.drawButtons();
  }

  update(data) {
    if (JSON.stringify(data) === JSON.stringify(this.data)) return;
    this.take(data);
    this.draw();
  }

  open(query) {
    this.selection.clear();
    this.selection.move(0);
    this.view.node.scrollTop = 0;
    this.notice = "";
    this.list.open(query);
    this.draw();
  }

  onList() {
    if (this.list.problem?.code === "list_changed") this.open(this.list.query);
    this.draw();
  }

  say(words) {
    this.notice = words;
    this.draw();
  }

  places() {
    return [...this.selection.places].sort((a, b) => a - b);
  }

  targets() {
    if (this.selection.size > 0) return this.places();
    return (this.list.total ?? 0) > 0 ? [this.selection.focus] : [];
  }

  showLike(hashes, words, unanswered) {
    if (unanswered) this.bar.set("answered", "no");
    this.bar.showLike({ hashes, words });
  }

  drawn() {
    this.draw();
    return true;
  }

  draw() {
    if (!this.stopped) this.screen.draw();
  }

  dispose() {
    this.stopped = true;
    this.computing.dispose();
    this.leaveKeys();
    this.acts.dispose();
    this.marking.dispose();
    this.view.dispose();
  }
}

export function mount(root, data) {
  root.dataset.gallery = "";
  return new Gallery(root, data);
}
