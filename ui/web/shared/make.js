// Elements of a page. Names come from users: every text enters the page through textContent.

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// A key drawn as a key; a screen reader hears it from `aria-keyshortcuts` of its button.
export function keyCap(label) {
  const cap = make("kbd", "key", label);
  cap.setAttribute("aria-hidden", "true");
  return cap;
}
