// What a person does with the selection, or with the image where they are: answers, takes back, notes and flags.

import { newId } from "../shared/ids.js";
import { actWords } from "./words.js";

export class Acts {
  constructor(grid) {
    this.grid = grid;
  }

  // meant: what a press, a button or the search of classes says; see desk/meanings.js.
  answerWith(meant) {
    const { grid } = this;
    const answer = grid.targeted.answerOf(meant);
    if (answer !== null) this.answer(answer);
  }

  answer(answer) {
    const { grid } = this;
    grid.view.tellSeen();
    const slots = grid.targets().map((place) => grid.held.slots[place]);
    const why = grid.targeted.obstacle(answer, slots);
    if (why !== null) {
      grid.refuse(why);
      return;
    }
    grid.begin();
    grid.screen.saying.clear();
    const number = grid.answering.give(answer, slots, grid.exposure.milliseconds);
    grid.words = actWords(number, slots.length - number, answer.words);
    if (grid.selection.size === 0) this.goOn();
    grid.selection.clear();
    grid.exposure.begin();
    grid.advance();
  }

  // To the next image that waits for an answer.
  goOn() {
    const { grid } = this;
    const { slots } = grid.held;
    for (let n = 1; n <= slots.length; n += 1) {
      const place = (grid.selection.focus + n) % slots.length;
      if (slots[place].state !== "open") continue;
      grid.selection.move(place);
      grid.view.reveal(place);
      return;
    }
  }

  undo() {
    const { grid } = this;
    grid.begin();
    const places = grid.answering.undo();
    if (places !== null) this.select(places);
    else if (grid.outbox.size === 0) grid.outbox.add("undo", { event_id: newId() }, null, 0);
    else grid.refuse("the last answers are not saved yet");
    grid.draw();
  }

  // What was taken back is selected, so that the right key answers it again.
  select(places) {
    const { grid } = this;
    grid.selection.clear();
    grid.selection.leave();
    for (const place of places) grid.selection.toggle(place);
    if (places.length > 0) grid.view.reveal(places[0]);
    grid.exposure.begin();
  }

  mark(path, body, images) {
    const { grid } = this;
    const hashes = images.map((each) => each.hash);
    grid.begin();
    grid.outbox.add(path.slice(1), { event_id: newId(), images: hashes, ...body });
    grid.held.redrawAll(hashes);
    grid.draw();
  }
}
