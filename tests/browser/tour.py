"""Every page of the navigation opened in Chromium, for tests of all pages and for their pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from alworkbench.core.domain import Answer, AnswerKind, PersonRole
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.workbench import Workbench
from tests.browser.desk import COOKIES
from ui.pages import PAGES

WIDTHS = (1440, 800)
SCHEMES = ("light", "dark")
HEIGHT = 900
PAGE_MS = 90_000
"""A page may take so long on a busy machine."""

# What is on a page once it is drawn, where that comes after Streamlit's own drawing.
_DRAWN = {
    "label": "[data-labeller][data-armed=true], [data-labeller][data-finished=true]",
    "grid": "[data-answer-grid] .cell.seen, [data-answer-grid][data-finished=true]",
    "gallery": "[data-gallery] .cell.seen",
    "map": "[data-map][data-points]",
    "classes": "[data-classes] .said-by-model[data-state=shown]",
}

# Streamlit hands its colours to our components a while after its own have changed.
_IN_ONE_SCHEME = """
(scheme) => {
  const dark = (text) => {
    const probe = document.createElement("i");
    probe.style.color = text;
    document.body.append(probe);
    const parts = getComputedStyle(probe).color.match(/[0-9.]+/g).map(Number);
    probe.remove();
    return parts[0] + parts[1] + parts[2] < 384;
  };
  const shown = [getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor];
  for (const host of document.querySelectorAll("*")) {
    const given = host.shadowRoot ? getComputedStyle(host).getPropertyValue("--st-background-color") : "";
    if (given !== "") shown.push(given);
  }
  return shown.every((each) => dark(each) === (scheme === "dark"));
}
"""


# Every picture that is in the window is painted.
_PAINTED = """
() => {
  const inWindow = (node) => {
    const box = node.getBoundingClientRect();
    return box.width > 0 && box.bottom > 0 && box.top < innerHeight;
  };
  const painted = (root) => [...root.querySelectorAll("*")].every((node) => {
    if (node.shadowRoot && !painted(node.shadowRoot)) return false;
    if (!(node instanceof HTMLImageElement) || !node.src || !inWindow(node)) return true;
    return node.complete && node.naturalWidth > 0;
  });
  return painted(document);
}
"""


@dataclass(frozen=True, slots=True)
class Stop:
    """One page of the tour."""

    url: str
    title: str


DOORS = (
    Stop("alw/door/you", "Account"),
    Stop("no-such-page", "There is no such page"),
)
"""Pages without Streamlit, for somebody who is signed in."""
SIGN_IN = Stop("alw/door", "Sign in")
"""For nobody who is signed in."""


def stops() -> list[Stop]:
    """All pages of the navigation, in its order."""
    return [Stop(each.url, each.title) for each in PAGES]


@contextmanager
def tour(browser: Browser, url: str, **options: object) -> Iterator[Page]:
    """A browser tab of the manager of a served project."""
    context = browser.new_context(
        viewport={"width": WIDTHS[0], "height": HEIGHT}, color_scheme="light", **options
    )
    context.set_default_timeout(PAGE_MS)
    context.add_cookies(COOKIES.get(url, []))  # type: ignore[arg-type]
    yield context.new_page()
    context.close()


def visit(page: Page, url: str, stop: Stop, *, still: bool = True) -> None:
    """Open a page in the first form, and wait until it is drawn; with `still` until nothing moves."""
    page.set_viewport_size({"width": WIDTHS[0], "height": HEIGHT})
    page.emulate_media(color_scheme="light")
    page.goto(f"{url}/{stop.url}")
    drawn(page)
    if stop.url in _DRAWN:
        expect(page.locator(_DRAWN[stop.url]).first).to_be_visible(timeout=PAGE_MS)
    if still:
        rest(page)


def dress(page: Page, width: int, scheme: str, height: int = HEIGHT) -> None:
    """Show the open page in another size and colour scheme."""
    page.set_viewport_size({"width": width, "height": height})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    rest(page)
    page.wait_for_function(_IN_ONE_SCHEME, arg=scheme)


def see_door(page: Page, url: str, stop: Stop, width: int, scheme: str) -> None:
    """Open a page without Streamlit in a size and a colour scheme."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.goto(f"{url}/{stop.url}")
    expect(page.get_by_role("heading", name=stop.title)).to_be_visible(timeout=PAGE_MS)


def rest(page: Page) -> None:
    """Wait until the page is drawn, and until nothing moves."""
    drawn(page)
    page.wait_for_function(_PAINTED)
    page.wait_for_timeout(400)  # transitions of Streamlit's sidebar and of charts


def drawn(page: Page) -> None:
    """Wait until Streamlit draws nothing and no placeholder is left."""
    expect(page.locator("[data-testid=stApp]")).to_have_attribute(
        "data-test-script-state", "notRunning", timeout=PAGE_MS
    )
    expect(page.locator("[data-testid=stSkeleton]")).to_have_count(0, timeout=PAGE_MS)


def live_in(workbench: Workbench, rounds: int = 2) -> None:
    """Give a project some history: closed rounds, a second opinion, predictions, and an open round.

    A round must be open. Ada answers as the model suggests; Bo differs once.
    """
    for name, role in (("Ada", PersonRole.MANAGER), ("Bo", PersonRole.ANNOTATOR)):
        workbench.people.add(name, role)
    classes = [each.id for each in workbench.classes.current().classes]
    for _ in range(rounds):
        round_ = workbench.rounds.current()
        assert round_ is not None
        items = workbench.labels.claim("Ada", 500)
        workbench.labels.record_many(
            [
                Answer(
                    f"{round_.id} {item.id}",
                    item.image_id,
                    AnswerKind.CLASS,
                    "Ada",
                    class_id=item.suggestion.class_id if item.suggestion else classes[0],
                    item_id=item.id,
                    lease_token=item.lease.token if item.lease else None,
                    duration_ms=1500 + 10 * n,
                )
                for n, item in enumerate(items)
            ]
        )
        late = Answer(
            f"second {round_.id}",
            items[0].image_id,
            AnswerKind.CLASS,
            "Bo",
            class_id=classes[-1],
            item_id=items[0].id,
        )
        workbench.labels.record(late)
        workbench.rounds.close()
        workbench.rounds.propose()
    # So that its pages show figures, and not that they are being computed.
    workbench.audit.evidence.compute(EvidenceSet.AUDIT)


def picture_name(stop: Stop, width: int, scheme: str) -> Path:
    """The file of a picture of a page."""
    return Path(f"{stop.url.replace('/', '-')}-{width}-{scheme}.png")
