"""A page used by the keyboard alone: the focus moves by Tab, and what has it is known by its name."""

from __future__ import annotations

from playwright.sync_api import Page

# The element that has the focus, also inside of our components, by its kind and its name for a screen reader.
_FOCUSED = """
() => {
  let node = document.activeElement;
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement;
  if (!node || node === document.body) return ["", ""];
  const root = node.getRootNode();
  const by = (node.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => root.getElementById(id));
  const labels = [...(node.labels ?? [])];
  const words = [...by, ...labels].filter(Boolean).map((each) => each.textContent.trim());
  const kinds = { A: "link", BUTTON: "button", SUMMARY: "button" };
  const kind = node.getAttribute("role") ?? kinds[node.tagName] ?? "field";
  // Elements whose text is their name; of a dialog or a region it is not.
  const written = ["button", "link", "tab", "option", "radio", "checkbox", "switch", "menuitem"];
  const named = written.includes(kind);
  const text = named ? node.textContent.trim() : "";
  return [kind, node.getAttribute("aria-label") || words.join(" ") || text || node.title || ""];
}
"""
LONGEST_WALK = 150
"""Presses of Tab until an element must be found."""


def focused(page: Page) -> tuple[str, str]:
    """Kind and name of the element that has the focus; empty texts where none has."""
    kind, name = page.evaluate(_FOCUSED)
    return kind, " ".join(name.split())


def go_to(page: Page, name: str, kind: str = "") -> None:
    """Press Tab until an element whose name begins so, of this kind, has the focus.

    Fails with the elements that were met.
    """
    met = []
    for _ in range(LONGEST_WALK):
        now = focused(page)
        if now[1].startswith(name) and kind in ("", now[0]):
            return
        met.append(now)
        page.keyboard.press("Tab")
    raise AssertionError(f"no element {name!r} is reached by Tab; met {met}")


def press(page: Page, name: str) -> None:
    """Press the button whose name begins so."""
    go_to(page, name, "button")
    page.keyboard.press("Enter")


def follow(page: Page, name: str) -> None:
    """Follow the link whose name begins so."""
    go_to(page, name, "link")
    page.keyboard.press("Enter")


def write(page: Page, name: str, text: str) -> None:
    """Write a text into the field whose name begins so, in the place of what stands there."""
    go_to(page, name)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)
    page.keyboard.press("Tab")
