// The window onto a list: only the rows that can be seen are elements, however long the list is.

import { make } from "../shared/make.js";
import { Cell } from "./cell.js";

const WIDTH = 130; // px; least width of a cell with its gap, unless the page says another
const CAPTION = 46; // px; two lines below the picture
const GAP = 8;
const SPARE = 1; // rows above and below what can be seen
const SETTLED_MS = 70; // so long after the last movement pictures are asked for
const HIGHEST = 30_000_000; // px; browsers end pages a little above

export class View {
  // address(image) of its thumbnail; pendingOf(image): an answer under way; colours(): class -> colour.
  // width: least width of a cell in px; onSeen(image): its picture was on the screen; onLost: see Cell.
  constructor({ list, selection, address, pendingOf, colours, onSelect, width = WIDTH, onSeen = null, onLost = () => {} }) {
    Object.assign(this, { list, selection, address, pendingOf, colours, onSelect, width, onSeen, onLost });
    this.node = make("div", "view");
    this.node.tabIndex = 0;
    this.node.setAttribute("role", "listbox");
    this.node.setAttribute("aria-multiselectable", "true");
    this.node.setAttribute("aria-label", "Images");
    this.space = make("div", "space");
    this.band = make("div", "band");
    this.band.hidden = true;
    this.space.append(this.band);
    this.node.append(this.space);
    this.cells = new Map(); // place -> cell
    this.free = [];
    this.made = 0;
    this.columns = 1;
    this.moving = false;
    this.frame = null;
    this.timer = null;
    this.node.addEventListener("scroll", () => this.onScroll(), { passive: true });
    this.resized = new ResizeObserver(() => this.measure());
    this.resized.observe(this.node);
    this.listen();
  }

  measure() {
    const width = this.space.clientWidth;
    if (width === 0) return;
    const first = this.firstRow * this.columns;
    this.columns = Math.max(2, Math.floor((width + GAP) / this.width));
    this.cellWidth = (width - GAP * (this.columns - 1)) / this.columns;
    this.rowHeight = Math.round(this.cellWidth + CAPTION + GAP);
    this.node.style.setProperty("--side", `${this.cellWidth}px`);
    this.draw();
    this.node.scrollTop = Math.floor(first / this.columns) * this.rowHeight;
  }

  get firstRow() {
    return this.rowHeight ? Math.floor(this.node.scrollTop / this.rowHeight) : 0;
  }

  get rows() {
    return Math.ceil((this.list.total ?? 0) / this.columns);
  }

  get seenRows() {
    return this.rowHeight ? Math.ceil(this.node.clientHeight / this.rowHeight) + 1 : 1;
  }

  onScroll() {
    this.moving = true;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.moving = false;
      this.draw();
    }, SETTLED_MS);
    this.schedule();
  }

  schedule() {
    if (this.frame !== null) return;
    this.frame = requestAnimationFrame(() => {
      this.frame = null;
      this.draw();
    });
  }

  draw() {
    if (!this.rowHeight) return;
    const total = this.list.total ?? 0;
    const height = `${Math.min(HIGHEST, this.rows * this.rowHeight)}px`;
    if (this.space.style.height !== height) this.space.style.height = height;
    const low = Math.max(0, this.firstRow - SPARE) * this.columns;
    const high = Math.min(total, (this.firstRow + this.seenRows + SPARE) * this.columns);
    for (const [place, cell] of this.cells) {
      if (place >= low && place < high) continue;
      this.cells.delete(place);
      this.free.push(cell);
    }
    for (let place = low; place < high; place += 1) this.drawCell(place, total);
    for (const cell of this.free) cell.node.hidden = true;
    const focused = this.cells.get(this.selection.focus);
    if (focused) this.node.setAttribute("aria-activedescendant", focused.node.id);
    else this.node.removeAttribute("aria-activedescendant");
    if (!this.moving && high > low) {
      this.list.drop(low, high);
      this.list.ensure(low, high - 1);
    }
    this.tellSeen();
  }

  // Tells which images are on the screen: rows beside it have pictures too.
  tellSeen() {
    if (this.onSeen === null || document.hidden) return;
    const box = this.node.getBoundingClientRect();
    const within = { top: Math.max(0, box.top), bottom: Math.min(window.innerHeight, box.bottom) };
    for (const cell of this.cells.values()) if (cell.shownWithin(within)) this.onSeen(cell.image);
  }

  drawCell(place, total) {
    let cell = this.cells.get(place);
    if (cell === undefined) {
      cell = this.free.pop() ?? this.newCell();
      this.cells.set(place, cell);
      cell.node.hidden = false;
    }
    const x = (place % this.columns) * (this.cellWidth + GAP);
    const y = Math.floor(place / this.columns) * this.rowHeight;
    const moved = `translate(${x}px, ${y}px)`;
    if (cell.moved !== moved) cell.node.style.transform = cell.moved = moved;
    const image = this.list.at(place);
    const wanted = image === null ? null : this.address(image);
    // While the list flies past, a picture that nobody can see is not asked for.
    const address = this.moving && cell.address !== wanted ? null : wanted;
    cell.draw(place, total, image, {
      selected: this.selection.has(place),
      focused: place === this.selection.focus,
      address,
      colours: this.colours(),
      pending: image === null ? null : this.pendingOf(image),
    });
  }

  newCell() {
    this.made += 1;
    const cell = new Cell(this.made, () => this.tellSeen(), this.onLost);
    this.space.append(cell.node);
    return cell;
  }

  // Make this place visible.
  reveal(place) {
    const top = Math.floor(place / this.columns) * this.rowHeight;
    const view = this.node;
    if (top < view.scrollTop) view.scrollTop = top;
    else if (top + this.rowHeight > view.scrollTop + view.clientHeight) {
      view.scrollTop = top + this.rowHeight - view.clientHeight;
    }
    this.draw();
  }

  // ------------------------------------------------------------------------------- the pointer
  listen() {
    this.node.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.target === this.node) return;
      const start = this.pointOf(event);
      this.drag = { start, from: this.placeAt(start), far: false, before: new Set(this.selection.places) };
      this.node.setPointerCapture(event.pointerId);
    });
    this.node.addEventListener("pointermove", (event) => this.onDrag(event));
    this.node.addEventListener("pointerup", (event) => this.onUp(event));
    this.node.addEventListener("pointercancel", () => this.endDrag());
  }

  pointOf(event) {
    const box = this.space.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  placeAt({ x, y }) {
    const column = Math.floor(x / (this.cellWidth + GAP));
    const place = Math.floor(y / this.rowHeight) * this.columns + column;
    const inside = column >= 0 && column < this.columns && y >= 0 && place < (this.list.total ?? 0);
    return inside ? place : null;
  }

  onDrag(event) {
    if (!this.drag) return;
    const { start } = this.drag;
    const now = this.pointOf(event);
    if (!this.drag.far && Math.hypot(now.x - start.x, now.y - start.y) < 8) return;
    this.drag.far = true;
    const [left, right] = [Math.min(start.x, now.x), Math.max(start.x, now.x)];
    const [top, bottom] = [Math.min(start.y, now.y), Math.max(start.y, now.y)];
    Object.assign(this.band.style, {
      transform: `translate(${left}px, ${top}px)`,
      width: `${right - left}px`,
      height: `${bottom - top}px`,
    });
    this.band.hidden = false;
    const kept = event.shiftKey || event.ctrlKey || event.metaKey ? this.drag.before : [];
    this.selection.places = new Set(kept);
    const step = this.cellWidth + GAP;
    const columns = [Math.max(0, Math.floor(left / step)), Math.min(this.columns - 1, Math.floor(right / step))];
    for (let row = Math.max(0, Math.floor(top / this.rowHeight)); row <= Math.floor(bottom / this.rowHeight); row += 1) {
      for (let column = columns[0]; column <= columns[1]; column += 1) {
        const place = row * this.columns + column;
        if (place < (this.list.total ?? 0)) this.selection.places.add(place);
      }
    }
    const box = this.node.getBoundingClientRect();
    if (event.clientY > box.bottom - 24) this.node.scrollTop += 24;
    if (event.clientY < box.top + 24) this.node.scrollTop -= 24;
    this.onSelect();
  }

  onUp(event) {
    if (!this.drag) return;
    const { far, from } = this.drag;
    this.endDrag();
    if (far || from === null) return;
    if (event.shiftKey) this.selection.reach(from, event.ctrlKey || event.metaKey);
    else if (event.ctrlKey || event.metaKey) this.selection.toggle(from);
    else this.selection.only(from);
    this.onSelect();
  }

  endDrag() {
    this.drag = null;
    this.band.hidden = true;
  }

  dispose() {
    clearTimeout(this.timer);
    if (this.frame !== null) cancelAnimationFrame(this.frame);
    this.resized.disconnect();
  }
}
