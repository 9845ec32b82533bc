"""Numbers as sentences and tables write them."""

from __future__ import annotations

from typing import SupportsFloat


def counted(number: int, noun: str) -> str:
    """`1 image`, `1,000 images`."""
    return f"{number} {noun}" if number == 1 else f"{number:,} {noun}s"


def chance_words(floor: float) -> str:
    """What a calibration error cannot be told from: part of a sentence, beside the error."""
    return f"even if every probability were exact, about {floor:.3f} would be measured by chance"


def percent(share: SupportsFloat, digits: int = 1) -> str:
    """A share as a percentage, with a blank before the sign (ISO 80000-1): `59.0 %`."""
    return f"{100 * float(share):.{digits}f} %"
