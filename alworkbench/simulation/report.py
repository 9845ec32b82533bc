"""Results of simulations: files in the project folder, a table in words, the curves as a picture."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.disk import write_atomically
from alworkbench.simulation.plan import Plan, Point
from alworkbench.simulation.statistics import BUDGETS, TableRow, curves, table

_COLOURS = ("#0f766e", "#c2410c", "#6d28d9", "#475569", "#b45309", "#be185d", "#1d4ed8", "#4d7c0f")
_GREY = "#64748b"


@dataclass(frozen=True, slots=True)
class SimulationResult:
    """A finished simulation, as it lies in the project folder."""

    folder: Path
    name: str
    key: str
    created_at: datetime
    plan: dict[str, Any]
    data: dict[str, Any]
    """Name, encoder and sizes of pool and test part."""
    points: tuple[Point, ...]

    @property
    def picture(self) -> Path:
        return self.folder / "curve.png"

    @property
    def curves(self) -> list[Point]:
        """One row per learner: strategy, seed, labels, accuracy and the other metrics."""
        return list(self.points)

    def table(self) -> list[TableRow]:
        return table(self.points)

    def summary(self) -> str:
        """What was measured on what, in one line."""
        return (
            f"{self.data['name']}: accuracy by labels, mean ± standard error over {self.plan['seeds']} "
            f"seeds; pool {self.data['pool_per_seed']}, test part {self.data['test']}, batches of "
            f"{self.plan['batch_size']}"
        )


def save_result(
    folder: Path,
    name: str,
    key: str,
    plan: Plan,
    data: dict[str, Any],
    points: Sequence[Point],
    now: datetime,
) -> SimulationResult:
    """Write result.json and the picture; the result appears whole or not at all."""
    described = json.loads(json.dumps(asdict(plan)))
    result = SimulationResult(folder, name, key, now, described, data, tuple(points))
    folder.mkdir(parents=True, exist_ok=True)
    draw_curves(result, result.picture)
    content = {
        "name": name,
        "key": key,
        "created_at": now.isoformat(),
        "plan": result.plan,
        "data": data,
        "points": [asdict(point) for point in points],
    }
    write_atomically(folder / "result.json", json.dumps(content).encode())
    return result


def save_points(path: Path, points: Sequence[Point]) -> None:
    """Keep the points of one run; the file appears whole or not at all."""
    write_atomically(path, json.dumps([asdict(point) for point in points]).encode())


def load_points(path: Path) -> list[Point]:
    return [_point(row) for row in json.loads(path.read_text())]


def _point(row: dict[str, Any]) -> Point:
    return Point(**{**row, "asked": tuple(row["asked"])})


def load_result(folder: Path) -> SimulationResult:
    content = json.loads((folder / "result.json").read_text())
    points = tuple(_point(row) for row in content["points"])
    return SimulationResult(
        folder,
        content["name"],
        content["key"],
        datetime.fromisoformat(content["created_at"]),
        content["plan"],
        content["data"],
        points,
    )


def load_results(folder: Path) -> list[SimulationResult]:
    """Every finished simulation below a folder, newest first."""
    found = [load_result(path.parent) for path in folder.glob("*/result.json")]
    return sorted(found, key=lambda result: result.created_at, reverse=True)


def table_lines(rows: Sequence[TableRow], budgets: Sequence[int] = BUDGETS) -> list[list[str]]:
    """Header and cells of the table, as text."""
    shown = [b for b in (0, *budgets) if any(b in row.at for row in rows)]
    lines = [["strategy", *(f"at {b}" for b in shown), "area under curve"]]
    for row in rows:
        cells = [str(row.at[b]) if b in row.at else "" for b in shown]
        if shown and shown[0] == 0 and 0 in row.at:
            cells[0] = f"{row.at[0].mean:.3f}"
        lines.append([row.strategy, *cells, str(row.area)])
    return lines


def draw_curves(result: SimulationResult, path: Path) -> None:
    """Learning curves with a band of one standard error, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.8), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    ends: list[tuple[float, str, str]] = []
    ranked = [row.strategy for row in result.table()]
    by_name = {curve.strategy: curve for curve in curves(result.points)}
    for rank, name in enumerate(ranked):
        curve = by_name[name]
        colour = _GREY if name == "random" else _COLOURS[rank % len(_COLOURS)]
        means = [point.mean for point in curve.accuracy]
        errors = [point.standard_error for point in curve.accuracy]
        axes.plot(curve.labels, means, color=colour, linewidth=2 if rank == 0 else 1.4)
        if curve.accuracy[0].seeds > 1:
            low = [m - e for m, e in zip(means, errors, strict=True)]
            high = [m + e for m, e in zip(means, errors, strict=True)]
            axes.fill_between(curve.labels, low, high, color=colour, alpha=0.15, linewidth=0)
        ends.append((means[-1], name, colour))
    start = by_name[ranked[0]].accuracy[0].mean
    axes.axhline(start, color=_GREY, linewidth=0.8, linestyle=(0, (4, 4)))
    last = max(by_name[ranked[0]].labels)
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * 0.045
    place = -1.0
    for value, name, colour in sorted(ends):
        place = max(value, place + gap)
        axes.annotate(
            name,
            (last, place),
            xytext=(6, 0),
            textcoords="offset points",
            color=colour,
            va="center",
        )
    axes.annotate(
        "zero-shot",
        (last, start),
        xytext=(-4, 4),
        textcoords="offset points",
        color=_GREY,
        ha="right",
    )
    axes.set_xlim(0, last)
    axes.set_xlabel("labels")
    axes.set_ylabel("accuracy on the test part")
    axes.set_title(result.summary(), fontsize=8, color=_GREY, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e2e8f0", linewidth=0.8)
    figure.savefig(path)
