// The search for a class of the image on the screen.

import { Palette } from "./palette.js";

export class Finder {
  constructor(desk) {
    this.desk = desk;
    this.itemId = null; // of the image for which a class is searched
    this.palette = new Palette(desk.screen.side, {
      onChoose: (choice) => this.choose(choice),
      onClose: () => desk.screen.markTarget(false),
    });
  }

  open(text) {
    const item = this.desk.shown;
    if (item === null) {
      this.desk.refuse("no picture is on the screen yet");
      return;
    }
    this.itemId = item.item_id;
    this.desk.screen.markTarget(true);
    this.palette.open(text, this.choices(item));
  }

  // The likeliest classes first, the others in the order of the screen, then what else an image may get.
  choices(item) {
    const likeliest = new Map(item.likeliest.map((id, n) => [id, n]));
    const place = (c) => likeliest.get(c.id) ?? likeliest.size;
    const classes = [...this.desk.data.classes].sort((a, b) => place(a) - place(b));
    return [
      ...classes.map((c) => ({
        act: "choose",
        id: c.id,
        name: c.name,
        hint: likeliest.has(c.id) ? "likely" : "",
      })),
      { act: "skip", id: null, name: "Skip", hint: "no answer" },
      { act: "cannotTell", id: null, name: "Cannot tell", hint: "nobody can" },
    ];
  }

  // Whether the choice answered the image for which it was made.
  choose(choice) {
    const { shown, armed, missing, actions } = this.desk;
    if (shown === null || !(armed || missing)) {
      this.palette.tell("Not taken: no picture is on the screen yet.");
      return false;
    }
    if (shown.item_id !== this.itemId) {
      this.itemId = shown.item_id;
      this.palette.tell("Another image came on the screen. Nothing was answered; Enter answers this one.");
      return false;
    }
    actions[choice.act](choice.id);
    return true;
  }
}
