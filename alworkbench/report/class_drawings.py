"""Pictures of a report by class: recall, and the share of the images asked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from alworkbench.core.domain import Arm
from alworkbench.core.words import percent
from alworkbench.evaluation.curves import names
from alworkbench.evaluation.intervals import Floats
from alworkbench.report.pictures import INK, WIDTH, Picture, mark, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alworkbench.simulation.results import SimulationResult


_NUMBERS_UP_TO = 16
"""Columns up to which the cells of a heat map have room for numbers."""


def class_picture(result: SimulationResult, chosen: Sequence[Arm], name: str) -> Picture:
    """Recall by class (rows) and labels paid for (columns), mean over seeds, a panel for each arm."""
    called, classes = names(result.arms), class_names(result)
    recalls = {arm: _recall(result, arm) for arm in chosen}
    lines = []
    for arm, (_, values) in recalls.items():
        gain = values[:, -1] - values[:, 0]
        best, worst = int(np.nanargmax(gain)), int(np.nanargmin(gain))
        lines.append(
            f"{called[arm]}: {classes[best]} gains most ({gain[best]:+.2f}), {classes[worst]} least "
            f"({gain[worst]:+.2f})"
        )
    alt = f"Recall of each class, by labels paid for. {'; '.join(lines)}."

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
        bar.set_label("recall", color=INK)
        bar.outline.set_visible(False)
        return figure

    return Picture(name, "Recall of each class", alt, draw)


def asked_picture(result: SimulationResult) -> Picture:
    """Shares of the true classes among all images that an arm asked; "no class" is last.

    Without the arms of the baselines: they ask what random asks.
    """
    called, classes = names(result.arms), [*class_names(result), "no class"]
    shares = []
    for arm in result.compared:
        total = np.sum([p.classes_asked for p in result.points if p.arm == arm], axis=0)
        shares.append(total / max(1, total.sum()))
    table = np.array(shares)
    shown = [i for i, each in enumerate(classes) if each != "no class" or table[:, i].any()]
    table, classes = table[:, shown], [classes[i] for i in shown]
    lines = [
        f"{called[arm]}: from {percent(row.min(), 0)} ({classes[int(row.argmin())]}) to "
        f"{percent(row.max(), 0)} ({classes[int(row.argmax())]})"
        for arm, row in zip(result.compared, table, strict=True)
    ]
    alt = f"Share of each class among the images asked. {'; '.join(lines)}."

    def draw() -> Figure:
        few = len(classes) <= _NUMBERS_UP_TO
        figure: Figure = new_figure(WIDTH, 1.3 + 0.3 * len(result.compared))
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
        rows = [i + 0.5 for i in range(len(result.compared))]
        axes.set_yticks(rows, [called[arm] for arm in result.compared])
        size, turn = (8, 35) if len(classes) <= 20 else (6, 90)
        middle = [i + 0.5 for i in range(len(classes))]
        axes.set_xticks(
            middle, classes, fontsize=size, rotation=turn, ha="right" if few else "center"
        )
        axes.set_title(
            "percent of the images asked" + mark(result), loc="left", fontsize=9, color=INK
        )
        bar = figure.colorbar(image, ax=axes, aspect=12, pad=0.015)
        bar.ax.yaxis.set_major_formatter(lambda value, _: percent(value, 0))
        bar.outline.set_visible(False)
        return figure

    return Picture("asked", "Classes of the images asked", alt, draw)


def class_names(result: SimulationResult) -> list[str]:
    """Class names for pictures, cut to 28 characters; numbers where they are unknown."""
    count = len(result.points[0].recall)
    known = result.facts.get("classes")
    if isinstance(known, list) and len(known) == count:
        return [str(each)[:28] for each in known]
    return [f"class {i + 1}" for i in range(count)]


def heat(axes: Axes, values: Floats, high: float) -> Any:
    """A heat map with the first row at the top; unknown cells stay empty."""
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
    """Labels paid for (mean over seeds) and C x rounds mean recalls; nan for a class without images."""
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
