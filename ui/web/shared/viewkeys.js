// What a press means to a viewer. Letters need Shift: without it they belong to the classes.

const ARROW = 0.2; // of the frame, moved by an arrow
const PAGE = 0.9; // of the frame, moved by Page Up and Page Down

// For the sheet of `?`.
export const LINES = [
  ["+ and -", "Zoom in and out"],
  ["arrows, Page Up, Page Down, Home, End", "Move a picture that is larger than its frame"],
  ["Shift+F", "See the whole picture"],
  ["Shift+W", "Fill the frame with its short side"],
  ["Shift+O", "One pixel of the picture for one of the page"],
  ["Shift+R and Shift+L", "Turn it right and left"],
  ["Shift+B", "Brightness and contrast"],
  ["Shift+T", "Transparency on white, as the model sees it, or on squares"],
  ["Escape", "The picture as it was at first"],
];

const ZOOMS = { "+": 1, "=": 1, "-": -1, _: -1 };
// Steps across and down, in parts of the frame.
const MOVES = {
  arrowleft: [ARROW, 0],
  arrowright: [-ARROW, 0],
  arrowup: [0, ARROW],
  arrowdown: [0, -ARROW],
  home: [Infinity, Infinity],
  end: [-Infinity, -Infinity],
};
const PAGES = { pageup: PAGE, pagedown: -PAGE }; // along the longer side of the picture

const LETTERS = {
  f: (viewer) => viewer.act(() => viewer.view.fit("whole")),
  w: (viewer) => viewer.act(() => viewer.view.fit("fill")),
  o: (viewer) => viewer.original(),
  r: (viewer) => viewer.act(() => viewer.view.rotate(1)),
  l: (viewer) => viewer.act(() => viewer.view.rotate(-1)),
  b: (viewer) => viewer.openLight(!viewer.light.isOpen),
  t: (viewer) => viewer.setPlain(!viewer.plain),
};

// Does what the press means; false when it means nothing to the viewer.
export function takePress(viewer, press) {
  const { view } = viewer;
  const { key } = press;
  if (viewer.shown === null) return false;
  if (key in ZOOMS) return viewer.act(() => view.step(ZOOMS[key]));
  if (key === "escape") return viewer.leave();
  if (isSlider(press.event)) return false;
  const down = view.fillsWidth;
  const move = key in PAGES ? [down ? 0 : PAGES[key], down ? PAGES[key] : 0] : MOVES[key];
  if (move !== undefined) {
    const by = [times(move[0], view.frame.width), times(move[1], view.frame.height)];
    return view.pannable && viewer.act(() => view.pan(...by));
  }
  if (!press.shift) return false;
  // By their place too: on keyboards of other scripts the key has another name.
  const letter = LETTERS[key] ?? LETTERS[/^Key([A-Z])$/.exec(press.event.code)?.[1].toLowerCase()];
  if (letter === undefined) return false;
  letter(viewer);
  return true;
}

function times(share, length) {
  return share === 0 ? 0 : share * length;
}

function isSlider(event) {
  const target = event.composedPath()[0];
  return target instanceof HTMLInputElement && target.type === "range";
}
