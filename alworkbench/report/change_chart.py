"""Shares before and after, by class: what screens draw, their table, and their picture as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from alworkbench.core.words import percent
from alworkbench.report.chart_table import ChartTable
from alworkbench.report.pictures import (
    FAINT,
    GRID,
    INK,
    SERIES,
    WIDTH,
    Picture,
    new_figure,
    plain_text,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class Change:
    """A share before and after."""

    name: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class ChangeChart:
    """A line for each name from the share before to the share after."""

    name: str
    """A name that can be a file name."""
    title: str
    before: str
    """What the first share is, such as `before any label`."""
    after: str
    rows: Sequence[Change]
    """In the order in which they are drawn."""

    def table(self) -> ChartTable:
        """A row for each name."""
        return ChartTable(
            {
                "Class": [each.name for each in self.rows],
                self.before: [each.before for each in self.rows],
                self.after: [each.after for each in self.rows],
            },
            frozenset((self.before, self.after)),
        )

    def picture(self) -> Picture:
        """Hollow marks before, full marks after."""
        most = max(self.rows, key=lambda each: each.after - each.before, default=None)
        gains = "" if most is None else f" {most.name} gained most."
        alt = f"{self.title}: the hollow mark {self.before}, the full mark {self.after}.{gains}"
        return Picture(self.name, self.title, alt, self._draw)

    def _draw(self) -> Figure:
        figure: Figure = new_figure(WIDTH, 0.9 + 0.26 * len(self.rows))
        axes = figure.add_subplot()
        for at, each in enumerate(self.rows):
            axes.plot([each.before, each.after], [at, at], color=FAINT, linewidth=1.4)
            axes.plot([each.before], [at], "o", color=SERIES[0], markersize=5, fillstyle="none")
            axes.plot([each.after], [at], "o", color=SERIES[0], markersize=5)
        names = [plain_text(each.name[:_LONGEST_NAME]) for each in self.rows]
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        words = f"{self.title}: {self.before} (hollow), {self.after} (full)"
        axes.set_title(plain_text(words), loc="left", fontsize=9, color=INK)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        return figure
