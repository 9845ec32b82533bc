// What a press does on the map.

const STEP = 60; // px of an arrow key
export const SHEET = [
  ["← → ↑ ↓", "move the map; with the rectangle, move the rectangle"],
  ["Shift and arrows", "make the rectangle larger or smaller"],
  ["+ and -", "zoom in and out"],
  ["0", "show the whole map"],
  ["p", "go to the image nearest to the middle, then to the next ones; with Shift, back"],
  ["i", "open the card of the image where you are"],
  ["l", "draw a lasso with the pointer; Shift and drag does so at any time"],
  ["r", "a rectangle that the arrow keys move"],
  ["Enter", "select the images in the rectangle"],
  ["Escape", "put the rectangle away, then select nothing"],
];

// False for a key that means nothing here.
export function takeKey(map, { key, shift }) {
  if (map.points === null) return false;
  const [right, down] = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }[key] ?? [0, 0];
  if (right !== 0 || down !== 0) {
    if (map.tool !== "rectangle") map.hover.hide();
    if (map.tool !== "rectangle") map.view.pan(-right * STEP, -down * STEP);
    else if (shift) map.rectangle.grow(right, down);
    else map.rectangle.move(right, down);
  } else if (key === "+" || key === "=") map.zoom(1.5);
  else if (key === "-") map.zoom(1 / 1.5);
  else if (key === "0") map.fit();
  else if (key === "m") map.use("move");
  else if (key === "l") map.use("lasso");
  else if (key === "r") map.use("rectangle");
  else if (key === "p") map.stepTo(shift ? -1 : 1);
  else if (key === "i" && map.hover.point >= 0) map.openPoint();
  else if (key === "enter" && map.tool === "rectangle") map.select(map.rectangle.line());
  else if (key === "escape") leaveOne(map);
  else return false;
  map.redraw();
  return true;
}

// One step back: first the tool, then the selection, then the group of the legend.
function leaveOne(map) {
  if (map.tool !== "move") map.use("move");
  else if (map.picked.length > 0) map.select(null);
  else if (map.chosen !== null) map.choose(map.chosen);
}
