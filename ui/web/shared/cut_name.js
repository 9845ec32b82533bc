// Names of classes where there is room for a part: the end always stays, since names often differ only there.

import { make } from "./make.js";

const WHOLE = 14; // characters of a name that is never parted
const END = 12; // characters of an end, at most
const WORDLESS = 7; // characters of an end without a space

// Shows the name in a node whose style is that of `.cut-name`; its text is the whole name.
export function writeName(node, name) {
  node.classList.add("cut-name");
  const letters = [...name];
  if (letters.length <= WHOLE) {
    node.textContent = name;
    return;
  }
  const end = letters.slice(-END);
  const space = end.indexOf(" ");
  const cut = letters.length - (space < 0 ? WORDLESS : END - space);
  node.replaceChildren(
    make("span", "begin", letters.slice(0, cut).join("")),
    make("span", "finish", letters.slice(cut).join("")),
  );
}
