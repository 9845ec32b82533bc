// What a key answers: the selection, or the image where the person is; which answer it is, and what stands against it.

export class Targets {
  constructor(grid) {
    this.grid = grid;
  }

  // Places of what a key is for: the selection, or the image where the person is; less what others hold now.
  places() {
    const { held, selection } = this.grid;
    const places = selection.size > 0 ? [...selection.places].sort((a, b) => a - b) : [selection.focus];
    return places.filter((place) => (held.slots[place]?.state ?? "gone") !== "gone");
  }

  answerOf({ act, id }) {
    if (act === "skip") return { kind: "skip", class_id: null, words: "Skipped" };
    if (act === "cannotTell") return { kind: "cannot_tell", class_id: null, words: "Cannot tell" };
    if (act === "accept") return this.oneSuggestion();
    return { kind: "class", class_id: id, words: this.grid.names.get(id) };
  }

  oneSuggestion() {
    const found = new Set(this.places().map((place) => this.grid.held.at(place).predicted_id));
    const [id] = found;
    if (found.size === 1 && this.grid.names.has(id)) return this.answerOf({ act: "choose", id });
    if (found.size > 0) this.grid.refuse("the images do not have one suggestion. Press the key of a class instead");
    else this.grid.refuse("go to an image or select some first");
    return null;
  }

  // What stands against this answer to these slots, or null.
  obstacle(answer, slots) {
    const { painted, missing } = this.grid.seen;
    if (slots.length === 0) return "go to an image or select some first";
    const open = slots.filter(({ state }) => state === "open");
    if (this.grid.selection.size === 0 && open.length === 0) return "this image has your answer. Select it to answer it anew";
    const gone = open.filter(({ item }) => missing.has(item.item_id)).length;
    if (gone > 0 && answer.kind !== "skip") return `${gone === 1 ? "an image has" : `${gone} images have`} no picture and can be skipped only`;
    const unseen = open.filter(({ item }) => !painted.has(item.item_id) && !missing.has(item.item_id)).length;
    return unseen > 0 ? `${unseen === 1 ? "a picture was" : `${unseen} pictures were`} not on the screen yet` : null;
  }
}
