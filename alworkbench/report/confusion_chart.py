"""Errors by class as values: tables of classes and of pairs, the accuracy of classes, and the matrix.

Dimensions used in this file
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from alworkbench.core.words import percent
from alworkbench.evaluation.confusions import ClassAccuracy, Confusions
from alworkbench.report.chart_table import ChartTable
from alworkbench.report.class_drawings import heat
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

FEW_IMAGES = 10
"""A class with fewer images has an interval and no figure: the figure would change by chance."""
_NUMBERS_UP_TO = 20
_LONGEST_NAME = 28


def class_table(found: Confusions) -> ChartTable:
    """A row for each class, the least accurate first; classes without a figure last."""
    rows = worst_first(found)
    return ChartTable(
        {
            "Class": [each.name for each in rows],
            "Images": [each.images for each in rows],
            "Right": [each.right for each in rows],
            "Accuracy": [each.accuracy if each.images >= FEW_IMAGES else None for each in rows],
            "95 % from": [each.low for each in rows],
            "95 % to": [each.high for each in rows],
            "Taken for this class": [each.predicted for each in rows],
            "Mistaken for": [each.mistaken_for for each in rows],
            "How often": [each.mistaken for each in rows],
        },
        frozenset(("Accuracy", "95 % from", "95 % to")),
    )


def worst_first(found: Confusions) -> list[ClassAccuracy]:
    """The classes, the least accurate first; those with few images last, in the order of the class list."""
    rows = found.by_class()
    many = [each for each in rows if each.images >= FEW_IMAGES]
    few = [each for each in rows if each.images < FEW_IMAGES]
    return sorted(many, key=lambda each: each.right / each.images) + few


def pair_table(found: Confusions) -> ChartTable:
    """A row for each kind of error, the most frequent first."""
    pairs = found.pairs()
    return ChartTable(
        {
            "Label": [each.label for each in pairs],
            "Predicted": [each.predicted for each in pairs],
            "Images": [each.images for each in pairs],
            "Images with this label": [each.of for each in pairs],
        }
    )


@dataclass(frozen=True, slots=True)
class ClassChart:
    """Accuracy of each class with its interval."""

    found: Confusions
    of: str
    """Which images, in words."""

    @property
    def rows(self) -> list[ClassAccuracy]:
        """The classes that occur, the least accurate first."""
        return [each for each in worst_first(self.found) if each.images]

    def picture(self) -> Picture:
        """Dots with their intervals, one line for each class; hollow where there are few images."""
        told = "; ".join(f"{each.name} {each.right} of {each.images}" for each in self.rows[:5])
        alt = f"Accuracy of each class, {self.of}. The least accurate: {told}."
        return Picture("accuracy-by-class", "Accuracy by class", alt, self._draw)

    def _draw(self) -> Figure:
        rows = self.rows
        figure: Figure = new_figure(WIDTH, 0.9 + 0.26 * len(rows))
        axes = figure.add_subplot()
        for at, each in enumerate(rows):
            axes.plot([each.low or 0.0, each.high or 0.0], [at, at], color=FAINT, linewidth=1.4)
            full = each.images >= FEW_IMAGES
            axes.plot(
                [each.right / each.images], [at], "o" if full else "D", color=SERIES[0],
                markersize=5, fillstyle="full" if full else "none",
            )  # fmt: skip
        names = [plain_text(each.name[:_LONGEST_NAME]) for each in rows]
        axes.set_yticks(range(len(rows)), names, fontsize=8)
        axes.set_ylim(len(rows) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        axes.set_title(f"accuracy by class, {self.of}", loc="left", fontsize=9, color=INK)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        return figure


@dataclass(frozen=True, slots=True)
class MatrixChart:
    """The confusion matrix of some classes."""

    found: Confusions
    of: str
    """Which images, in words."""

    def table(self) -> ChartTable:
        """A row for each label and a column for each prediction."""
        names = self.found.classes
        columns = {
            f"predicted {name}": self.found.counts[:, j].tolist() for j, name in enumerate(names)
        }
        return ChartTable({"Label": list(names), **columns})

    def picture(self) -> Picture:
        """Shares of each row as shades, with numbers where they are legible."""
        alt = (
            f"Confusion matrix of {len(self.found.classes)} classes, {self.of}: "
            f"{self.found.right} of {self.found.images} images on the diagonal."
        )
        return Picture("confusion-matrix", "Confusion matrix", alt, self._draw)

    def _draw(self) -> Figure:
        counts = self.found.counts
        size = len(counts)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.where(totals > 0, counts / np.maximum(totals, 1), np.nan)
        figure: Figure = new_figure(WIDTH, 1.6 + 0.3 * size)
        axes = figure.add_subplot()
        heat(axes, shares, 1.0)
        names = [plain_text(name[:_LONGEST_NAME]) for name in self.found.classes]
        middle = [i + 0.5 for i in range(size)]
        axes.set_yticks(middle, names, fontsize=8)
        axes.set_xticks(middle, names, fontsize=8, rotation=45, ha="right")
        axes.set_ylabel("label")
        axes.set_xlabel("predicted")
        if size <= _NUMBERS_UP_TO:
            for (row, column), value in np.ndenumerate(counts):
                if value:
                    colour = "#101010" if shares[row, column] > 0.55 else "#f5f5f5"
                    axes.text(
                        column + 0.5, row + 0.5, str(value), ha="center", va="center",
                        color=colour, fontsize=8,
                    )  # fmt: skip
        axes.set_title(f"images, {self.of}", loc="left", fontsize=9, color=INK)
        return figure
