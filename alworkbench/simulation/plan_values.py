"""The kinds of values in a plan of a simulation, and what each refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

OWN = "own"
"""Value of `seconds`: the recorded times of the project's own labels."""


def _text(value: Any) -> str:
    if not isinstance(value, str | Path) or not str(value).strip():
        raise ValueError
    return str(value)


def _path(value: Any) -> Path:
    return Path(_text(value)).expanduser()


def _listed(value: Any) -> Any:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


def _distinct(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if repeated := [one for one in values if values.count(one) > 1]:
        raise ValueError(f"{repeated[0]!r} is repeated")
    return values


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("the list is empty")
    return values


def _confusion(value: Any) -> Any:
    """Refuse a matrix that is not square or whose rows are no probabilities."""
    rows = value if isinstance(value, tuple) else ()
    if isinstance(value, tuple) and not rows:
        raise ValueError("the matrix is empty")
    if any(len(row) != len(rows) for row in rows):
        raise ValueError("the matrix is not square")
    for number, row in enumerate(rows, 1):
        if min(row) < 0 or abs(sum(row) - 1) > 1e-6:
            raise ValueError(f"row {number} does not add up to 1")
    return value


def _seconds(value: Any) -> Any:
    """`own`, or numbers. The command line gives numbers as text, because `own` is text."""
    given = _listed(value)
    if list(given) == [OWN]:
        return OWN
    return [float(one) if isinstance(one, str) else one for one in given]


Text = Annotated[str, BeforeValidator(_text)]
Place = Annotated[Path, BeforeValidator(_path)]
NamesOrNone = Annotated[tuple[Text, ...], BeforeValidator(_listed), AfterValidator(_distinct)]
Names = Annotated[NamesOrNone, AfterValidator(_some)]
MOST = 1_000_000_000
"""Largest count, and largest factor or number of seconds, that a plan may name."""
UP_TO_MOST = f"{MOST:,}"
Count = Annotated[int, Field(strict=True, ge=1, le=MOST)]
Counts = Annotated[
    tuple[Count, ...], BeforeValidator(_listed), AfterValidator(_distinct), AfterValidator(_some)
]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0, le=MOST)]
Share = Annotated[Number, Field(ge=0, lt=1)]
Confusion = tuple[tuple[Number, ...], ...]
Noise = Annotated[Share | Confusion, AfterValidator(_confusion)]
Seconds = Annotated[Literal["own"] | tuple[Positive, ...], BeforeValidator(_seconds)]
