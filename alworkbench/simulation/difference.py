"""The first difference between a record and what was computed again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alworkbench.core.domain import SimulationPoint
from alworkbench.simulation.plan import Run


@dataclass(frozen=True, slots=True)
class Difference:
    """The first thing that differs from the record."""

    round: int
    position: int | None
    """Position in the batch, from 1; None if the difference is not in a batch."""
    image: str | None
    """Content hash in the record."""
    found: str | None
    """Content hash that was computed now."""
    what: str
    """The difference in words."""
    why: tuple[str, ...]
    """Possible reasons, the most likely first."""
    run: str | None = None
    """Name of the run, for a simulation."""


def first_other(then: Sequence[str], now: Sequence[str]) -> int | None:
    """Index of the first entry that differs or is missing in one of them; None for equal sequences."""
    if list(then) == list(now):
        return None
    pairs = enumerate(zip(then, now, strict=False))
    return next((k for k, (one, other) in pairs if one != other), min(len(then), len(now)))


def batch_difference(
    round_number: int,
    then: Sequence[str],
    now: Sequence[str],
    why: tuple[str, ...] = (),
    run: str | None = None,
) -> Difference | None:
    """The first image that differs between two batches of content hashes, or None."""
    at = first_other(then, now)
    if at is None:
        return None
    image, found = (batch[at] if at < len(batch) else None for batch in (then, now))
    where = f"round {round_number} asks another image at place {at + 1} of {len(then)}"
    what = where if run is None else f"{run}: {where}"
    return Difference(round_number, at + 1, image, found, what, why, run)


def first_difference(
    then: Sequence[SimulationPoint], now: Sequence[SimulationPoint]
) -> Difference | None:
    """The first image that differs between two simulations with one plan, or None."""
    again = {(point.arm, point.seed, point.round): point.images for point in now}
    for point in then:
        images = again.get((point.arm, point.seed, point.round), ())
        run = Run(point.arm, point.seed).name
        if found := batch_difference(point.round, point.images, images, run=run):
            return found
    return None
