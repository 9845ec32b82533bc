"""What lies in a folder of simulations: finished ones, begun ones, and files that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.errors import InvalidResult
from alworkbench.core.kept_values import KeptFiles
from alworkbench.simulation.begun import FILE, Begun, load_begun
from alworkbench.simulation.results import SimulationResult, load_result

MOST_BYTES = 64 * 2**20
"""Of results that are kept in memory, as large as their files."""


@dataclass(frozen=True, slots=True)
class KeptSimulations:
    """Each simulation of a folder once, newest first."""

    finished: tuple[SimulationResult, ...]
    unfinished: tuple[Begun, ...]
    """Stopped, or still at work."""
    unreadable: tuple[tuple[str, str], ...]
    """Name of the folder, and why."""


def kept_simulations(folder: Path) -> KeptSimulations:
    """What lies in the folder; nothing where it is missing. A result is read once, until its file changes."""
    finished: list[SimulationResult] = []
    unfinished: list[Begun] = []
    unreadable: list[tuple[str, str]] = []
    for place in sorted(folder.glob("*/")):
        result = place / "result.json"
        try:
            if result.is_file():
                finished.append(_RESULTS.of(result))
            elif (place / FILE).is_file():
                unfinished.append(load_begun(place))
        except InvalidResult as problem:
            unreadable.append((place.name, str(problem)))
    return KeptSimulations(
        tuple(sorted(finished, key=lambda each: each.created_at, reverse=True)),
        tuple(sorted(unfinished, key=lambda each: each.begun_at, reverse=True)),
        tuple(unreadable),
    )


def named(key: str, among: Sequence[SimulationResult]) -> SimulationResult | None:
    """The result with this key, or None."""
    return next((each for each in among if each.key == key), None)


def _read_result(path: Path) -> SimulationResult:
    return load_result(path.parent)


_RESULTS = KeptFiles(_read_result, MOST_BYTES)
