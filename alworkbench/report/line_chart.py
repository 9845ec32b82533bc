"""A chart of lines with bands, as values: what screens draw, its table, and its picture as a file.

Screens draw it with their own library. The picture is by matplotlib, as in reports.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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

MARKERS = "osD^vP*X"
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
"""They tell lines apart without colour vision."""


@dataclass(frozen=True, slots=True)
class LinePoint:
    """A point of a line, with the ends of its interval where it has one."""

    x: int | float
    y: float
    low: float | None = None
    high: float | None = None

    @property
    def has_interval(self) -> bool:
        """Whether both ends are known."""
        ends = (self.low, self.high)
        return all(end is not None and math.isfinite(end) for end in ends)


@dataclass(frozen=True, slots=True)
class Line:
    """A named line; its points are in the order of x."""

    name: str
    points: tuple[LinePoint, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line that others are compared with."""

    name: str
    y: float


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines over one axis."""

    name: str
    """A name that can be a file name."""
    title: str
    alt: str
    """What the chart shows, for people who do not see it."""
    x: str
    """Title of the axis of whole numbers, such as numbers of labels."""
    y: str
    lines: Sequence[Line]
    band: str = ""
    """What the bands are, such as "95 % Wilson interval"; empty where no point has an interval."""
    levels: Sequence[Level] = ()
    share: bool = True
    """Whether y is a share between 0 and 1, shown in percent."""
    who: str = "Line"
    """What the names of the lines are, such as "Strategy"."""

    def table(self) -> ChartTable:
        """A row for each point of each line, and one for each level."""
        points = [(line.name, point) for line in self.lines for point in line.points]
        columns: dict[str, list[Any]] = {
            self.who: [name for name, _ in points],
            self.x: [point.x for _, point in points],
            self.y: [point.y for _, point in points],
            "95 % from": [p.low if p.has_interval else None for _, p in points],
            "95 % to": [p.high if p.has_interval else None for _, p in points],
        }
        for level in self.levels:
            for column, cell in zip(
                columns.values(), (level.name, None, level.y, None, None), strict=True
            ):
                column.append(cell)
        shares = frozenset((self.y, "95 % from", "95 % to")) if self.share else frozenset()
        return ChartTable(columns, shares)

    def picture(self) -> Picture:
        """The chart as a picture of a report."""
        return Picture(self.name, self.title, self.alt, self._draw)

    def _draw(self) -> Figure:
        figure: Figure = new_figure(WIDTH, 4.3)
        axes = figure.add_subplot()
        for i, line in enumerate(self.lines):
            colour = SERIES[i % len(SERIES)]
            xs = [point.x for point in line.points]
            axes.plot(
                xs, [point.y for point in line.points], color=colour, linewidth=1.8, markersize=4.5,
                linestyle=DASHES[(i // len(SERIES) + i) % len(DASHES)],
                marker=MARKERS[i % len(MARKERS)], label=plain_text(line.name),
            )  # fmt: skip
            held = [point for point in line.points if point.has_interval]
            axes.fill_between(
                [point.x for point in held],
                [point.low or 0.0 for point in held],
                [point.high or 0.0 for point in held],
                color=colour,
                alpha=0.12,
                linewidth=0,
            )
        for level in self.levels:
            axes.axhline(level.y, color=FAINT, linewidth=1, linestyle=(0, (4, 3)))
            axes.annotate(
                plain_text(level.name), (1, level.y), xycoords=("axes fraction", "data"),
                xytext=(-4, 3), textcoords="offset points", ha="right", va="bottom", color=FAINT,
                fontsize=8,
            )  # fmt: skip
        if self.share:
            axes.yaxis.set_major_formatter(lambda value, _: percent(value, 0))
        axes.set_xlabel(plain_text(self.x))
        axes.set_ylabel(plain_text(self.y))
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        title = plain_text(self.title + (f" (band: {self.band})" if self.band else ""))
        axes.set_title(title, loc="left", fontsize=9, color=INK)
        if len(self.lines) > 1:
            figure.legend(
                loc="outside lower center", ncols=3, frameon=False, fontsize=8, labelcolor=INK
            )
        return figure
