// A text that names this tab of the browser, so that two tabs never show the same image.
//
// It survives a reload. A copied tab copies sessionStorage, too: the mark says whether the tab that
// wrote the text is still open, and then this one is a copy and needs a text of its own.

import { newId } from "./ids.js";

const TAB = "alworkbench.tab";
const TAB_MARK = "alworkbench.tab.open";
const TAB_HERE = Symbol.for("alworkbench.tab");

export function tabId() {
  if (window[TAB_HERE] !== undefined) return window[TAB_HERE];
  let id = null;
  const mark = (open) => {
    try {
      if (open) sessionStorage.setItem(TAB_MARK, "1");
      else sessionStorage.removeItem(TAB_MARK);
    } catch {
      // Without storage the text lives as long as the page.
    }
  };
  try {
    if (sessionStorage.getItem(TAB_MARK) === null) id = sessionStorage.getItem(TAB);
    if (!/^[A-Za-z0-9-]{16,64}$/.test(id ?? "")) id = newId();
    sessionStorage.setItem(TAB, id);
  } catch {
    id = id ?? newId();
  }
  window[TAB_HERE] = id;
  mark(true);
  window.addEventListener("pagehide", () => mark(false));
  window.addEventListener("pageshow", () => mark(true));
  return id;
}
