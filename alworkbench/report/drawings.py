"""Pictures of a report by strategy: saving factors, calibration, time and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import curves, names
from alworkbench.evaluation.label_savings import Saving
from alworkbench.report.findings import Findings
from alworkbench.report.pictures import (
    FAINT,
    GRID,
    INK,
    WIDTH,
    Ink,
    Picture,
    inks,
    mark,
    new_figure,
)
from alworkbench.report.savings_table import savings_arms
from alworkbench.report.wording import factor_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alworkbench.simulation.results import SimulationResult

MOST_TICKS = 10
"""Ticks of the axis of saving factors: more would overlap."""
STAGES = (
    ("seconds_asking", "choosing"),
    ("seconds_learning", "learning"),
    ("seconds_measuring", "measuring"),
)


def saving_picture(result: SimulationResult, findings: Findings) -> Picture:
    """Saving factors for the target of the verdict: a panel for each kind of baseline, on one axis."""
    called, drawn, against = findings.names, inks(result), findings.against
    order = savings_arms(findings)
    shown = {
        each.words: [
            (arm, each.savings[arm][findings.chief]) for arm in order if arm in each.savings
        ]
        for each in against
    }
    told = ". ".join(
        f"Against {words}: "
        + "; ".join(f"{called[arm]} {factor_words(found)}" for arm, found in savings)
        for words, savings in shown.items()
    )
    alt = f"Saving factors, above 1 saves labels. {told}."

    def draw() -> Figure:
        heights = [0.34 * len(savings) + 0.36 for savings in shown.values()]
        figure: Figure = new_figure(WIDTH, 0.6 + sum(heights))
        panels = figure.subplots(len(shown), 1, sharex=True, squeeze=False, height_ratios=heights)[
            :, 0
        ]
        known = [
            value
            for savings in shown.values()
            for _, s in savings
            for value in (s.factor, s.low, s.high)
            if value and math.isfinite(value)
        ]
        left, right = min([0.8, *known]) / 1.08, max([1.6, *known]) * 1.08
        for axes, (words, savings) in zip(panels, shown.items(), strict=True):
            axes.set_title(f"against {words}", loc="left", fontsize=9, color=INK)
            _factors(axes, savings, (left, right), called, drawn)
        ticks = factor_ticks(left, right)
        panels[-1].set_xscale("log")
        panels[-1].set_xlim(left, right)
        panels[-1].set_xticks(ticks, [f"{t:.3g}" for t in ticks])
        for axes in panels:
            axes.minorticks_off()
        panels[-1].set_xlabel(f"labels of the baseline / labels of the strategy{mark(result)}")
        return figure

    return Picture("savings", "Saving factors", alt, draw)


def factor_ticks(left: float, right: float) -> list[float]:
    """Round factors from `left` to `right` with 1 among them: the finest steps that do not overlap."""
    for steps in ((1, 1.25, 1.5), (1, 1.5), (1,)):  # between two powers of 2
        powers = range(math.ceil(math.log2(left)) - 1, math.floor(math.log2(right)) + 1)
        ticks = [2.0**power * step for power in powers for step in steps]
        found = [tick for tick in ticks if left <= tick <= right]
        if len(found) <= MOST_TICKS:
            return found
    stride = math.ceil(math.log2(right / left) / MOST_TICKS)
    return [tick for tick in found if math.log2(tick) % stride == 0]


def _factors(
    axes: Axes,
    savings: Sequence[tuple[Arm, Saving]],
    limits: tuple[float, float],
    called: dict[Arm, str],
    drawn: dict[Arm, Ink],
) -> None:
    """A row for each arm: its saving factor with its interval. Bounds are drawn to the end of the axis."""
    left, right = limits
    axes.axvline(1, color=FAINT, linewidth=1)
    for row, (arm, found) in enumerate(savings):
        colour = drawn[arm].colour
        if found.factor is None:
            axes.text(
                1.02, row, "unknown: too few runs reached the level", va="center", color=FAINT
            )
            continue
        low = _or(found.low, left if found.kind == "at most" else found.factor)
        high = _or(found.high, right if found.kind == "at least" else found.factor)
        axes.plot([low, high], [row, row], color=colour, linewidth=2.4, alpha=0.55)
        marker = {"at least": ">", "at most": "<"}.get(found.kind, "o")
        axes.plot([found.factor], [row], marker=marker, color=colour, markersize=7)
        axes.annotate(
            factor_words(found), (1, row), xycoords=("axes fraction", "data"), xytext=(8, 0),
            textcoords="offset points", va="center", color=INK, annotation_clip=False,
        )  # fmt: skip
    axes.set_yticks(range(len(savings)), [called[arm] for arm, _ in savings])
    axes.set_ylim(len(savings) - 0.4, -0.6)
    axes.grid(axis="x", color=GRID, linewidth=0.8)


def calibration_picture(result: SimulationResult) -> Picture:
    """ECE with its floor, NLPD and Brier score by labels."""
    called, drawn = names(result.arms), inks(result)
    panels = (
        ("ece", "calibration error (ECE)"),
        ("nlpd", "neg. log probability (nats)"),
        ("brier", "Brier score"),
    )
    ends = []
    for metric, words in panels:
        levels = [
            f"{called[c.arm]} {c.estimates[-1].mean:.3f}" for c in curves(result.points, metric)
        ]
        ends.append(f"{words} {', '.join(levels)}")
    alt = f"Calibration by labels, lower is better. At the end: {'; '.join(ends)}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 3.4)
        for axes, (metric, words) in zip(figure.subplots(1, 3), panels, strict=True):
            for curve in curves(result.points, metric):
                _thin(axes, curve.paid, [e.mean for e in curve.estimates], drawn[curve.arm])
            if metric == "ece":
                floors = curves(result.points, "ece_floor")
                middle = np.mean([[e.mean for e in f.estimates][-1] for f in floors])
                for floor in floors:
                    means = [e.mean for e in floor.estimates]
                    axes.plot(floor.paid, means, color=FAINT, linewidth=0.7, linestyle=(0, (1, 2)))
                axes.annotate(
                    "floor", (1, middle), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                    textcoords="offset points", color=FAINT, ha="right", fontsize=8,
                )  # fmt: skip
            axes.set_title(words, loc="left", fontsize=9, color=INK)
            axes.set_xlabel("labels paid for" + mark(result), fontsize=8)
            axes.grid(axis="y", color=GRID, linewidth=0.8)
            axes.margins(x=0)
        _legend(figure, result, called, drawn)
        return figure

    return Picture("calibration", "Calibration by labels", alt, draw)


def cost_picture(result: SimulationResult) -> Picture:
    """Seconds of one round by stage, and peak memory by round."""
    called, drawn = names(result.arms), inks(result)
    spent = seconds_per_round(result)
    lines = []
    for arm, each in spent.items():
        stages = [f"{s:.2f} {what}" for s, (_, what) in zip(each, STAGES, strict=True)]
        lines.append(f"{called[arm]} {sum(each):.2f} s ({', '.join(stages)})")
    alt = f"Seconds of a round by stage, and memory by round. {'; '.join(lines)}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 1.6 + 0.28 * len(spent))
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        rows = range(len(spent))
        begun = np.zeros(len(spent))
        for stage, (_, what) in enumerate(STAGES):
            values = np.array([each[stage] for each in spent.values()])
            shade = (1.0, 0.55, 0.25)[stage]
            left.barh(
                rows, values, left=begun, color=_STAGE_COLOUR, alpha=shade, label=what, height=0.62
            )
            begun += values
        left.set_yticks(rows, [called[arm] for arm in spent])
        left.invert_yaxis()
        left.set_xlabel("seconds of a round, mean" + mark(result))
        left.grid(axis="x", color=GRID, linewidth=0.8)
        figure.legend(
            *left.get_legend_handles_labels(), loc="outside upper left", ncols=3, frameon=False,
            labelcolor=INK, fontsize=8,
        )  # fmt: skip
        for arm in spent:
            by_round = _by_round(result, arm, "peak_bytes")
            _thin(
                right,
                [float(each) for each in by_round],
                [v / 2**20 for v in by_round.values()],
                drawn[arm],
            )
        right.set_xlabel("round")
        right.set_ylabel("peak memory so far (MiB)")
        right.grid(axis="y", color=GRID, linewidth=0.8)
        right.xaxis.get_major_locator().set_params(integer=True)
        return figure

    return Picture("cost", "Time and memory of a round", alt, draw)


_STAGE_COLOUR = "#1d4ed8"


def seconds_per_round(result: SimulationResult) -> dict[Arm, tuple[float, ...]]:
    """Mean seconds of a round by stage, in the order of STAGES, without round 0, which asks nothing."""
    found = {}
    for arm in result.arms:
        own = [p for p in result.points if p.arm == arm and p.round > 0] or [
            p for p in result.points if p.arm == arm
        ]
        found[arm] = tuple(float(np.mean([getattr(p, f) for p in own])) for f, _ in STAGES)
    return found


def _by_round(result: SimulationResult, arm: Arm, field: str) -> dict[int, float]:
    found: dict[int, list[float]] = {}
    for point in result.points:
        if point.arm == arm:
            found.setdefault(point.round, []).append(float(getattr(point, field)))
    return {each: float(np.mean(found[each])) for each in sorted(found)}


def _thin(axes: Axes, x: Sequence[float], y: Sequence[float], ink: Ink) -> None:
    axes.plot(x, y, color=ink.colour, linestyle=ink.style, linewidth=1.5)


def _legend(
    figure: Figure, result: SimulationResult, called: dict[Arm, str], drawn: dict[Arm, Ink]
) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=drawn[arm].colour, linestyle=drawn[arm].style, label=called[arm])
        for arm in drawn
    ]
    figure.legend(
        handles=handles, loc="outside upper left", ncols=min(7, len(handles)), frameon=False,
        labelcolor=INK, fontsize=8,
    )  # fmt: skip


def _or(value: float | None, other: float) -> float:
    return other if value is None or not math.isfinite(value) else value
