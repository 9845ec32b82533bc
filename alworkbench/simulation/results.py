"""Results of simulations as files: the plan, the conditions, and every point of every run."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import BASELINE_STRATEGY, Arm, SimulationPoint
from alworkbench.core.errors import InvalidResult
from alworkbench.evaluation.curves import Row, TableRow, rows, table
from alworkbench.simulation.described_plan import described_plan
from alworkbench.simulation.plan import Plan

FORMAT = 2
"""Version of result.json. Version 1 had no `format`, strategies instead of arms, and fewer measures."""

_WHOLE = {"seed", "round", "labels", "paid", "asked", "peak_bytes"}
_LISTS: dict[str, Callable[[Any], bool]] = {
    "recall": lambda v: v is None or _is_number(v),
    "classes_asked": lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0,
    "images": lambda v: isinstance(v, str),
}


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A finished simulation in its folder."""

    folder: Path
    name: str
    key: str
    created_at: datetime
    plan: dict[str, Any]
    facts: dict[str, Any]
    """Conditions of the figures: data set, its card and role, encoder, sizes, code and versions."""
    points: tuple[SimulationPoint, ...]

    @property
    def picture(self) -> Path:
        """The learning curve, where `report.writing.write_curve` drew it."""
        return self.folder / "curve.png"

    @property
    def page(self) -> Path:
        """The report, where one was written."""
        return self.folder / "report.html"

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The strategies with learning method and batch size, in the order of the plan."""
        return tuple(dict.fromkeys(point.arm for point in self.points))

    @property
    def baselines(self) -> tuple[str, ...]:
        """Learning methods with which `random` was run too; none in results of earlier versions."""
        return tuple(self.plan.get("baselines", ()))

    @property
    def compared(self) -> tuple[Arm, ...]:
        """The arms without those that were run for the baselines only."""
        own = self.plan.get("adaptations", ())
        planned = BASELINE_STRATEGY in self.plan.get("strategies", ())
        return tuple(
            arm
            for arm in self.arms
            if arm.strategy != BASELINE_STRATEGY
            or arm.adaptation not in self.baselines
            or (planned and arm.adaptation in own)
        )

    @property
    def seeds(self) -> tuple[int, ...]:
        """Seeds, ascending."""
        return tuple(sorted({point.seed for point in self.points}))

    @property
    def transductive(self) -> bool:
        """Whether strategies saw the images of the test part."""
        return bool(self.plan.get("transductive") or self.facts.get("transductive"))

    @property
    def curves(self) -> list[Row]:
        """One row per learner: the arm's name, seed, labels paid for and accuracy."""
        return rows(self.points)

    def table(self) -> list[TableRow]:
        """One row for each strategy."""
        return table(self.points)

    def summary(self) -> str:
        """What was measured on what, in one line."""
        facts, sizes = self.facts, {arm.batch_size for arm in self.arms}
        seeds = len(self.seeds)
        marks = {"dev": " (dev)", "report": " (report)"}.get(str(facts.get("role")), "")
        return (
            f"{facts.get('name', self.name)}{marks}: accuracy by labels, mean over {seeds} "
            f"{'seed' if seeds == 1 else 'seeds'}; pool {facts.get('pool_per_seed', '?')}, test part "
            f"{facts.get('test', '?')}, batches of {', '.join(map(str, sorted(sizes)))}"
            + ("; TRANSDUCTIVE: strategies saw the test images" if self.transductive else "")
        )


def save_result(
    folder: Path,
    name: str,
    key: str,
    plan: Plan,
    facts: Mapping[str, Any],
    points: Sequence[SimulationPoint],
    now: datetime,
) -> SimulationResult:
    """Write result.json in one step, so that a result appears whole or not at all."""
    described = described_plan(plan)
    known = json.loads(json.dumps(dict(facts)))
    result = SimulationResult(folder, name, key, now, described, known, tuple(points))
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "format": FORMAT,
        "name": name,
        "key": key,
        "created_at": now.isoformat(),
        "plan": described,
        "facts": known,
        "points": [asdict(point) for point in points],
    }
    write_atomically(folder / "result.json", json.dumps(content, allow_nan=False).encode())
    return result


def save_points(path: Path, points: Sequence[SimulationPoint]) -> None:
    """Write the points of one run. The file appears whole or not at all."""
    text = json.dumps([asdict(point) for point in points], allow_nan=False)
    write_atomically(path, text.encode())


def load_points(path: Path) -> list[SimulationPoint]:
    """Read the points of one run. Raises InvalidResult for a file that `save_points` did not write."""
    found = _read(path)
    if not isinstance(found, list):
        raise InvalidResult(path, "it is not a list of points")
    return [_point(row, path) for row in found]


def load_result(folder: Path) -> SimulationResult:
    """Read a result. Raises InvalidResult if it is missing, damaged or of an earlier version."""
    path = folder / "result.json"
    content = _read(path)
    if not isinstance(content, dict):
        raise InvalidResult(path, "it is not an object")
    if content.get("format") != FORMAT:
        if "format" not in content and "data" in content:
            raise InvalidResult(
                path, "an earlier version of alworkbench wrote it, which measured less"
            )
        raise InvalidResult(path, f"it has the format {content.get('format')!r}, not {FORMAT}")
    try:
        name, key = content["name"], content["key"]
        plan, facts, points = content["plan"], content["facts"], content["points"]
        created = datetime.fromisoformat(content["created_at"])
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidResult(path, f"{type(error).__name__}: {error}") from error
    kinds = ((name, str), (key, str), (plan, dict), (facts, dict), (points, list))
    if not all(isinstance(value, kind) for value, kind in kinds) or not points:
        raise InvalidResult(path, "a field has the wrong kind of value, or there are no points")
    read = tuple(_point(row, path) for row in points)
    return SimulationResult(folder, name, key, created, plan, facts, read)


def load_results(folder: Path) -> list[SimulationResult]:
    """Every finished simulation below a folder, newest first, without those of earlier versions.

    Raises InvalidResult for a damaged one.
    """
    paths = [path for path in folder.glob("*/result.json") if not _is_earlier(path)]
    found = [load_result(path.parent) for path in paths]
    return sorted(found, key=lambda result: result.created_at, reverse=True)


def find_result(name: str, places: Sequence[Path]) -> SimulationResult:
    """The result in a folder, or the result in one of `places` whose key begins with `name`.

    Raises InvalidResult if there is none, or if several keys begin so.
    """
    folder = Path(name)
    if (folder / "result.json").is_file():
        return load_result(folder)
    every = [result for place in places if place.is_dir() for result in load_results(place)]
    found = {r.key: r for r in every if r.key.startswith(name) or r.folder.name.startswith(name)}
    if len(found) == 1:
        return next(iter(found.values()))
    known = ", ".join(sorted(r.key for r in every)[:10]) or "none"
    what = (
        "the keys of several results begin so"
        if found
        else "there is no such folder and no such key"
    )
    looked = ", ".join(map(str, places))
    raise InvalidResult(name, f"{what}; in {looked} there are: {known}")


def _is_earlier(path: Path) -> bool:
    content = _read(path)
    return isinstance(content, dict) and "format" not in content and "data" in content


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InvalidResult(path, error.strerror or "it cannot be read") from error
    except (ValueError, RecursionError) as error:
        raise InvalidResult(path, "it is not JSON, or was cut short") from error


def _point(row: Any, path: Path) -> SimulationPoint:
    try:
        arm = row["arm"]
        values: dict[str, Any] = {
            "arm": Arm(
                str(arm["strategy"]), str(arm["adaptation"]), _whole(arm["batch_size"], path)
            )
        }
        for each in fields(SimulationPoint):
            if each.name == "arm":
                continue
            value = row[each.name]
            if each.name in _LISTS:
                if not isinstance(value, list) or not all(map(_LISTS[each.name], value)):
                    raise InvalidResult(path, f"a point's {each.name} is {str(value)[:60]!r}")
                values[each.name] = tuple(value)
            elif each.name in _WHOLE:
                values[each.name] = _whole(value, path)
            elif _is_number(value):
                values[each.name] = float(value)
            else:
                raise InvalidResult(path, f"a point's {each.name} is {str(value)[:60]!r}")
    except (KeyError, TypeError) as error:
        raise InvalidResult(path, f"a point has no {error}") from error
    point = SimulationPoint(**values)
    if not point.labels <= point.asked <= point.paid:
        raise InvalidResult(path, "a point learned from more images than it asked or paid for")
    return point


def _whole(value: Any, path: Path) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidResult(path, f"{str(value)[:60]!r} is not a count")
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
