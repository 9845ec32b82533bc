// What a key means. Nothing for repeats, modifiers and typing into fields.

function isTextInput(target) {
  if (!(target instanceof Element)) return false;
  if (target.closest("textarea, select, [contenteditable=''], [contenteditable='true']")) return true;
  const quiet = ["button", "checkbox", "radio", "range", "submit", "reset"];
  return target instanceof HTMLInputElement && !quiet.includes(target.type);
}

function pressesSomething(target) {
  const pressable = "button, a[href], summary, [role=button], [role=option]";
  return target instanceof Element && target.closest(pressable) !== null;
}

// One of {act: "accept" | "filter" | "skip" | "cannotTell" | "undo"}, {act: "choose", id}, or null.
function readKey(event, classes) {
  if (event.repeat || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return null;
  const target = event.composedPath()[0];
  if (isTextInput(target)) return null;
  if (event.key === "Enter") return pressesSomething(target) ? null : { act: "accept" };
  if (event.key === "/") return { act: "filter" };
  const keys = [event.shiftKey ? "" : event.key.toLowerCase()];
  // Digits by their place too: on some keyboards they need Shift.
  const digit = /^(?:Digit|Numpad)(\d)$/.exec(event.code);
  if (digit) keys.push(digit[1]);
  const chosen = classes.find((c) => c.key && keys.includes(c.key));
  if (chosen) return { act: "choose", id: chosen.id };
  if (keys.includes("s")) return { act: "skip" };
  if (keys.includes("u")) return { act: "cannotTell" };
  if (keys.includes("z") || keys.includes("backspace")) return { act: "undo" };
  return null;
}
