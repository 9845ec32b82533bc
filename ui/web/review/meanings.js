// What a press means on the page of a reviewer.
//
// A case goes through two steps. In "ask" the keys of the classes say what the reviewer sees, as at the desk;
// with more classes than digits, letters find a class by its name, and commands are punctuation. In "decide"
// what others said is on the screen, and letters are what becomes of the case. In "own" the reviewer has asked
// for the opinion of somebody else.

const ASK = { s: "later", u: "cannotTell" };
const ASK_MANY = { ",": "later", ".": "cannotTell" };
const DECIDE = { y: "decide", k: "keep", p: "passOn", z: "again", n: "note", i: "card" };
const LETTER = /^\p{L}$/u;

export const DECIDE_KEYS = { decide: "y", keep: "k", passOn: "p", again: "z", note: "n" };

// The keys of Cannot tell and Later, as they stand on their buttons.
export function askKeys(many) {
  return many ? { cannotTell: ".", later: "," } : { cannotTell: "u", later: "s" };
}

// {act}, {act: "see", id}, {act: "find", text}, or null for a key without a meaning in this step.
export function meaningOf(press, step, { classes, many }) {
  const commands = step === "decide" ? DECIDE : many ? ASK_MANY : ASK;
  if (step === "ask") {
    const plain = press.shift ? [] : [press.key];
    if (press.digit) plain.push(press.digit);
    const seen = classes.find((c) => c.key && plain.includes(c.key));
    if (seen) return { act: "see", id: seen.id };
    const character = press.event.key;
    if (many && character === "/") return { act: "find", text: "" };
    if (many && LETTER.test(character)) return { act: "find", text: character };
  }
  const act = (many && step !== "decide") || !press.shift ? commands[press.key] : undefined;
  if (act === undefined || (step === "own" && act !== "later")) return null;
  return { act };
}

// The lines of the sheet of keys.
export function linesOf(step, many) {
  if (step === "none") return [];
  const { cannotTell, later } = askKeys(many);
  if (step === "own") return [[later, "Look at this case later."]];
  if (step === "decide") {
    return [
      ["y", "Decide so: your answer counts alone."],
      ["k", "Keep the answers as they are."],
      ["p", "Ask a second person."],
      ["z", "Look again: answer anew."],
      ["n", "Write a note on your decision."],
      ["i", "Open the card of the image, with its notes and its flag."],
    ];
  }
  const see = many
    ? ["a … z", "Find a class by words of its name, in any order."]
    : ["1 … 0", "Say which class you see: that with this key."];
  return [see, [cannotTell, "Say that nobody can tell."], [later, "Look at this case later."]];
}
