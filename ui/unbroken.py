"""Numbers that stay beside their unit: no line of a page ends between `59.0` and `%`."""

from __future__ import annotations

import re
from typing import SupportsFloat

from alworkbench.core import words

NO_BREAK = "\u00a0"
_BEFORE_A_UNIT = re.compile(r"(?<=\d) (?=%|points?\b)")


def unbroken(text: str) -> str:
    """The text with a blank that does not break between a number and its unit."""
    return _BEFORE_A_UNIT.sub(NO_BREAK, text)


def percent(share: SupportsFloat, digits: int = 1) -> str:
    """A share as a page writes it. Files get that of `alworkbench.core.words`, with a plain blank."""
    return unbroken(words.percent(share, digits))
