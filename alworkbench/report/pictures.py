"""The drawings of a report, by matplotlib: the same figure as SVG in the page, as an SVG file and as PNG.

In a page, the colours are variables of its style sheet, so that one drawing is legible on light and on
dark. Equal points give equal bytes: ids are salted, and no date is written.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import Curve, curves, names, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from alworkbench.simulation.results import SimulationResult

INK, FAINT, GRID = "#1c2430", "#5d6878", "#dde3ea"
_BASELINE = "#66707f"
SERIES = ("#0f766e", "#c2410c", "#6d28d9", "#1d4ed8", "#be185d", "#4d7c0f", "#a16207", "#0e7490")
_STYLES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
"""Line styles: they tell arms apart beyond the colours, and without colour vision."""
WIDTH = 8.6
"""Width of a picture in inches: text of 10 points is then about 14 pixels on the page."""


@dataclass(frozen=True, slots=True)
class Ink:
    """Colour and line style of one arm, equal in every picture."""

    colour: str
    style: Any


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its name, its title and its text alternative."""

    name: str
    """A name that can be a file name."""
    title: str
    alt: str
    draw: Callable[[], Figure]

    def render(self) -> Drawing:
        """Draw once for all files, because the layout takes longer than the writing."""
        figure = self.draw()
        _lay_out(figure)
        return Drawing(self, _png(figure), _svg(figure, self.name))


@dataclass(frozen=True, slots=True)
class Drawing:
    """A picture in the formats of a report."""

    picture: Picture
    png: bytes
    transparent: str
    """SVG without a background."""

    @property
    def svg(self) -> str:
        """SVG as a file of its own, on white."""
        end = self.transparent.index(">", self.transparent.index("<svg")) + 1
        ground = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return self.transparent[:end] + ground + self.transparent[end:]

    @property
    def view(self) -> str:
        """Its `viewBox`."""
        found = re.search(r'viewBox="([^"]*)"', self.transparent)
        if found is None:  # matplotlib always writes one
            raise ValueError("the drawing has no size")
        return found.group(1)

    @property
    def inner(self) -> str:
        """The markup inside of its `svg` element, for a page whose style sheet names the colours."""
        name = self.picture.name
        text = self.transparent[self.transparent.index("<svg") :]
        text = text[text.index(">") + 1 : text.rindex("</svg>")]
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        # Ids of several drawings share one page.
        text = re.sub(r'\bid="', f'id="{name}-', text)
        text = re.sub(r'href="#', f'href="#{name}-', text)
        text = text.replace("url(#", f"url(#{name}-")
        for value, variable in _VARIABLES.items():
            text = text.replace(value, f"var({variable})")
        return text


_VARIABLES = {
    INK: "--ink",
    FAINT: "--faint",
    GRID: "--grid",
    _BASELINE: "--baseline",
    **{value: f"--series-{i}" for i, value in enumerate(SERIES)},
}


def variable_of(ink: Ink) -> str:
    """The variable of the style sheet that holds a colour."""
    return _VARIABLES[ink.colour]


def inks(result: SimulationResult) -> dict[Arm, Ink]:
    """Grey and dashed for random; for others, colours by rank of the mean over the curve."""
    ranked = [row.strategy for row in table(result.points)]
    called = {name: arm for arm, name in names(result.arms).items()}
    found: dict[Arm, Ink] = {}
    rank = 0
    for name in ranked:
        arm = called[name]
        if arm.strategy == "random":
            greys = sum(ink.colour == _BASELINE for ink in found.values())
            found[arm] = Ink(_BASELINE, (0, (3 + 3 * greys, 2)))
            continue
        style = _STYLES[(rank // len(SERIES)) % len(_STYLES)]
        found[arm] = Ink(SERIES[rank % len(SERIES)], style)
        rank += 1
    return found


def curve_picture(result: SimulationResult, metric: str, words: str) -> Picture:
    """Learning curves of all strategies in one metric."""
    called, drawn = names(result.arms), inks(result)
    found = sorted(curves(result.points, metric), key=lambda c: -c.estimates[-1].mean)
    last = "; ".join(f"{called[c.arm]} {c.estimates[-1].mean:.3f}" for c in found)
    alt = f"{words.capitalize()} by labels paid for, {len(result.arms)} curves. At the end: {last}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 4.3)
        axes = figure.add_subplot()
        labelled_curves(axes, found, called, drawn, band=True)
        start = found[0].estimates[0].mean
        if found[0].paid[0] == 0:
            axes.axhline(start, color=FAINT, linewidth=0.8, linestyle=(0, (1, 3)))
            axes.annotate(
                "before any label", (1, start), xycoords=("axes fraction", "data"), xytext=(-4, -4),
                textcoords="offset points", color=FAINT, ha="right", va="top", fontsize=8,
            )  # fmt: skip
        axes.set_xlabel("labels paid for")
        axes.set_ylabel(words + mark(result))
        return figure

    return Picture(
        f"curve-{metric.replace('_', '-')}", f"{words.capitalize()} by labels", alt, draw
    )


def curve_png(result: SimulationResult) -> bytes:
    """Learning curves for the folder of a result: the main metric with its bands and a line of text."""
    metric = "balanced_accuracy" if result.plan.get("goal") == "balanced" else "accuracy"
    words = metric.replace("_", " ")
    picture = curve_picture(result, metric, f"{words} on the test part")
    figure = picture.draw()
    summary = result.summary()
    figure.axes[0].set_title(summary, fontsize=7, color=FAINT, loc="left")
    _lay_out(figure)
    return _png(figure)


def labelled_curves(
    axes: Axes, found: Sequence[Curve], called: dict[Arm, str], drawn: dict[Arm, Ink], band: bool
) -> None:
    """Means with 95 % t-intervals. Each curve is named at its end; names do not overlap."""
    for curve in found:
        ink = drawn[curve.arm]
        means = [each.mean for each in curve.estimates]
        axes.plot(curve.paid, means, color=ink.colour, linestyle=ink.style, linewidth=1.8)
        if band and curve.estimates[0].seeds > 1:
            low = [each.low for each in curve.estimates]
            high = [each.high for each in curve.estimates]
            axes.fill_between(curve.paid, low, high, color=ink.colour, alpha=0.1, linewidth=0)
    axes.margins(x=0)
    bottom, top = axes.get_ylim()
    gap = (top - bottom) * 0.052
    ends = sorted(found, key=lambda c: c.estimates[-1].mean)
    places = spread([c.estimates[-1].mean for c in ends], gap)
    last = max(c.paid[-1] for c in found)
    for curve, place in zip(ends, places, strict=True):
        ink = drawn[curve.arm]
        axes.annotate(
            called[curve.arm], (last, curve.estimates[-1].mean), xytext=(last + 0.02 * last, place),
            textcoords="data", color=ink.colour, va="center", annotation_clip=False,
        )  # fmt: skip
    axes.set_ylim(bottom, top)


def spread(values: Sequence[float], gap: float) -> list[float]:
    """Rising values, moved as little as needed so that neighbours are `gap` apart."""
    groups: list[list[float]] = []
    for value in values:
        groups.append([value])
        while len(groups) > 1 and _start(groups[-1], gap) < _end(groups[-2], gap) + gap:
            groups[-2:] = [groups[-2] + groups[-1]]
    return [_start(group, gap) + i * gap for group in groups for i in range(len(group))]


def _start(group: list[float], gap: float) -> float:
    return sum(group) / len(group) - gap * (len(group) - 1) / 2


def _end(group: list[float], gap: float) -> float:
    return _start(group, gap) + gap * (len(group) - 1)


def mark(result: SimulationResult) -> str:
    """The mark on every figure of a transductive result; empty for others."""
    return " (transductive)" if result.transductive else ""


def plain_text(text: str) -> str:
    """The text so that matplotlib writes it as it is: two dollar signs do not make a formula."""
    return text.replace("$", r"\$")


def new_figure(width: float, height: float) -> Any:
    """An empty figure of this size in inches, without matplotlib's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _style(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(colors=INK, which="both")
    axes.xaxis.label.set_color(INK)
    axes.yaxis.label.set_color(INK)
    axes.title.set_color(axes.title.get_color() if axes.title.get_color() == FAINT else INK)
    axes.set_facecolor("none")
    axes.set_axisbelow(True)


def _lay_out(figure: Figure) -> None:
    """Style and place everything once for all files."""
    for axes in figure.axes:
        _style(axes)
    figure.set_dpi(150)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    canvas: Any = FigureCanvasAgg(figure)
    canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _svg(figure: Figure, name: str) -> str:
    """SVG without a background; text stays text."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    stream = io.BytesIO()
    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": name}
    figure.patch.set_visible(False)
    canvas: Any = FigureCanvasSVG(figure)
    with rc_context(settings):
        canvas.print_svg(stream, metadata={"Date": None, "Creator": None})
    return stream.getvalue().decode()
