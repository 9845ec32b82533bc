"""Pages from templates: what a table holds, and how a template becomes a page.

Templates lie in `templates/`. All text is escaped; drawings alone are inserted as they are. Equal values
give equal bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

TAGS = {
    "better": "better",
    "worse": "worse",
    "none": "no difference",
    "untestable": "too few seeds",
}
"""Outcome of a comparison -> the words of its tag."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a table."""

    text: str = ""
    strong: bool = False
    small: tuple[str, ...] = ()
    """Lines in small type below the text."""
    swatch: str = ""
    """Variable of the style sheet that holds the colour of an arm."""
    outcome: str = ""
    """Key of TAGS, shown below the text."""

    @property
    def tag(self) -> str:
        """The words of the outcome."""
        return TAGS[self.outcome]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells below a header."""

    header: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    caption: str
    numbers_from: int = 1
    """Columns from this one on hold numbers."""


def labels_cell(words: str, *small: str) -> Cell:
    """'48 labels [41, 57]', and in small type how many runs reached the level and what else is known."""
    main, _, there = words.partition(" (")
    return Cell(main, small=(*([there.removesuffix(")")] if there else []), *small))


def difference_cell(words: str, p: str, shown: bool) -> Cell:
    """A mean difference; in small type its interval and p, where there are enough seeds for one."""
    mean, _, ends = words.partition(" [")
    return Cell(mean, strong=shown, small=(f"[{ends}", f"p {p}") if ends else ())


def render(template: str, **values: Any) -> str:
    """The page of a template in `templates/`."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("alworkbench.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
