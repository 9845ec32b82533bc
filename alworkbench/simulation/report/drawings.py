"""Every picture of a report but the curves: savings, classes, calibration, time and memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alworkbench.domain import Arm
from alworkbench.simulation.report.pictures import (
    FAINT,
    GRID,
    INK,
    WIDTH,
    Ink,
    Picture,
    inks,
    labelled_curves,
    mark,
    new_figure,
)
from alworkbench.simulation.statistics import Floats, curves, names
from alworkbench.simulation.verdict import Findings, factor_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alworkbench.simulation.results import SimulationResult

STAGES = (
    ("seconds_asking", "choosing"),
    ("seconds_learning", "learning"),
    ("seconds_measuring", "measuring"),
)
_NUMBERS_UP_TO = 16
"""Columns of a heat map whose cells have room for numbers."""


def saving_picture(result: SimulationResult, findings: Findings) -> Picture:
    """Factors of the chief target with their intervals, on a logarithmic axis around 1."""
    called, drawn = findings.names, inks(result)
    shown = [(each.arm, each.savings[findings.chief]) for each in findings.of]
    words = "; ".join(f"{called[arm]} {factor_words(found)}" for arm, found in shown)
    alt = f"Saving factors against {called[findings.baseline]}, above 1 saves labels: {words}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 0.9 + 0.34 * len(shown))
        axes = figure.add_subplot()
        axes.axvline(1, color=FAINT, linewidth=1)
        known = [
            value
            for _, s in shown
            for value in (s.factor, s.low, s.high)
            if value and math.isfinite(value)
        ]
        right, left = max([1.6, *known]) * 1.08, min([0.8, *known]) / 1.08
        for row, (arm, found) in enumerate(shown):
            colour = drawn[arm].colour
            if found.factor is None:
                axes.text(1.02, row, "unknown: too few runs got there", va="center", color=FAINT)
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
        axes.set_xscale("log")
        axes.set_xlim(left, right)
        ticks = [
            t
            for t in (0.25, 0.33, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 3, 4, 6, 8)
            if left <= t <= right
        ]
        axes.set_xticks(ticks, [f"{t:g}" for t in ticks])
        axes.minorticks_off()
        axes.set_yticks(range(len(shown)), [called[arm] for arm, _ in shown])
        axes.set_ylim(len(shown) - 0.4, -0.6)
        axes.grid(axis="x", color=GRID, linewidth=0.8)
        axes.set_xlabel(f"labels of the baseline / labels of the strategy{mark(result)}")
        return figure

    return Picture("savings", "Saving factors", alt, draw)


def class_picture(result: SimulationResult, chosen: Sequence[Arm], name: str) -> Picture:
    """Recall by class (rows) and labels paid for (columns), mean over seeds, a panel for each arm."""
    called, classes = names(result.arms), class_names(result)
    recalls = {arm: _recall(result, arm) for arm in chosen}
    lines = []
    for arm, (_, values) in recalls.items():
        gain = values[:, -1] - values[:, 0]
        best, worst = int(np.nanargmax(gain)), int(np.nanargmin(gain))
        lines.append(
            f"{called[arm]}: most gained by {classes[best]} ({gain[best]:+.2f}), least by "
            f"{classes[worst]} ({gain[worst]:+.2f})"
        )
    alt = f"Share found of each class, by labels paid for. {'; '.join(lines)}."

    def draw() -> Figure:
        across = min(3, len(chosen))
        down = math.ceil(len(chosen) / across)
        tall = max(1.5, (0.2 if len(classes) <= 20 else 0.135) * len(classes))
        figure: Figure = new_figure(WIDTH, 0.5 + down * (tall + 0.75))
        panels = figure.subplots(down, across, squeeze=False)
        image: Any = None
        for place, axes in enumerate(panels.flat):
            if place >= len(chosen):
                axes.set_visible(False)
                continue
            arm = chosen[place]
            paid, values = recalls[arm]
            image = heat(axes, values, 1.0)
            axes.set_title(called[arm], loc="left", fontsize=9, color=INK)
            every = max(1, len(paid) // 5)
            at = range(0, len(paid), every)
            axes.set_xticks([i + 0.5 for i in at], [f"{paid[i]:g}" for i in at])
            size = 8 if len(classes) <= 20 else 6.5
            middle = [i + 0.5 for i in range(len(classes))]
            axes.set_yticks(middle, classes if place % across == 0 else [], fontsize=size)
            axes.set_xlabel("labels paid for" + mark(result), fontsize=8)
        bar = figure.colorbar(image, ax=panels, shrink=min(1, 2.5 / tall), aspect=25, pad=0.015)
        bar.set_label("share found", color=INK)
        bar.outline.set_visible(False)
        return figure

    return Picture(name, "Share found of each class", alt, draw)


def asked_picture(result: SimulationResult) -> Picture:
    """Of all images that an arm asked, the share of each true class; "no class" last."""
    called, classes = names(result.arms), [*class_names(result), "no class"]
    shares = []
    for arm in result.arms:
        total = np.sum([p.classes_asked for p in result.points if p.arm == arm], axis=0)
        shares.append(total / max(1, total.sum()))
    table = np.array(shares)
    shown = [i for i, each in enumerate(classes) if each != "no class" or table[:, i].any()]
    table, classes = table[:, shown], [classes[i] for i in shown]
    lines = [
        f"{called[arm]}: from {row.min():.0%} ({classes[int(row.argmin())]}) to {row.max():.0%} "
        f"({classes[int(row.argmax())]})"
        for arm, row in zip(result.arms, table, strict=True)
    ]
    alt = f"Share of each class among the images asked. {'; '.join(lines)}."

    def draw() -> Figure:
        few = len(classes) <= _NUMBERS_UP_TO
        figure: Figure = new_figure(WIDTH, 1.3 + 0.3 * len(result.arms))
        axes = figure.add_subplot()
        image = heat(axes, table, float(table.max()) or 1.0)
        if few:
            edge = 0.55 * float(table.max())
            for (row, column), value in np.ndenumerate(table):
                colour = "#101010" if value > edge else "#f5f5f5"
                axes.text(
                    column + 0.5, row + 0.5, f"{100 * value:.0f}", ha="center", va="center",
                    color=colour, fontsize=8,
                )  # fmt: skip
        axes.set_yticks([i + 0.5 for i in range(len(called))], list(called.values()))
        size, turn = (8, 35) if len(classes) <= 20 else (6, 90)
        middle = [i + 0.5 for i in range(len(classes))]
        axes.set_xticks(
            middle, classes, fontsize=size, rotation=turn, ha="right" if few else "center"
        )
        axes.set_title(
            "percent of the images asked" + mark(result), loc="left", fontsize=9, color=INK
        )
        bar = figure.colorbar(image, ax=axes, aspect=12, pad=0.015)
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        bar.outline.set_visible(False)
        return figure

    return Picture("asked", "Classes of the images asked", alt, draw)


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
    """Seconds of one round by stage, and the most memory so far by round."""
    called, drawn = names(result.arms), inks(result)
    spent = seconds_per_round(result)
    lines = []
    for arm, each in spent.items():
        stages = [f"{s:.2f} {what}" for s, (_, what) in zip(each, STAGES, strict=True)]
        lines.append(f"{called[arm]} {sum(each):.2f} s ({', '.join(stages)})")
    alt = f"Seconds of a round by what they went to, and memory by round. {'; '.join(lines)}."

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
        right.set_ylabel("most memory so far (MiB)")
        right.grid(axis="y", color=GRID, linewidth=0.8)
        right.xaxis.get_major_locator().set_params(integer=True)
        return figure

    return Picture("cost", "Time and memory of a round", alt, draw)


_STAGE_COLOUR = "#1d4ed8"


def seconds_per_round(result: SimulationResult) -> dict[Arm, tuple[float, ...]]:
    """Mean seconds of a round (round 0 asks nothing and is left out) by stage, in STAGES' order."""
    found = {}
    for arm in result.arms:
        own = [p for p in result.points if p.arm == arm and p.round > 0] or [
            p for p in result.points if p.arm == arm
        ]
        found[arm] = tuple(float(np.mean([getattr(p, f) for p in own])) for f, _ in STAGES)
    return found


def class_names(result: SimulationResult) -> list[str]:
    count = len(result.points[0].recall)
    known = result.facts.get("classes")
    if isinstance(known, list) and len(known) == count:
        return [str(each)[:28] for each in known]
    return [f"class {i + 1}" for i in range(count)]


def heat(axes: Axes, values: Floats, high: float) -> Any:
    """A heat map, the first row at the top; what is not known stays empty."""
    image = axes.pcolormesh(
        np.ma.masked_invalid(values),
        vmin=0,
        vmax=high,
        cmap="viridis",
        edgecolor="face",
        linewidth=0.3,
    )
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    return image


def _recall(result: SimulationResult, arm: Arm) -> tuple[list[float], Floats]:
    """Labels paid for (mean over seeds) and C x rounds mean recalls; nan where a class has no image."""
    rounds: dict[int, list[Any]] = {}
    for point in result.points:
        if point.arm == arm:
            rounds.setdefault(point.round, []).append(point)
    paid = [float(np.mean([p.paid for p in rounds[r]])) for r in sorted(rounds)]
    table = [
        [[math.nan if v is None else v for v in p.recall] for p in rounds[r]]
        for r in sorted(rounds)
    ]
    columns = []
    for each in table:
        values = np.array(each)
        known = ~np.isnan(values)
        total = np.where(known, values, 0).sum(axis=0)
        count = known.sum(axis=0)
        columns.append(np.where(count > 0, total / np.maximum(count, 1), math.nan))
    return paid, np.array(columns).T


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


__all__ = [
    "STAGES",
    "asked_picture",
    "calibration_picture",
    "class_names",
    "class_picture",
    "cost_picture",
    "labelled_curves",
    "saving_picture",
    "seconds_per_round",
]
