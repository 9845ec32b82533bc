"""The report in a real browser without a network: quiet, whole, legible, on light and on dark."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from alworkbench.report.comparing import compare
from alworkbench.report.comparison_page import write_comparison
from alworkbench.report.writing import write_report
from tests.made_results import made_points, made_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

_CONTRASTS = """
() => {
  const light = (c) => c.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const probe = document.createElement("span");
  document.body.append(probe);
  const colour = (name) => {
    probe.style.color = `var(${name})`;
    return light(getComputedStyle(probe).color);
  };
  const names = [...document.styleSheets[0].cssRules]
    .filter((rule) => rule.selectorText === ":root").flatMap((rule) => [...rule.style])
    .filter((name) => /^--(ink|faint|baseline|series-\\d)$/.test(name));
  return names.map((name) => {
    const [dark, bright] = [colour(name), colour("--card")].sort((x, y) => x - y);
    return [name, (bright + 0.05) / (dark + 0.05)];
  });
}
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    speeds = {"random": 60.0, "entropy": 58.0, "margin": 90.0, "epig": 36.0, "badge": 45.0}
    points = [*made_points(speeds), *made_points({"random": 80.0}, adaptation="probe")]
    few = made_result(folder / "few", points, key="few", baselines=("probe",))
    many = made_result(folder / "many", made_points(seeds=1, classes=62), key="many")
    fast = made_result(folder / "fast", made_points({**speeds, "epig": 12.0}), key="fast")
    return {
        "few": write_report(few).page,
        "many": write_report(many).page,
        "compare": write_comparison(compare([few, fast]), folder).page,
    }


@pytest.mark.parametrize("width", [800, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["few", "many", "compare"])
def test_the_page_has_no_errors_loads_nothing_from_outside_and_fits(
    chromium: Browser, pages: dict[str, Path], name: str, scheme: Any, width: int
) -> None:
    context = chromium.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 900}, offline=True
    )
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages[name].as_uri())
    for details in page.query_selector_all("summary"):
        details.click()
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert legible(page) >= 8.5, "pixels of the smallest text in a drawing"
    contrasts = page.evaluate(_CONTRASTS)
    assert len(contrasts) >= 11
    for colour, contrast in contrasts:
        assert contrast >= 4.0, (colour, contrast)
    context.close()


def legible(page: Page) -> float:
    """Height in pixels of the smallest text of the first drawing."""
    found = page.evaluate(
        "Math.min(...[...document.querySelector('svg.drawing').querySelectorAll('text')]"
        ".map((text) => parseFloat(getComputedStyle(text).fontSize)"
        " * text.ownerSVGElement.getScreenCTM().a))"
    )
    return float(found)
