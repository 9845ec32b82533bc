// How a class looks where many are shown: its own colour or one of a wheel, and two letters beside it.

// classes: in the order of the screen. The colour of each, by id.
export function coloursOf(classes) {
  return new Map(classes.map((c, n) => [c.id, c.colour ?? `hsl(${(n * 137) % 360} 55% 45%)`]));
}

// Two letters that stand for a class, beside its colour.
export function initials(name) {
  const words = name.trim().split(/[\s/_-]+/u).filter(Boolean);
  const letters = words.length > 1 ? [...words[0]][0] + [...words[1]][0] : [...name.trim()].slice(0, 2).join("");
  return letters.toLocaleUpperCase();
}
