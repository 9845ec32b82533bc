"""Reliability as values: accuracy against confidence by bins, and by predicted class.

Screens draw them with their own library. The pictures are by matplotlib, as in reports.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alworkbench.core.words import percent
from alworkbench.evaluation.calibration.reliability_diagram import FEW_IMAGES, ReliabilityBin
from alworkbench.project.calibration_evidence import CalibrationEvidence, ClassCalibration
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
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BEFORE, AFTER = "learner's own", "with the temperature"
_LARGEST_DOT = 220.0
_LONGEST_NAME = 28


@dataclass(frozen=True, slots=True)
class ReliabilityChart:
    """Accuracy against confidence, bin by bin."""

    series: Sequence[tuple[str, tuple[ReliabilityBin, ...]]]
    """Name -> bins."""
    of: str
    """Which images, in words."""

    @classmethod
    def of_evidence(cls, found: CalibrationEvidence, of: str) -> ReliabilityChart:
        """Before the temperature, and with it where there is one."""
        pairs = ((BEFORE, found.before), (AFTER, found.after))
        return cls([(name, each.bins) for name, each in pairs if each is not None], of)

    def table(self) -> ChartTable:
        """A row for each bin that holds images."""
        rows = [(name, each) for name, bins in self.series for each in bins if each.images]
        columns: dict[str, list[Any]] = {
            "Probabilities": [name for name, _ in rows],
            "Bin from": [each.low for _, each in rows],
            "Bin to": [each.high for _, each in rows],
            "Images": [each.images for _, each in rows],
            "Mean confidence": [each.confidence for _, each in rows],
            "Right": [each.accuracy for _, each in rows],
            "95 % from": [each.accuracy_low for _, each in rows],
            "95 % to": [each.accuracy_high for _, each in rows],
        }
        whole = {"Probabilities", "Images"}
        return ChartTable(columns, frozenset(columns.keys() - whole))

    def picture(self) -> Picture:
        """A panel for each series; a bin with few images is pale."""
        alt = (
            f"Accuracy against confidence, {self.of}, for the probabilities "
            f"{' and '.join(name for name, _ in self.series)}. On the diagonal they hold."
        )
        return Picture("reliability", "Reliability", alt, self._draw)

    def _draw(self) -> Figure:
        figure: Figure = new_figure(WIDTH, 4.2)
        panels = figure.subplots(1, len(self.series), sharey=True, squeeze=False)[0]
        for (name, bins), axes, colour in zip(self.series, panels, SERIES[1::-1], strict=False):
            _panel(axes, bins, colour)
            axes.set_title(f"{name}, {self.of}", loc="left", fontsize=9, color=INK)
        panels[0].set_ylabel("share that is right")
        return figure


def _panel(axes: Axes, bins: Sequence[ReliabilityBin], colour: str) -> None:
    total = sum(each.images for each in bins)
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.9, linestyle=(0, (2, 2)))
    for each in bins:
        if each.confidence is None or each.accuracy is None:
            continue
        pale = 0.35 if each.few else 1.0
        axes.vlines(
            each.confidence, each.accuracy_low or 0.0, each.accuracy_high or 0.0, color=colour,
            linewidth=1.3, alpha=0.6 * pale,
        )  # fmt: skip
        size = max(12.0, _LARGEST_DOT * each.images / total)
        axes.scatter([each.confidence], [each.accuracy], s=size, color=colour, alpha=pale)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("confidence")
    axes.grid(color=GRID, linewidth=0.6)


@dataclass(frozen=True, slots=True)
class ClassReliabilityChart:
    """Of the images that are taken for each class: how sure the model is, and how often it is right."""

    rows: Sequence[ClassCalibration]
    of: str
    """Which images, in words."""

    def table(self) -> ChartTable:
        """A row for each class that something is taken for; no figure where there are few images."""
        rows = self.rows
        return ChartTable(
            {
                "Taken for": [each.name for each in rows],
                "Images": [each.images for each in rows],
                "Mean probability": [each.confidence for each in rows],
                "Right": [
                    each.right / each.images if each.images >= FEW_IMAGES else None for each in rows
                ],
                "95 % from": [each.low for each in rows],
                "95 % to": [each.high for each in rows],
            },
            frozenset(("Mean probability", "Right", "95 % from", "95 % to")),
        )

    def picture(self) -> Picture:
        """The interval of the share that is right, and a bar at the mean probability."""
        alt = (
            f"Of the images taken for each class, {self.of}: the interval of the share that is right, and "
            "the mean probability, which should lie within it."
        )
        return Picture("reliability-by-class", "Reliability by class", alt, self._draw)

    def _draw(self) -> Figure:
        figure: Figure = new_figure(WIDTH, 0.9 + 0.26 * len(self.rows))
        axes = figure.add_subplot()
        for at, each in enumerate(self.rows):
            axes.plot([each.low, each.high], [at, at], color=FAINT, linewidth=1.6)
            if each.images >= FEW_IMAGES:
                axes.plot([each.right / each.images], [at], "o", color=SERIES[0], markersize=5)
            axes.plot([each.confidence], [at], "|", color=SERIES[1], markersize=11, mew=2)
        names = [plain_text(each.name[:_LONGEST_NAME]) for each in self.rows]
        axes.set_yticks(range(len(names)), names, fontsize=8)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
        axes.xaxis.set_major_formatter(lambda value, _: percent(value, 0))
        axes.set_title(
            f"share that is right (dot) and mean probability (bar), {self.of}", loc="left", fontsize=9,
            color=INK,
        )  # fmt: skip
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        return figure
