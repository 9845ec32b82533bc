"""A report as text: the table of a terminal, Markdown for people, JSON for a CI."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import BASELINE_STRATEGY
from alworkbench.evaluation.curves import METRICS, TableRow, area_under_curve, names, table
from alworkbench.report.baseline_savings import learners_of_random
from alworkbench.report.savings_table import (
    saving_json,
    savings_json,
    savings_lines,
    savings_note,
    savings_title,
)
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    factor_words,
    labels_words,
)

if TYPE_CHECKING:
    from alworkbench.report.findings import Findings
    from alworkbench.simulation.results import SimulationResult

REPORT_FORMAT = 1
TRANSDUCTIVE = (
    "Transductive: strategies looked at the test images (never at their labels). These figures do not "
    "hold for new images."
)
ROLES = {
    "dev": "dev: recipes were chosen on this data set, so its figures are optimistic",
    "report": "report: used for final tables only",
    "own": "own labels of a project",
}
INTERVALS = (
    "Intervals are 95 % t-intervals over seeds. Those of labels and saving factors are computed on "
    "logarithms; runs that end before the target count as censored. p is from a two-sided paired "
    "sign-flip test over seeds, with Holm's correction for the number of strategies in its column."
)


def table_lines(rows: Sequence[TableRow], budgets: Sequence[int] | None = None) -> list[list[str]]:
    """Header and cells of the table, as text."""
    shown = sorted({budget for row in rows for budget in row.at})
    if budgets is not None:
        shown = [each for each in shown if each in (0, *budgets)]
    lines = [["strategy", *(f"at {b}" for b in shown), "mean over the curve"]]
    for row in rows:
        cells = [str(row.at[b]) if b in row.at else "" for b in shown]
        if shown and shown[0] == 0 and 0 in row.at:
            cells[0] = f"{row.at[0].mean:.3f}"
        lines.append([row.strategy, *cells, str(row.area)])
    return lines


def conditions(result: SimulationResult) -> list[tuple[str, str]]:
    """The conditions of the figures, as pairs of a heading and words; `not known` for missing ones."""
    facts, plan = result.facts, result.plan
    role = str(facts.get("role"))
    lines = [
        ("data set", str(facts.get("name", result.name))),
        ("marked", ROLES.get(role, f"not marked ({role})")),
    ]
    if card := facts.get("card"):
        lines += [
            (f"card: {key}".replace("_", " "), _plain(card[key]))
            for key in card
            if key not in _TOLD_ELSEWHERE
        ]
        lines += _prompts(card.get("classes"))
    else:
        lines.append(("card", "none"))
    classes = facts.get("classes")
    lines += [
        ("encoder", _plain(facts.get("encoder"))),
        ("classes", str(len(classes)) if isinstance(classes, list) else "not known"),
        (
            "pool",
            f"{_plain(facts.get('pool'))} images, {_plain(facts.get('pool_per_seed'))} for a seed",
        ),
        ("test part", f"{_plain(facts.get('test'))} images"),
        ("test images with a near-duplicate in the pool", near_duplicate_words(facts)),
        ("selection", "transductive" if result.transductive else "without the test images"),
        ("seeds", f"{len(result.seeds)}, paired over strategies"),
        ("labels of a run", _plain(plan.get("labels"))),
        ("audit set", f"{_plain(plan.get('audit'))} labels, paid for"),
        ("batches of", ", ".join(map(str, sorted({arm.batch_size for arm in result.arms})))),
        ("adaptations", ", ".join(dict.fromkeys(arm.adaptation for arm in result.compared))),
        (
            f"{BASELINE_STRATEGY} as a baseline",
            learners_of_random(result.arms, result.baselines),
        ),
        ("goal", _plain(plan.get("goal"))),
        ("oracle", _plain(facts.get("oracle"))),
        ("fingerprint of the data", _plain(facts.get("fingerprint"))),
        ("code", _plain(facts.get("code"))),
        ("versions", _plain(facts.get("versions"))),
        ("threads, processes", f"{_plain(facts.get('threads'))}, {_plain(facts.get('processes'))}"),
        (
            "result",
            f"{result.key}, {result.created_at:%Y-%m-%d %H:%M} {result.created_at.tzname() or ''}",
        ),
    ]
    return lines


def markdown(result: SimulationResult, findings: Findings) -> str:
    """The verdict, the conditions, the table and the tests."""
    lines = [f"# Simulation: {_cell(result.name)}", "", f"**{_cell(findings.headline)}**", ""]
    if result.transductive:
        lines += [f"> {TRANSDUCTIVE}", ""]
    lines += ["## Each strategy", ""]
    lines += [f"- {_cell(each.words)}" for each in findings.of]
    words = METRIC_WORDS[findings.metric]
    lines += ["", f"## {words.capitalize()} by labels paid for{_marked(result)}", ""]
    header, *cells = table_lines(table(result.points, metric=findings.metric))
    lines += table_of(header, cells)
    lines += _comparisons(result, findings)
    lines += ["", INTERVALS, "", "## Conditions", ""]
    lines += [f"- {_cell(key)}: {_cell(value)}" for key, value in conditions(result)]
    return "\n".join(lines) + "\n"


def _comparisons(result: SimulationResult, findings: Findings) -> list[str]:
    """The tests against the baseline, and the savings or why there are none."""
    title = "Differences over the curve" if findings.no_savings else savings_title(findings)
    lines = ["", f"## {_cell(title)}{_marked(result)}", ""]
    header = ["strategy", "labels", "saving factor", "difference over the curve", "p (Holm)"]
    base = labels_words(findings.reaches[findings.baseline][findings.chief])
    rows = [[findings.names[findings.baseline], base, "1", "", ""]]
    for each in findings.of:
        rows.append(
            [
                each.name,
                labels_words(each.reaches[findings.chief]),
                factor_words(each.savings[findings.chief]),
                difference_words(each.area.difference, findings.metric),
                f"{each.area.corrected:.4f}",
            ]
        )
    if findings.no_savings:  # neither labels nor a factor
        header, *rows = [[each[0], *each[3:]] for each in (header, *rows)]
    lines += table_of(header, rows)
    if findings.against:
        header, *rows = savings_lines(findings)
        lines += ["", *table_of(header, rows)]
    note = savings_note(findings)
    return [*lines, "", _cell(note)] if note else lines


def as_json(result: SimulationResult, findings: Findings) -> dict[str, Any]:
    """The whole report as JSON values; None in place of nan and inf."""
    called = names(result.arms)
    measures = {
        metric: {
            called[arm]: asdict(each)
            for arm, each in area_under_curve(result.points, metric).items()
        }
        for metric in METRICS
    }
    tables = {
        metric: [
            {"arm": row.strategy, "at": {str(b): asdict(e) for b, e in row.at.items()}}
            for row in table(result.points, metric=metric)
        ]
        for metric in METRICS
    }
    content = {
        "format": REPORT_FORMAT,
        "name": result.name,
        "key": result.key,
        "transductive": result.transductive,
        "headline": findings.headline,
        "savings": savings_json(findings),
        "outcomes": {each.name: each.outcome for each in findings.of},
        "findings": findings_json(findings),
        "mean_over_curve": measures,
        "at_budgets": tables,
        "facts": result.facts,
        "plan": result.plan,
    }
    cleaned: dict[str, Any] = finite(content)
    return cleaned


def findings_json(findings: Findings) -> dict[str, Any]:
    """The findings as JSON."""
    content = {
        "metric": findings.metric,
        "seeds": findings.seeds,
        "baseline": findings.names[findings.baseline],
        "targets": [asdict(each) for each in findings.targets],
        "chief_target": findings.chief,
        "baseline_reaches": [_reach(each) for each in findings.reaches[findings.baseline]],
        "arms": [
            {
                "name": each.name,
                "arm": asdict(each.arm),
                "outcome": each.outcome,
                "words": each.words,
                "area": asdict(each.area),
                "at": {str(b): asdict(t) for b, t in each.at.items()},
                "reaches": [_reach(r) for r in each.reaches],
                "savings": [saving_json(s) for s in each.savings],
            }
            for each in findings.of
        ],
    }
    cleaned: dict[str, Any] = finite(content)
    return cleaned


def finite(value: Any) -> Any:
    """The value with None in place of nan and inf, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return value


def _reach(found: Any) -> dict[str, Any]:
    return {
        "labels_by_seed": list(found.labels),
        "budget": found.budget,
        "reached": found.reached,
        "typical": found.typical,
        "low": found.low,
        "high": found.high,
        "median": found.median,
        "restricted_mean": found.restricted_mean,
    }


def near_duplicate_words(facts: Mapping[str, Any]) -> str:
    """The number of near-duplicates and the rule that counted them; earlier versions had another rule."""
    found = _plain(facts.get("near_duplicates"))
    if "near_duplicate_cosine" in facts:
        return f"{found}, at a cosine of {_plain(facts['near_duplicate_cosine'])}; most copies lie below"
    if "near_duplicate_ratio" in facts:
        return (
            f"{found} whose nearest image of the pool stands out, as about 1 in 100 does by chance; "
            f"copies whose features differ much are missed"
        )
    return found


_TOLD_ELSEWHERE = ("name", "role", "classes")
"""Fields of a card that other lines show."""


def _prompts(classes: Any) -> list[tuple[str, str]]:
    """Each prompt template once, because classes mostly share them."""
    found: list[str] = []
    for each in classes if isinstance(classes, list | tuple) else ():
        templates = each.get("templates") if isinstance(each, dict) else None
        found += [str(t) for t in templates or () if t not in found]
    return [("card: prompts", "; ".join(found))] if found else []


def _plain(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, dict):
        nested = any(isinstance(each, dict) for each in value.values())
        pairs = [
            f"{key}: {_plain(each)}" if nested else f"{key} {_plain(each)}"
            for key, each in value.items()
        ]
        return ("; " if nested else ", ").join(pairs) or "none"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(each) for each in value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _marked(result: SimulationResult) -> str:
    return " (transductive)" if result.transductive else ""


def table_of(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """A Markdown table."""
    lines = ["| " + " | ".join(map(_cell, header)) + " |", "|" + " --- |" * len(header)]
    return lines + ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]


def _cell(text: str) -> str:
    """Text with every sign of Markdown escaped."""
    text = " ".join(text.split())
    for sign in "\\|`*_<#":
        text = text.replace(sign, "\\" + sign)
    return text
