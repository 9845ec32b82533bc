// What a press means at the desk.
//
// With no more classes than digits each class has a key, and letters are commands. With more, digits answer
// with the likeliest classes of the image, letters find a class by its name, and commands are punctuation.

const FEW = { s: "skip", u: "cannotTell", z: "undo", backspace: "undo" };
const MANY = { ",": "skip", ".": "cannotTell", backspace: "undo" };
const CAPS = { few: ["s", "u", "z"], many: [",", ".", "⌫"] };
// Notes and flags. On no keyboard are these characters the unshifted ones of a digit.
const MARKS = { ";": "note", ":": "flag" };
const FEW_MARKS = { n: "note", f: "flag" };
const LETTER = /^\p{L}$/u;
const DIGITS = "123456789";

// The keys of Skip, Cannot tell and Undo, as they stand on their buttons.
export function commandKeys(many) {
  return many ? CAPS.many : CAPS.few;
}

// The keys of a note and of the flag, as they stand on their buttons: letters that no class has.
export function markKeys({ classes, many }) {
  const free = (letter) => !many && !classes.some((c) => c.key === letter);
  return [free("n") ? "n" : ";", free("f") ? "f" : ":"];
}

// The lines of the sheet of keys.
export function deskLines(data, reopened) {
  const { many } = data;
  const [skip, cannotTell, undo] = commandKeys(many);
  const [note, flag] = markKeys(data);
  const classes = many
    ? [
        ["1 … 9", "Answer with the likely class that shows this digit"],
        ["a … z", "Find a class by words of its name, in any order"],
      ]
    : [["1 … 0", "Answer with the class that shows this key"]];
  return [
    ...classes,
    ["Enter", "Accept the suggestion of the model"],
    [skip, "Skip this image: no answer"],
    [cannotTell, "Answer that nobody can tell"],
    [undo, "Take the last answer back"],
    [note === ";" ? ";" : "n and ;", "Write a note about this image"],
    [flag === ":" ? ":" : "f and :", "Flag this image, or take the flag off"],
    ...(reopened ? [["Esc", "Leave this answered image as it is"]] : []),
  ];
}

// Digit -> class id: the likeliest classes of an image on the digits that no class has.
export function digitsOf(likeliest, classes) {
  const own = new Set(classes.map((c) => c.key).filter(Boolean));
  const keyed = new Set(classes.filter((c) => c.key).map((c) => c.id));
  const known = new Set(classes.map((c) => c.id));
  const free = [...DIGITS].filter((digit) => !own.has(digit));
  const found = likeliest.filter((id) => known.has(id) && !keyed.has(id));
  return new Map(free.slice(0, found.length).map((digit, n) => [digit, found[n]]));
}

// {act: "accept" | "skip" | "cannotTell" | "undo" | "note" | "flag"}, {act: "choose", id}, {act: "find", text}, or null for a key
// without a meaning here.
export function meaningOf(press, { classes, many }, digits) {
  if (press.key === "enter") return { act: "accept" };
  if (many && press.key === "/") return { act: "find", text: "" };
  // Before the digits: a keyboard may have them on the keys of digits, with Shift.
  if (press.key in MARKS) return { act: MARKS[press.key] };
  const plain = press.shift ? [] : [press.key];
  if (press.digit) plain.push(press.digit);
  const chosen = classes.find((c) => c.key && plain.includes(c.key));
  if (chosen) return { act: "choose", id: chosen.id };
  const digit = plain.find((key) => digits.has(key));
  if (digit !== undefined) return { act: "choose", id: digits.get(digit) };
  const character = press.event.key;
  if (many && LETTER.test(character)) return { act: "find", text: character };
  const commands = many ? MANY : { ...FEW, ...FEW_MARKS };
  const command = many || !press.shift ? commands[press.key] : undefined;
  return command === undefined ? null : { act: command };
}
