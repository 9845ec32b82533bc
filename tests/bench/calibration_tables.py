"""The tables of `calibrated_learners`, in Markdown, from the runs that it kept.

Dimensions used in this file
    R  finished runs (seeds) of one data set and strategy
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

Cell = tuple[str, str, int]
"""Data set, strategy, labels."""

WAYS = ("labels alone", "not scaled", "left-out", "audit", "mean confidence", "range", "best")
SHOWN = ("ece", "nlpd", "brier")
WITHIN = 0.02
"""How far from its floor an ECE may be."""


@dataclass(frozen=True)
class Table:
    """Figures on one part of every data set."""

    values: Mapping[Cell, Mapping[str, Mapping[str, Float[np.ndarray, "R"]]]]
    """By cell, way and figure."""

    @classmethod
    def read(cls, out: Path, part: str, strategies: Iterable[str], counts: Iterable[int]) -> Table:
        """Those of the runs in `out`. A cell needs two runs, for a spread."""
        counts = tuple(counts)
        values = {}
        for strategy in strategies:
            for name in sorted(
                {each.name.split(f"-{strategy}-")[0] for each in out.glob("*.json")}
            ):
                files = sorted(out.glob(f"{name}-{strategy}-[0-9]*.json"))
                runs = [json.loads(file.read_text()) for file in files]
                for count in counts if len(runs) > 1 else ():
                    found = [run[str(count)][part] for run in runs]
                    values[name, strategy, count] = {
                        way: {
                            figure: np.array([each[way][figure] for each in found])
                            for figure in found[0][way]
                        }
                        for way in WAYS
                    }
        return cls(values)

    def mean(self, cell: Cell, way: str, figure: str) -> float:
        return float(self.values[cell][way][figure].mean())

    def above_floor(self, cell: Cell, way: str) -> float:
        """ECE minus its floor, mean over the runs."""
        return self.mean(cell, way, "ece") - self.mean(cell, way, "ece_floor")

    def cells(self, names: Iterable[str]) -> list[Cell]:
        names = tuple(names)
        return [cell for cell in self.values if cell[0] in names]

    def difference(self, cell: Cell, figure: str, way: str, other: str) -> tuple[float, float]:
        """Mean over the runs of `way` minus `other`, and its standard error."""
        found = self.values[cell][way][figure] - self.values[cell][other][figure]
        return float(found.mean()), float(found.std(ddof=1) / len(found) ** 0.5)


def means(table: Table, title: str, names: tuple[str, ...]) -> list[str]:
    """Means over data sets by strategy and labels: each figure by way, and the floor of the audit way."""
    lines = []
    every = table.cells(names)
    for strategy in dict.fromkeys(cell[1] for cell in every):
        for count in dict.fromkeys(cell[2] for cell in every):
            cells = [cell for cell in every if cell[1:] == (strategy, count)]
            parts = [
                " ".join(
                    f"{np.mean([table.mean(cell, way, figure) for cell in cells]):.3f}"
                    for way in WAYS
                )
                for figure in SHOWN
            ]
            above = " ".join(
                f"{np.mean([table.above_floor(cell, way) for cell in cells]):+.3f}" for way in WAYS
            )
            lines.append(
                f"| {title}, {len(cells)} | {strategy} | {count} | {' | '.join(parts)} | {above} |"
            )
    return lines


def each_set(table: Table, names: Iterable[str], count: int) -> list[str]:
    """One row for each data set and strategy at `count` labels."""
    lines = []
    for cell in (cell for name in names for cell in table.cells([name]) if cell[2] == count):
        ece, nlpd = (
            " ".join(f"{table.mean(cell, way, figure):.3f}" for way in WAYS)
            for figure in ("ece", "nlpd")
        )
        values = table.values[cell]["audit"]
        spread = f"{values['ece'].std(ddof=1):.3f}, {values['nlpd'].std(ddof=1):.3f}"
        floor = f"{table.mean(cell, 'audit', 'ece_floor'):.3f}"
        lines.append(
            f"| {cell[0]} | {cell[1]} | {ece} | {floor} | {nlpd} | {spread} | {len(values['ece'])} |"
        )
    return lines


def worse(table: Table, figure: str, way: str, other: str) -> list[str]:
    """The cells where `way` is worse than `other` on average, with the standard error over the runs."""
    found = {cell: table.difference(cell, figure, way, other) for cell in table.values}
    bad = {cell: each for cell, each in found.items() if each[0] > 0}
    clear = sum(mean > 2 * error for mean, error in bad.values())
    better = sum(-mean > 2 * error for mean, error in found.values())
    words = [
        f"{name} {strategy} {count}: {mean:+.3f} ± {error:.3f}"
        for (name, strategy, count), (mean, error) in sorted(bad.items(), key=lambda e: -e[1][0])
    ]
    every = np.mean([mean for mean, _ in found.values()])
    return [
        f"{figure}, {way} against {other}: mean difference {every:+.4f}; worse in {len(bad)} of "
        f"{len(found)} cells ({clear} by more than 2 standard errors), better by more than that in {better}",
        *(f"  {each}" for each in words),
    ]


def near_floor(table: Table, title: str, names: Iterable[str]) -> list[str]:
    """By strategy and way: how far the ECE is above its floor on average, in how many cells it is near it,
    the largest distance, and the mean of confidence minus accuracy."""
    cells, lines = table.cells(names), []
    for strategy in dict.fromkeys(cell[1] for cell in cells):
        own = [cell for cell in cells if cell[1] == strategy]
        for way in WAYS:
            above = np.array([table.above_floor(cell, way) for cell in own])
            surplus = np.mean([table.mean(cell, way, "overconfidence") for cell in own])
            near = f"{int((above <= WITHIN).sum())} of {len(above)}"
            lines.append(
                f"| {title} | {strategy} | {way} | {above.mean():+.3f} | {near} | {above.max():+.3f} "
                f"| {surplus:+.3f} |"
            )
    return lines


def off_best(table: Table, title: str, names: Iterable[str]) -> str:
    """How far the log temperature of the audit set is from that of the measured images, over all runs."""
    off = np.concatenate(
        [
            np.log(table.values[cell]["audit"]["temperature"])
            - np.log(table.values[cell]["best"]["temperature"])
            for cell in table.cells(names)
        ]
    )
    return f"{title}: log T of audit minus best {off.mean():+.3f}, standard deviation {off.std(ddof=1):.3f}"
