"""Pictures of a comparison of calibrations: figures with intervals, reliability, risk, templates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alworkbench.calibration_study.plan import CalibrationKind, PromptKind
from alworkbench.calibration_study.result import curve_rows
from alworkbench.report.calibration_findings import dispersion_words
from alworkbench.report.pictures import FAINT, GRID, INK, SERIES, WIDTH, Picture, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alworkbench.calibration_study.result import StudyResult, StudyRow

COLOURS = dict(zip(CalibrationKind, (FAINT, SERIES[0], SERIES[1], SERIES[2]), strict=True))
"""Of the calibrations, in every picture."""
MARKERS = dict(zip(CalibrationKind, "osD^", strict=True))
"""They tell the calibrations apart without colour vision."""
PROMPT_COLOURS = dict(
    zip(PromptKind, (FAINT, SERIES[0], SERIES[3], SERIES[6], SERIES[1], SERIES[2]), strict=True)
)
DASHES: dict[PromptKind, Any] = dict(
    zip(
        PromptKind,
        ((0, (1, 1.5)), "-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (3, 1, 1, 1))),
        strict=True,
    )
)
PANELS = (
    ("accuracy", "accuracy"),
    ("nlpd", "NLPD (nats)"),
    ("ece", "calibration error (ECE)"),
    ("brier", "Brier score"),
)
LARGEST_DOT = 150.0
"""Area of the dot of a bin that holds every image, in square points."""


def overview_picture(result: StudyResult) -> Picture:
    """The four figures of every row with their intervals, grouped by prompts."""
    told = "; ".join(f"{r.name} {r.figures.nlpd.value:.3f}" for r in result.rows)
    alt = f"Accuracy, NLPD, calibration error and Brier score of every row. NLPD: {told}."

    def draw() -> Figure:
        kinds = result.kinds
        figure: Figure = new_figure(WIDTH, 1.1 + 0.62 * len(kinds))
        panels = figure.subplots(1, len(PANELS), sharey=True)
        for axes, (name, words) in zip(panels, PANELS, strict=True):
            for group, kind in enumerate(kinds):
                rows = [row for row in result.rows if row.prompts is kind]
                for place, row in enumerate(rows):
                    _dot(axes, row, name, group + (place - 1.5) * 0.19)
                if group:
                    axes.axhline(group - 0.5, color=GRID, linewidth=0.8)
            axes.set_title(words, loc="left", fontsize=9, color=INK)
            axes.grid(axis="x", color=GRID, linewidth=0.8)
            axes.tick_params(axis="x", labelsize=8)
        panels[0].set_yticks(range(len(kinds)), [kind.value for kind in kinds])
        panels[0].set_ylim(len(kinds) - 0.5, -0.5)
        _calibration_legend(figure)
        return figure

    return Picture("overview", "Figures of every row", alt, draw)


def _dot(axes: Axes, row: StudyRow, name: str, at: float) -> None:
    found, colour = getattr(row.figures, name), COLOURS[row.calibration]
    axes.plot([found.low, found.high], [at, at], color=colour, linewidth=1.6, alpha=0.6)
    axes.plot([found.value], [at], MARKERS[row.calibration], color=colour, markersize=4.5)
    if name == "ece":
        floor = row.figures.ece_floor
        axes.plot([floor, floor], [at - 0.09, at + 0.09], color=FAINT, linewidth=1.2)


def reliability_picture(result: StudyResult) -> Picture:
    """Reliability diagrams: a line of panels for each kind of prompts, a column for each calibration."""
    told = "; ".join(f"{row.name} ECE {row.figures.ece.value:.3f}" for row in result.rows)
    alt = f"Accuracy against confidence, bin by bin, for every row. {told}."

    def draw() -> Figure:
        kinds, ways = result.kinds, tuple(CalibrationKind)
        figure: Figure = new_figure(WIDTH, 0.5 + 1.95 * len(kinds))
        panels = figure.subplots(len(kinds), len(ways), sharex=True, sharey=True, squeeze=False)
        for line, kind in zip(panels, kinds, strict=True):
            for axes, way in zip(line, ways, strict=True):
                row = result.row(kind, way)
                if row is not None:
                    _reliability(axes, row)
            line[0].set_ylabel(f"{kind.value}\naccuracy", fontsize=8)
        for axes, way in zip(panels[0], ways, strict=True):
            axes.set_title(way.value, loc="left", fontsize=9, color=INK)
        for axes in panels[-1]:
            axes.set_xlabel("confidence", fontsize=8)
        return figure

    return Picture("reliability", "Reliability diagrams", alt, draw)


def _reliability(axes: Axes, row: StudyRow) -> None:
    images = sum(each.images for each in row.figures.reliability)
    colour = COLOURS[row.calibration]
    axes.plot([0, 1], [0, 1], color=FAINT, linewidth=0.8, linestyle=(0, (1, 2)))
    for each in row.figures.reliability:
        if each.accuracy is None or each.confidence is None:
            continue
        pale = 0.3 if each.few else 1.0
        axes.vlines(
            each.confidence, each.accuracy_low or 0.0, each.accuracy_high or 0.0, color=colour,
            linewidth=1.1, alpha=0.5 * pale,
        )  # fmt: skip
        size = max(5.0, LARGEST_DOT * each.images / images)
        axes.scatter(
            [each.confidence], [each.accuracy], s=size, color=colour, alpha=pale, linewidths=0
        )
    axes.annotate(
        f"ECE {row.figures.ece.value:.3f}", (0, 1), xycoords="axes fraction", xytext=(4, -4),
        textcoords="offset points", va="top", fontsize=8, color=INK,
    )  # fmt: skip
    axes.set_xlim(-0.02, 1.04)
    axes.set_ylim(-0.04, 1.04)
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.set_yticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.tick_params(labelsize=8)
    axes.grid(color=GRID, linewidth=0.6)


def risk_picture(result: StudyResult) -> Picture:
    """Risk-coverage curves: a panel for each calibration, a line for each kind of prompts."""
    told = "; ".join(f"{row.name} {row.figures.risk_coverage.area:.3f}" for row in result.rows)
    alt = f"Error rate among the most confident images, by the share that is kept. Areas: {told}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 2.7)
        panels = figure.subplots(1, len(CalibrationKind), sharey=True)
        for axes, way in zip(panels, CalibrationKind, strict=True):
            for kind in result.kinds:
                row = result.row(kind, way)
                if row is None:
                    continue
                curve = row.figures.risk_coverage
                kept = curve_rows(curve)
                axes.plot(
                    curve.coverage[kept].tolist(), curve.risk[kept].tolist(),
                    color=PROMPT_COLOURS[kind], linestyle=DASHES[kind], linewidth=1.5,
                )  # fmt: skip
            axes.set_title(way.value, loc="left", fontsize=9, color=INK)
            axes.set_xlabel("share of the images kept", fontsize=8)
            axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
            axes.tick_params(labelsize=8)
            axes.grid(color=GRID, linewidth=0.6)
            axes.margins(x=0)
        panels[0].set_ylabel("error rate", fontsize=8)
        panels[0].set_ylim(bottom=0)
        _prompt_legend(figure, result)
        return figure

    return Picture("risk-coverage", "Risk by coverage", alt, draw)


def template_picture(result: StudyResult) -> Picture:
    """Calibration error of each template against its dispersion."""
    alt = f"Calibration error of each template against its ATFD. {dispersion_words(result)}"
    near = {each.template for each in result.near_best}

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 3.6)
        axes = figure.add_subplot()
        for each in result.ranking.templates:
            if each.audit is None:
                continue
            inside = each.template in near
            axes.scatter(
                [each.atfd], [each.audit.ece], s=30, color=SERIES[0] if inside else FAINT,
                alpha=0.8 if inside else 0.35, marker="o" if inside else "x", linewidths=0.9,
            )  # fmt: skip
        chosen = result.chosen
        if chosen.audit is not None:
            place = (chosen.atfd, chosen.audit.ece)
            axes.scatter(
                [place[0]], [place[1]], s=110, facecolors="none", edgecolors=SERIES[1],
                linewidths=1.6,
            )  # fmt: skip
            axes.annotate(
                f"chosen: {chosen.template}", place, xytext=(6, 10), textcoords="offset points",
                ha="right", va="bottom", fontsize=8, color=SERIES[1],
            )  # fmt: skip
        axes.set_xlabel("ATFD: dispersion of the class embeddings")
        axes.set_ylabel("calibration error (ECE)")
        axes.grid(color=GRID, linewidth=0.6)
        return figure

    return Picture("templates", "Calibration error of templates by ATFD", alt, draw)


def _calibration_legend(figure: Figure) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=COLOURS[way], marker=MARKERS[way], markersize=5, linewidth=1.6,
            label=way.value,
        )
        for way in CalibrationKind
    ]  # fmt: skip
    figure.legend(
        handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, labelcolor=INK,
        fontsize=8,
    )  # fmt: skip


def _prompt_legend(figure: Figure, result: StudyResult) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=PROMPT_COLOURS[kind], linestyle=DASHES[kind], label=kind.value)
        for kind in result.kinds
    ]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=len(handles), frameon=False, labelcolor=INK,
        fontsize=8,
    )  # fmt: skip
