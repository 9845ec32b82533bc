// What a press means at the desk.

// One of {act: "accept" | "filter" | "skip" | "cannotTell" | "undo"}, {act: "choose", id}, or null.
export function meaningOf(press, classes) {
  if (press.key === "enter") return { act: "accept" };
  if (press.key === "/") return { act: "filter" };
  const keys = [press.shift ? "" : press.key];
  if (press.digit) keys.push(press.digit);
  const chosen = classes.find((c) => c.key && keys.includes(c.key));
  if (chosen) return { act: "choose", id: chosen.id };
  if (keys.includes("s")) return { act: "skip" };
  if (keys.includes("u")) return { act: "cannotTell" };
  if (keys.includes("z") || keys.includes("backspace")) return { act: "undo" };
  return null;
}
