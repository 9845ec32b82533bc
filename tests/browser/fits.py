"""What of the words on a page does not fit: cut text, and numbers that a line parts from their unit."""

from __future__ import annotations

from playwright.sync_api import Page

# Elements of shadow trees too. Text that only a screen reader hears takes no room. Tables of Streamlit are
# drawn on a canvas, and scroll.
_MISFITS = r"""
() => {
  const found = [];
  const HIDDEN = ["hidden", "clip"];
  const CLOSED_MENU = "[data-testid=stSidebar][data-collapsed=true]";
  const NO_WORDS = `canvas, script, style, [data-testid=stDataFrame], ${CLOSED_MENU}`;
  const shown = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && node.checkVisibility({ visibilityProperty: true });
  };
  const words = (node) => node.textContent.trim().replace(/\s+/g, " ").slice(0, 80);
  const ownText = (node) =>
    [...node.childNodes].some((each) => each.nodeType === 3 && each.data.trim() !== "");
  const cut = (node) => {
    if (node instanceof HTMLInputElement && !["range", "file"].includes(node.type)) {
      return node.scrollWidth > node.clientWidth + 1;
    }
    for (let box = node; box instanceof HTMLElement; box = box.parentElement) {
      const style = getComputedStyle(box);
      if (HIDDEN.includes(style.overflowX) && box.scrollWidth > box.clientWidth + 1) return true;
      if (["auto", "scroll"].includes(style.overflowX)) return false;
      if (style.display === "block" && box !== node) return false;
    }
    return false;
  };
  const UNIT = /\d[\d.,]*\s(?:%|points?\b)/g;
  const parted = (text) => {
    for (const each of text.data.matchAll(UNIT)) {
      const range = document.createRange();
      range.setStart(text, each.index);
      range.setEnd(text, each.index + each[0].length);
      const lines = new Set([...range.getClientRects()].map((line) => Math.round(line.top)));
      if (lines.size > 1) return each[0];
    }
    return null;
  };
  const walk = (root) => {
    for (const node of root.querySelectorAll("*")) {
      if (node.shadowRoot) walk(node.shadowRoot);
      if (!(node instanceof HTMLElement) || node.closest(NO_WORDS) || !shown(node)) continue;
      const says = node instanceof HTMLInputElement ? node.value || node.placeholder : words(node);
      if (says === "" || !(node instanceof HTMLInputElement || ownText(node))) continue;
      if (cut(node)) found.push(`cut: ${says}`);
      for (const text of node.childNodes) {
        const number = text.nodeType === 3 ? parted(text) : null;
        if (number !== null) found.push(`parted: ${number} in ${says}`);
      }
    }
  };
  walk(document);
  return [...new Set(found)];
}
"""

# WCAG 2.1 asks 4.5 of words of this size. axe-core does not look at the words of drawings.
_PALE = r"""
() => {
  const channels = (text) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (rgb) => {
    const linear = (part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((each) => linear(each / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const app = document.querySelector("[data-testid=stApp]");
  const page = channels(getComputedStyle(app).backgroundColor).slice(0, 3);
  const found = [];
  for (const node of document.querySelectorAll("[data-testid=stVegaLiteChart] svg text")) {
    if (node.textContent.trim() === "") continue;
    const style = getComputedStyle(node);
    const [r, g, b] = channels(style.fill);
    const opacity = Number(style.fillOpacity) * Number(style.opacity);
    const ink = [r, g, b].map((each, n) => opacity * each + (1 - opacity) * page[n]);
    const [low, high] = [light(ink), light(page)].sort((one, other) => one - other);
    const contrast = (high + 0.05) / (low + 0.05);
    if (contrast < 4.5) found.push(`${node.textContent}: ${contrast.toFixed(2)}`);
  }
  return found;
}
"""


def misfits(page: Page) -> list[str]:
    """Cut texts, and numbers apart from their unit, of the open page as it is shown now."""
    found: list[str] = page.evaluate(_MISFITS)
    return found


def pale_words_of_charts(page: Page) -> list[str]:
    """Words in charts whose contrast with the page is below 4.5, each with its contrast."""
    found: list[str] = page.evaluate(_PALE)
    return found
