// A button with its key on it.

import { keys } from "./keys.js";
import { keyCap, make } from "./make.js";

// onBlocked(reason): it was pressed by keyboard while something covers the page, so onClick was not called.
export function button(className, text, key, onClick, onBlocked = () => {}) {
  const node = make("button", className);
  node.type = "button";
  node.append(make("bdi", "label", text));
  setKey(node, key);
  node.addEventListener("click", (event) => {
    const byPointer = event.detail > 0;
    // Without this, Enter would press the clicked button again.
    if (byPointer) node.blur();
    if (!byPointer && keys.obstacle !== null) onBlocked(keys.obstacle);
    else onClick();
  });
  return node;
}

export function setKey(node, key) {
  node.querySelector(".key")?.remove();
  node.removeAttribute("aria-keyshortcuts");
  if (!key) return;
  node.append(keyCap(key));
  node.setAttribute("aria-keyshortcuts", key === "⌫" ? "Backspace" : key);
}
