"""A comparison of results as a page, as Markdown and as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import BASELINE_STRATEGY
from alworkbench.report.comparing import LETTERS, Change, Comparison
from alworkbench.report.pictures import FAINT, SERIES, WIDTH, Picture, mark, new_figure, spread
from alworkbench.report.rendering import Cell, Table, difference_cell, labels_cell, render
from alworkbench.report.savings_table import IS_OTHER_BASELINE, NOT_COMPARED, SIGNS, saving_json
from alworkbench.report.text import INTERVALS, TRANSDUCTIVE, finite, table_of
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    factor_words,
    labels_words,
    level_words,
    p_words,
    saved_words,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class ComparisonFiles:
    """Where a comparison was written."""

    page: Path
    markdown: Path
    json: Path


def lines_of(comparison: Comparison) -> list[list[str]]:
    """Header and cells, as text. Columns with intervals name their level."""
    header = [
        "strategy",
        "result",
        "over the curve [95 %]",
        "p (Holm)",
        "labels here [95 %]",
        "labels in A [95 %]",
        "saving factor [95 %]",
    ]
    lines = [header]
    for each in comparison.of:
        lines.append(
            [
                each.name,
                each.letter,
                difference_words(each.area.difference, comparison.metric),
                f"{each.area.corrected:.4f}",
                labels_words(each.reaches[1]),
                labels_words(each.reaches[0]),
                factor_words(each.saving),
            ]
        )
    return lines


def saved_lines(comparison: Comparison) -> list[list[str]]:
    """Header and cells of what later results save against their baselines; empty if none has baselines."""
    kinds = list(dict.fromkeys(words for each in comparison.of for words in each.against))
    if not kinds:
        return []
    return [
        ["strategy", "result", *(f"saved against {words} [95 %]" for words in kinds)],
        *(
            [
                each.name,
                each.letter,
                *(
                    saved_words(each.against[words])
                    if words in each.against
                    else _not_saved(comparison, each)
                    for words in kinds
                ),
            ]
            for each in comparison.of
        ),
    ]


def _not_saved(comparison: Comparison, change: Change) -> str:
    """Why an arm has no saving against a baseline: it is one itself, or its result has no such baseline."""
    arm, result = change.second, comparison.results[LETTERS.index(change.letter)]
    if arm.strategy == BASELINE_STRATEGY and arm.adaptation in result.baselines:
        return IS_OTHER_BASELINE
    return NOT_COMPARED


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON."""
    content = {
        "format": 1,
        "metric": comparison.metric,
        "headline": comparison.headline,
        "results": [
            {
                "letter": letter,
                "name": each.name,
                "key": each.key,
                "code": each.facts.get("code"),
                "created_at": each.created_at.isoformat(),
            }
            for letter, each in zip(LETTERS, comparison.results, strict=False)
        ],
        "changes": [
            {
                "name": each.name,
                "result": each.letter,
                "outcome": each.outcome,
                "words": each.words,
                "first": asdict(each.first),
                "second": asdict(each.second),
                "area": asdict(each.area),
                "at": {str(b): asdict(t) for b, t in each.at.items()},
                "target": asdict(each.target),
                "labels": [asdict(each.reaches[1])["typical"], asdict(each.reaches[0])["typical"]],
                "saving": saving_json(each.saving),
                "saved": {f"against {w}": saving_json(s) for w, s in each.against.items()},
            }
            for each in comparison.of
        ],
    }
    cleaned: dict[str, Any] = finite(content)
    return cleaned


def comparison_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown."""
    header, *rows = lines_of(comparison)
    lines = ["# Comparison of simulations", "", f"**{comparison.headline}**", ""]
    if comparison.results[0].transductive:
        lines += [f"> {TRANSDUCTIVE}", ""]
    lines += [f"- {letter}: {name}, {detail}" for letter, name, detail in _results(comparison)]
    lines += ["", *table_of(header, rows)]
    if saved := saved_lines(comparison):
        lines += ["", *table_of(saved[0], saved[1:]), "", SIGNS]
    lines += ["", INTERVALS]
    return "\n".join(lines) + "\n"


def difference_picture(comparison: Comparison) -> Picture:
    """Paired differences by labels, with their bands, around zero."""
    several = len(comparison.results) > 2
    words = METRIC_WORDS[comparison.metric]
    marked = mark(comparison.results[0])
    ends = "; ".join(
        f"{each.name} in {each.letter} {difference_words(each.curve.estimates[-1], comparison.metric)}"
        for each in comparison.of
    )
    alt = f"Difference in {words} from A by labels paid for. With the last label: {ends}."

    def draw() -> Figure:
        figure: Figure = new_figure(WIDTH, 3.9)
        axes = figure.add_subplot()
        axes.axhline(0, color=FAINT, linewidth=1)
        for i, each in enumerate(comparison.of):
            colour = SERIES[i % len(SERIES)]
            found = each.curve.estimates
            axes.plot(each.curve.paid, [e.mean for e in found], color=colour, linewidth=1.8)
            if found[0].seeds > 1:
                low, high = [e.low for e in found], [e.high for e in found]
                axes.fill_between(each.curve.paid, low, high, color=colour, alpha=0.1, linewidth=0)
        axes.margins(x=0)
        bottom, top = axes.get_ylim()
        order = sorted(range(len(comparison.of)), key=lambda i: _end(comparison, i))
        places = spread([_end(comparison, i) for i in order], (top - bottom) * 0.055)
        last = max(each.curve.paid[-1] for each in comparison.of)
        for i, place in zip(order, places, strict=True):
            each = comparison.of[i]
            name = f"{each.name} ({each.letter})" if several else each.name
            axes.annotate(
                name, (last, _end(comparison, i)), xytext=(1.02 * last, place), textcoords="data",
                color=SERIES[i % len(SERIES)], va="center", annotation_clip=False,
            )  # fmt: skip
        axes.set_ylim(bottom, top)
        axes.set_xlabel("labels paid for")
        axes.set_ylabel(f"difference in {words}{marked}")
        return figure

    return Picture("difference", f"Difference in {words}", alt, draw)


def comparison_page(comparison: Comparison) -> str:
    """The page of a comparison as HTML."""
    rows = [
        [
            Cell(f"{each.name} ({each.letter})", outcome=each.outcome),
            difference_cell(
                difference_words(each.area.difference, comparison.metric),
                p_words(each.area.corrected),
                each.area.shown,
            ),
            labels_cell(labels_words(each.reaches[1]), f"for {level_words(each.target)}"),
            labels_cell(labels_words(each.reaches[0])),
            Cell(factor_words(each.saving)),
        ]
        for each in comparison.of
    ]
    header = ["strategy", "over the curve", "labels here", "labels in A", "saving factor"]
    saved_header, *saved = saved_lines(comparison) or [[]]
    results = [[Cell(text) for text in line] for line in _results(comparison)]
    return render(
        "comparison.html",
        comparison=comparison,
        outcome="better" if any(each.outcome == "better" for each in comparison.of) else "none",
        transductive=TRANSDUCTIVE,
        marked=mark(comparison.results[0]),
        drawing=difference_picture(comparison).render(),
        changes=Table(header, rows, "Later result against A, seed by seed, with 95 % intervals"),
        saved=Table(
            saved_header,
            [[Cell(text) for text in line] for line in saved],
            f"Labels that the later result saves against random sampling with its baselines, for the same "
            f"levels. {SIGNS}",
            numbers_from=len(saved_header),
        ),
        results=Table(["result", "name", "made"], results, "What is compared", numbers_from=3),
        intervals=INTERVALS,
    )


def write_comparison(comparison: Comparison, folder: Path) -> ComparisonFiles:
    """compare-KEY-KEY.html, .md and .json in a folder; the page is written last."""
    folder.mkdir(parents=True, exist_ok=True)
    name = "compare-" + "-".join(_safe(each.key) for each in comparison.results)
    files = ComparisonFiles(*(folder / f"{name}.{kind}" for kind in ("html", "md", "json")))
    write_atomically(files.markdown, comparison_markdown(comparison).encode())
    content = json.dumps(comparison_json(comparison), allow_nan=False, indent=1)
    write_atomically(files.json, content.encode())
    write_atomically(files.page, comparison_page(comparison).encode())
    return files


def _results(comparison: Comparison) -> list[tuple[str, str, str]]:
    return [
        (
            letter,
            each.name,
            f"{each.key}, {each.created_at:%Y-%m-%d %H:%M}, code {each.facts.get('code', '?')}",
        )
        for letter, each in zip(LETTERS, comparison.results, strict=False)
    ]


def _end(comparison: Comparison, i: int) -> float:
    return comparison.of[i].curve.estimates[-1].mean


def _safe(key: str) -> str:
    """A key comes from a file: only what a name may hold."""
    return "".join(c for c in key if c.isalnum())[:12]
