// Which images of a list are selected, by their places; and where the keyboard is.

export class Selection {
  constructor() {
    this.clear();
    this.focus = 0;
    this.anchor = 0;
  }

  clear() {
    this.places = new Set();
  }

  has(place) {
    return this.places.has(place);
  }

  get size() {
    return this.places.size;
  }

  // One image alone.
  only(place) {
    this.places = new Set([place]);
    this.focus = this.anchor = place;
  }

  toggle(place) {
    if (!this.places.delete(place)) this.places.add(place);
    this.focus = this.anchor = place;
  }

  // From the anchor to here, instead of what was selected, or beside it.
  reach(place, beside = false) {
    if (!beside) this.clear();
    const from = Math.max(0, this.anchor);
    const [low, high] = place < from ? [place, from] : [from, place];
    for (let at = low; at <= high; at += 1) this.places.add(at);
    this.focus = place;
  }

  range() {
    const all = [...this.places];
    return all.length === 0 ? null : [Math.min(...all), Math.max(...all)];
  }

  move(place) {
    this.focus = this.anchor = place;
  }

  // On no image, until the person goes to one.
  leave() {
    this.move(-1);
  }
}
