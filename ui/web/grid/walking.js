// From image to image by the keyboard; with Shift, what lies on the way is selected.

// Goes where the press leads, of `total` images; false for a press that leads nowhere.
export function walk(press, view, selection, total) {
  const { columns } = view;
  const page = columns * Math.max(1, view.seenRows - 2);
  const steps = { arrowleft: -1, arrowright: 1, arrowup: -columns, arrowdown: columns, pageup: -page, pagedown: page, home: -total, end: total };
  const by = steps[press.key];
  if (by === undefined || total === 0) return false;
  const nowhere = selection.focus < 0 && press.key !== "end";
  const place = nowhere ? 0 : Math.min(total - 1, Math.max(0, selection.focus + by));
  if (press.shift) selection.reach(place);
  else selection.move(place);
  view.reveal(place);
  // Enter means the image now, not the link or button that was pressed last.
  view.node.focus({ preventScroll: true });
  return true;
}
