// How wide a cell of the grid is at least, in px.

const SIZES = [130, 170, 220, 290, 380];
export const SIZE = 170;
const SIZE_KEPT = "alworkbench.answer_grid.size";

// The width that this browser chose last.
export function keptSize() {
  try {
    const kept = Number(localStorage.getItem(SIZE_KEPT));
    return SIZES.includes(kept) ? kept : SIZE;
  } catch {
    return SIZE;
  }
}

// The next width, or null where there is none; the browser keeps it.
export function nextSize(size, by) {
  const next = SIZES[SIZES.indexOf(size) + by] ?? null;
  if (next === null) return null;
  try {
    localStorage.setItem(SIZE_KEPT, String(next));
  } catch {
    // A browser that keeps nothing begins with the usual size.
  }
  return next;
}
