"""Numbers as sentences and tables write them."""

from __future__ import annotations

from typing import SupportsFloat


def counted(number: int, noun: str) -> str:
    """`1 image`, `1,000 images`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def percent(share: SupportsFloat, digits: int = 1) -> str:
    """A share as a percentage, with a blank before the sign (ISO 80000-1): `59.0 %`."""
    return f"{100 * float(share):.{digits}f} %"
