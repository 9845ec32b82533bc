// Labelled fields of the class list, with the words beside them when something is wrong.

import { make } from "../shared/make.js";

let number = 0;

// {node, input, words, fault(text)}: a field below its label; `words` may be put elsewhere. `tag` is "input" or "textarea".
export function field(title, tag, { type = "text", hint = "", rows = 1, hidden = false } = {}) {
  number += 1;
  const node = make("div", "named");
  const label = make("label", hidden ? "unseen" : "title", title);
  const input = make(tag, `field ${type}`);
  input.id = `class-field-${number}`;
  label.htmlFor = input.id;
  if (tag === "input") input.type = type;
  else input.rows = rows;
  if (type !== "color") input.dir = "auto";
  input.autocomplete = "off";
  input.spellcheck = false;
  const words = make("p", "fault");
  words.id = `${input.id}-fault`;
  words.hidden = true;
  node.append(label, input);
  if (hint) {
    const help = make("p", "muted hint", hint);
    help.id = `${input.id}-hint`;
    node.append(help);
  }
  node.append(words);
  const describe = () => {
    const ids = [hint ? `${input.id}-hint` : "", words.hidden ? "" : words.id].filter(Boolean);
    if (ids.length > 0) input.setAttribute("aria-describedby", ids.join(" "));
    else input.removeAttribute("aria-describedby");
  };
  describe();
  const fault = (text) => {
    words.textContent = text ?? "";
    words.hidden = !text;
    input.setAttribute("aria-invalid", text ? "true" : "false");
    describe();
  };
  input.addEventListener("input", () => fault("")); // it was about the text before
  return { node, label, input, words, fault };
}

// A button with words.
export function press(words, onClick, className = "quiet") {
  const node = make("button", className);
  node.type = "button";
  node.append(make("span", "label", words));
  node.addEventListener("click", onClick);
  return node;
}

// A name of a class as it is: whole, whatever it holds, in its own direction.
export function named(name, className = "") {
  const node = document.createElement("bdi");
  if (className) node.className = className;
  node.textContent = name;
  return node;
}
