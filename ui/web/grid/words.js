// What the gallery says of its keys, and how it writes numbers.

import { commandKeys, markKeys } from "../desk/meanings.js";

export function number(value) {
  return value.toLocaleString("en");
}

// The lines of the sheet of keys.
export function linesOf(data) {
  const { many } = data;
  const [skip, cannotTell, undo] = commandKeys(many);
  const [note, flag] = markKeys(data);
  return [
    ["← → ↑ ↓", "go to another image; with Shift, select on the way"],
    ["Space", "select or release the image"],
    [many ? "A" : "a", "select all images that are loaded, unless a class has this key"],
    ["Escape", "select nothing"],
    ["class keys", "label the selection, or the image where you are"],
    ...(many ? [["a … z", "find a class by words of its name, in any order"]] : []),
    ["Enter", "confirm the prediction, if the selection has one prediction"],
    [skip, "no class (skip)"],
    [cannotTell, "cannot tell"],
    [undo, "take the last act back"],
    [note === ";" ? ";" : "n and ;", "write a note about the selection, or about the image where you are"],
    [flag === ":" ? ":" : "f and :", "flag the selection, or the image where you are; once more takes the flag off"],
    [many ? "I" : "i", "open the card of the image where you are, unless a class has this key"],
    ["/", "search"],
  ];
}
