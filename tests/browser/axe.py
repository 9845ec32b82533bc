"""axe-core, which finds barriers for people who use a page without a pointer or without sight.

It is fetched by `tests/browser/need_axe.sh` into `build/`, and is no part of this project (MPL-2.0).
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Page

SCRIPT = Path(__file__).parents[2] / "build/axe/node_modules/axe-core/axe.min.js"
SERIOUS = ("serious", "critical")

# Streamlit's own elements that no option changes, by rule; none of ours may be listed here.
_RUN = """
async ([rules]) => {
  const options = { resultTypes: ["violations"] };
  if (rules) options.runOnly = { type: "rule", values: rules };
  const found = await axe.run(document, options);
  return found.violations.flatMap((each) => each.nodes.map((node) => ({
    rule: each.id, impact: node.impact ?? each.impact, target: JSON.stringify(node.target),
    why: node.failureSummary, markup: node.html.slice(0, 300),
  })));
}
"""


@dataclass(frozen=True, slots=True)
class Barrier:
    """What a rule found."""

    rule: str
    impact: str
    target: str
    why: str
    markup: str

    @property
    def serious(self) -> bool:
        """Whether axe-core calls it serious or critical."""
        return self.impact in SERIOUS


@cache
def script() -> str:
    """The text of axe-core; skips the test, and says so, where it is missing."""
    if not SCRIPT.is_file():
        line = "TESTS OF BARRIERS SKIPPED: axe-core is missing. Run sh tests/browser/need_axe.sh (needs npm)."
        print(f"\n{line}", file=sys.stderr)
        pytest.skip(line)
    return SCRIPT.read_text(encoding="utf-8")


def barriers(page: Page, rules: tuple[str, ...] | None = None) -> list[Barrier]:
    """What axe-core finds on the open page, by all rules or by these."""
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(script())
    found = page.evaluate(_RUN, [list(rules) if rules else None])
    return [Barrier(**each) for each in found]
