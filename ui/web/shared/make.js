// Elements of a page. Names come from users: every text enters the page through textContent.

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Text in which commands stand between backticks, as messages of the server have them: they are drawn as code.
export function say(node, text) {
  const parts = text.split("`");
  if (parts.length % 2 === 0) node.textContent = text;
  else node.replaceChildren(...parts.map((part, place) => (place % 2 === 1 ? make("code", "", part) : part)));
  return node;
}

// A key drawn as a key; a screen reader hears it from `aria-keyshortcuts` of its button.
export function keyCap(label) {
  const cap = make("kbd", "key", label);
  cap.setAttribute("aria-hidden", "true");
  return cap;
}
