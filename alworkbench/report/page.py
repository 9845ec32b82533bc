"""The page that a decision is made from: the verdict first, then what it rests on."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from html import escape
from typing import TYPE_CHECKING

from alworkbench import __version__
from alworkbench.core.domain import Arm
from alworkbench.report.class_drawings import asked_picture, class_picture
from alworkbench.report.drawings import (
    calibration_picture,
    cost_picture,
    saving_picture,
    seconds_per_round,
)
from alworkbench.report.findings import Findings
from alworkbench.report.html import conditions_table, figure, folded, page
from alworkbench.report.pictures import Drawing, Picture, curve_picture
from alworkbench.report.tables import budget_table, measures_table, reach_part, swatched
from alworkbench.report.text import INTERVALS, TRANSDUCTIVE, conditions
from alworkbench.report.wording import METRIC_WORDS

if TYPE_CHECKING:
    from alworkbench.simulation.results import SimulationResult

Thumbnails = Callable[[str], bytes | None]
"""PNG of an image by its content hash; None where there is no picture."""

THUMBNAILS = 12
"""First images of each arm that are shown."""


def pictures(result: SimulationResult, findings: Findings) -> list[Picture]:
    """Every picture of a report, in its order. What was not compared has no saving factors."""
    words = METRIC_WORDS[findings.metric]
    chief = [curve_picture(result, findings.metric, words)]
    savings = [saving_picture(result, findings)] if findings.of else []
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
    """`thumbnails`: or a sentence that says why there are none."""
    by_name = {each.picture.name: each for each in drawn}
    chief = f"curve-{findings.metric.replace('_', '-')}"
    words = METRIC_WORDS[findings.metric]
    body = [_top(result, findings)]
    body.append(_heading(f"{words.capitalize()} by labels", result))
    body.append(figure(by_name[chief], _bands(result)))
    body.append(budget_table(result, findings))
    body.append(_heading("What labels are saved", result))
    body.append(reach_part(result, findings, by_name))
    others = [each for name, each in by_name.items() if name.startswith("curve-") and name != chief]
    inner = "".join(figure(each, _bands(result)) for each in others)
    body.append(folded("The same curves for other measures", inner))
    body.append(_heading("Classes", result))
    body.append(
        figure(by_name["classes"], "Share found of each class as labels come, mean over seeds.")
    )
    if "classes-all" in by_name:
        body.append(
            folded("Every strategy", figure(by_name["classes-all"], "Share found of each class."))
        )
    body.append(
        figure(
            by_name["asked"],
            "Percent of the asked images that are of each (true) class, all rounds and seeds "
            "together. “no class”: images that belong to none, which labels are wasted on.",
        )
    )
    body.append(_heading("Calibration", result))
    body.append(
        figure(
            by_name["calibration"],
            "Lower is better. The dotted floor is the calibration error that a perfectly "
            "calibrated model would show on this test part by chance: an error at the floor cannot "
            "be told from none.",
        )
    )
    body.append(measures_table(result))
    body.append(_heading("Time and memory", result))
    body.append(figure(by_name["cost"], _cost_words(result)))
    body.append(_heading("The first images asked", result))
    body.append(_first_images(result, thumbnails))
    body.append(_heading("Conditions", result))
    body.append(conditions_table(conditions(result)))
    body.append(f"<p class='note'>{escape(INTERVALS)}</p>")
    made = f"{result.created_at:%Y-%m-%d}"
    body.append(
        f"<footer>alworkbench {escape(__version__)}; result {escape(result.key)} of {made}.</footer>"
    )
    return page(f"{result.name}: simulation", body)


def _top(result: SimulationResult, findings: Findings) -> str:
    facts = result.facts
    role = {"dev": "dev data set", "report": "report data set", "own": "own labels"}
    seeds = len(result.seeds)
    items = [
        ("data", str(facts.get("name", result.name))),
        ("marked", role.get(str(facts.get("role")), "not marked")),
        ("classes", str(len(result.points[0].recall))),
        ("pool of a seed", str(facts.get("pool_per_seed", "?"))),
        ("test images", str(facts.get("test", "?"))),
        ("seeds", str(seeds)),
        ("encoder", str(facts.get("encoder", "?"))),
    ]
    shown = "".join(f"<li>{escape(key)} <b>{escape(value)}</b></li>" for key, value in items)
    kind = "better" if any(each.outcome == "better" for each in findings.of) else "none"
    warning = f"<p class='warning'>{escape(TRANSDUCTIVE)}</p>" if result.transductive else ""
    flattered = (
        "<p class='warning'>Dev data set: recipes were chosen on it, so its figures flatter them."
        "</p>"
        if facts.get("role") == "dev"
        else ""
    )
    return (
        f"<header><p class='kind'>Simulation of labelling</p><h1>{escape(result.name)}</h1></header>"
        f"{warning}{flattered}<section class='verdict {kind}' aria-label='Verdict'>"
        f"<p class='headline'>{escape(findings.headline)}</p><ul class='facts'>{shown}</ul></section>"
    )


def _bands(result: SimulationResult) -> str:
    if len(result.seeds) < 2:
        return "One run of each strategy: how much of a difference is chance cannot be seen."
    return "Means over seeds; bands are 95 % t-intervals of the mean."


def _heading(words: str, result: SimulationResult) -> str:
    return f"<h2>{escape(words)}{' (transductive)' if result.transductive else ''}</h2>"


def _cost_words(result: SimulationResult) -> str:
    spent = list(seconds_per_round(result).values())
    total = sum(sum(each) for each in spent)
    if total <= 0:
        return "No times were recorded."
    shares = [sum(each[i] for each in spent) / total for i in range(3)]
    answering = [p.seconds_answering for p in result.points if p.round > 0]
    oracle = sum(answering) / max(1, len(answering))
    text = (
        f"Of all time, {shares[0]:.0%} went to choosing, {shares[1]:.0%} to learning and "
        f"{shares[2]:.0%} to measuring. Memory is the most the process held so far, everything included."
    )
    if oracle > 0:
        text += f" People would have answered for {oracle:.0f} seconds a round, by recorded times."
    return text


def _first_images(result: SimulationResult, thumbnails: Thumbnails | str | None) -> str:
    if thumbnails is None:
        return "<p class='note'>This data set has features only: there are no images to show.</p>"
    if isinstance(thumbnails, str):
        return f"<p class='note'>{escape(thumbnails)}</p>"
    parts, seen = [], 0
    first_seed = result.seeds[0]
    for arm in result.arms:
        own = sorted(
            (p for p in result.points if p.arm == arm and p.seed == first_seed),
            key=lambda p: p.round,
        )
        asked = [content for point in own for content in point.images][:THUMBNAILS]
        shown = []
        for place, content in enumerate(asked, 1):
            data = thumbnails(content)
            if data is not None:
                coded = base64.b64encode(data).decode()
                shown.append(
                    f'<img src="data:image/png;base64,{coded}" width="56" height="56" '
                    f'alt="image {place} that {escape(arm.words(result.arms))} asked">'
                )
        seen += len(shown)
        content_html = "".join(shown) or "<span class='note'>no images</span>"
        name = swatched(result, arm, arm.words(result.arms)).text
        parts.append(f"<div>{name}</div><div class='pictures'>{content_html}</div>")
    if not seen:
        return "<p class='note'>The images that were asked are not there any more.</p>"
    return (
        f"<p class='note'>In order, of seed {first_seed}; alike beginnings show that strategies agree "
        f"before any label.</p><div class='asked'>{''.join(parts)}</div>"
    )


def _classes_shown(findings: Findings) -> list[Arm]:
    """The best arm and the baseline, side by side."""
    best = [each.arm for each in findings.of[:1]]
    return [*best, findings.baseline]
