// What a press does on the gallery.

import { openCard } from "../card/card.js";
import { meaningOf } from "../desk/meanings.js";
import { walk } from "./walking.js";

export class Pressing {
  constructor(gallery) {
    this.gallery = gallery;
  }

  onAll(event) {
    if (event.key.toLowerCase() !== "a" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.selectLoaded();
  }

  selectLoaded() {
    const { gallery } = this;
    gallery.selection.places = new Set(gallery.list.items.keys());
    gallery.draw();
  }

  take(press) {
    const { gallery } = this;
    if (gallery.labelling.asking) return false;
    if (walk(press, gallery.view, gallery.selection, gallery.list.total ?? 0)) return gallery.drawn();
    if (press.key === " ") {
      gallery.selection.toggle(gallery.selection.focus);
      return gallery.drawn();
    }
    if (press.key === "escape") {
      if (gallery.selection.size === 0 && !gallery.labelling.settles) return false;
      gallery.labelling.settles = false;
      gallery.selection.clear();
      return gallery.drawn();
    }
    if (press.key === "/") {
      gallery.bar.search.focus();
      return true;
    }
    const { classes, many } = gallery.data;
    const meant = meaningOf(press, { classes, many }, new Map());
    // With many classes a small letter finds a class, so these two need Shift.
    const free = meant === null || (meant.act === "find" && press.shift);
    if (free && press.key === "i" && press.shift === many) {
      const image = gallery.list.at(gallery.selection.focus);
      return Boolean(image) && openCard(image.hash);
    }
    if (free && press.key === "a" && press.shift === many) {
      this.selectLoaded();
      return true;
    }
    if (meant === null) return false;
    if (meant.act === "undo") return gallery.acts.undo();
    if (meant.act === "note" || meant.act === "flag") return gallery.marking.act(meant.act);
    if (meant.act === "find") this.find(meant.text);
    else gallery.labelling.labelWith(meant);
    return true;
  }

  // A class for the selection, by words of its name.
  find(text) {
    const { gallery } = this;
    gallery.palette.open(text, [
      ...gallery.data.classes.map((c) => ({ act: "choose", id: c.id, name: c.name, hint: "" })),
      { act: "skip", id: null, name: "No class", hint: "skip" },
      { act: "cannotTell", id: null, name: "Cannot tell", hint: "nobody can" },
    ]);
  }
}
