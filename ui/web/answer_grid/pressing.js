// What a press does on the grid of a round.

import { openCard } from "../card/card.js";
import { meaningOf } from "../desk/meanings.js";
import { walk } from "../grid/walking.js";

export class Pressing {
  constructor(grid) {
    this.grid = grid;
  }

  onAll(event) {
    if (event.key.toLowerCase() !== "a" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    this.selectOpen();
  }

  selectOpen() {
    const { held, selection } = this.grid;
    selection.places = new Set([...held.slots.keys()].filter((place) => held.slots[place].state === "open"));
    this.grid.draw();
  }

  take(press) {
    const { grid } = this;
    if (walk(press, grid.view, grid.selection, grid.held.total)) return grid.drawn();
    if (press.key === " ") {
      if (grid.held.at(grid.selection.focus) !== null) grid.selection.toggle(grid.selection.focus);
      return grid.drawn();
    }
    if (press.key === "escape") {
      if (grid.selection.size === 0) return false;
      grid.selection.clear();
      return grid.drawn();
    }
    if (press.key === "+" || press.key === "-") return grid.resize(press.key === "+" ? 1 : -1);
    const { many } = grid.data;
    const meant = meaningOf(press, grid.data, new Map());
    // With many classes a small letter finds a class, so these two need Shift.
    const free = meant === null || (meant.act === "find" && press.shift);
    if (free && press.key === "i" && press.shift === many) {
      const image = grid.held.at(grid.selection.focus);
      return image !== null && openCard(image.hash);
    }
    if (free && press.key === "a" && press.shift === many) this.selectOpen();
    else if (meant === null) return false;
    else if (meant.act === "undo") grid.acts.undo();
    else if (meant.act === "note" || meant.act === "flag") grid.marking.act(meant.act);
    else if (meant.act === "find") this.find(meant.text);
    else grid.acts.answerWith(meant);
    return true;
  }

  find(text) {
    const { grid } = this;
    if (grid.targets().length === 0) {
      grid.refuse("go to an image or select some first");
      return;
    }
    grid.palette.open(text, [
      ...grid.data.classes.map((c) => ({ act: "choose", id: c.id, name: c.name, hint: "" })),
      { act: "skip", id: null, name: "Skip", hint: "no answer" },
      { act: "cannotTell", id: null, name: "Cannot tell", hint: "nobody can" },
    ]);
  }
}
