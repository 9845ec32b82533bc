"""The page of a report: the verdict first, then the figures that it rests on."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from alworkbench import __version__
from alworkbench.core.domain import Arm
from alworkbench.core.words import percent
from alworkbench.report.class_drawings import asked_picture, class_picture
from alworkbench.report.drawings import (
    calibration_picture,
    cost_picture,
    saving_picture,
    seconds_per_round,
)
from alworkbench.report.findings import Findings
from alworkbench.report.pictures import Drawing, Picture, curve_picture, mark
from alworkbench.report.rendering import Cell, render
from alworkbench.report.tables import (
    arm_cell,
    budget_table,
    measures_table,
    reach_table,
    savings_caption,
    savings_table,
)
from alworkbench.report.text import INTERVALS, TRANSDUCTIVE, conditions
from alworkbench.report.wording import METRIC_WORDS

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

Thumbnails = Callable[[str], bytes | None]
"""PNG of an image by its content hash; None if there is no picture."""

THUMBNAILS = 12
"""Number of images shown for each arm."""


def pictures(result: SimulationResult, findings: Findings) -> list[Picture]:
    """Every picture of a report, in order. Without a comparison there are no saving factors."""
    words = METRIC_WORDS[findings.metric]
    chief = [curve_picture(result, findings.metric, words)]
    savings = [saving_picture(result, findings)] if findings.against else []
    others = [
        curve_picture(result, metric, METRIC_WORDS[metric])
        for metric in ("accuracy", "balanced_accuracy", "macro_f1")
        if metric != findings.metric
    ]
    shown = _classes_shown(findings)
    rest = [class_picture(result, shown, "classes")]
    if len(result.arms) > len(shown):
        rest.append(class_picture(result, result.arms, "classes-all"))
    rest += [asked_picture(result), calibration_picture(result), cost_picture(result)]
    return [*chief, *savings, *others, *rest]


def report_page(
    result: SimulationResult,
    findings: Findings,
    drawn: Sequence[Drawing],
    thumbnails: Thumbnails | str | None = None,
) -> str:
    """The page as HTML. `thumbnails` gives pictures of images, or says why there are none."""
    drawings = {each.picture.name: each for each in drawn}
    chief = f"curve-{findings.metric.replace('_', '-')}"
    no_images, first_images = _first_images(result, thumbnails)
    return render(
        "report.html",
        result=result,
        findings=findings,
        outcome="better" if any(each.outcome == "better" for each in findings.of) else "none",
        transductive=TRANSDUCTIVE,
        marked=mark(result),
        facts=_facts(result),
        words=METRIC_WORDS[findings.metric],
        drawings=drawings,
        chief=drawings[chief],
        other_curves=[
            each for name, each in drawings.items() if name.startswith("curve-") and name != chief
        ],
        bands=_bands(result),
        budgets=budget_table(result, findings),
        savings_caption=savings_caption(findings),
        savings=savings_table(result, findings),
        reaches=reach_table(result, findings),
        measures=measures_table(result),
        costs=_cost_words(result),
        no_images=no_images,
        first_images=first_images,
        conditions=conditions(result),
        intervals=INTERVALS,
        version=__version__,
    )


def _facts(result: SimulationResult) -> list[tuple[str, str]]:
    facts = result.facts
    role = {"dev": "dev data set", "report": "report data set", "own": "own labels"}
    return [
        ("data", str(facts.get("name", result.name))),
        ("marked", role.get(str(facts.get("role")), "not marked")),
        ("classes", str(len(result.points[0].recall))),
        ("pool of a seed", str(facts.get("pool_per_seed", "?"))),
        ("test images", str(facts.get("test", "?"))),
        ("seeds", str(len(result.seeds))),
        ("encoder", str(facts.get("encoder", "?"))),
    ]


def _bands(result: SimulationResult) -> str:
    if len(result.seeds) < 2:
        return "One run of each strategy: it cannot show how much of a difference is chance."
    return "Means over seeds; bands are 95 % t-intervals of the mean."


def _cost_words(result: SimulationResult) -> str:
    spent = list(seconds_per_round(result).values())
    total = sum(sum(each) for each in spent)
    if total <= 0:
        return "No times were recorded."
    shares = [sum(each[i] for each in spent) / total for i in range(3)]
    answering = [p.seconds_answering for p in result.points if p.round > 0]
    oracle = sum(answering) / max(1, len(answering))
    text = (
        f"Of all time, {percent(shares[0], 0)} went to choosing, {percent(shares[1], 0)} to learning and "
        f"{percent(shares[2], 0)} to measuring. Memory is the peak of the whole process so far."
    )
    if oracle > 0:
        text += (
            f" By recorded times, people would have taken {oracle:.0f} seconds to answer a round."
        )
    return text


def _first_images(
    result: SimulationResult, thumbnails: Thumbnails | str | None
) -> tuple[str, list[tuple[Cell, list[dict[str, Any]]]]]:
    """Why there are no images, or else the first ones that each arm asked, with their place."""
    if thumbnails is None:
        return "No images are shown: this data set has features only.", []
    if isinstance(thumbnails, str):
        return thumbnails, []
    shown = []
    for arm in result.compared:  # a baseline asks what random asks
        own = [p for p in result.points if p.arm == arm and p.seed == result.seeds[0]]
        own.sort(key=lambda p: p.round)
        asked = [content for point in own for content in point.images][:THUMBNAILS]
        images = [
            {"place": place, "base64": base64.b64encode(data).decode()}
            for place, content in enumerate(asked, 1)
            if (data := thumbnails(content)) is not None
        ]
        shown.append((arm_cell(result, arm, arm.words(result.arms)), images))
    if not any(images for _, images in shown):
        return "No images are shown: their files do not exist any more.", []
    return "", shown


def _classes_shown(findings: Findings) -> list[Arm]:
    """The best arm and the baseline."""
    best = [each.arm for each in findings.of[:1]]
    return [*best, findings.baseline]
