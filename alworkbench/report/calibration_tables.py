"""Tables of a comparison of calibrations, for the page and for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alworkbench.calibration_study.plan import SHORT_NAMES, PromptKind
from alworkbench.report.calibration_findings import digits_of, seconds_words
from alworkbench.report.rendering import Cell, Table

if TYPE_CHECKING:
    from alworkbench.calibration_study.calibration_figures import Measured
    from alworkbench.calibration_study.result import StudyResult, StudyRow

HEADER = ("accuracy", "NLPD", "difference", "ECE", "floor", "Brier", "an image")


def result_groups(
    result: StudyResult,
) -> list[tuple[PromptKind, list[tuple[StudyRow, list[Cell]]]]]:
    """For each kind of prompts its rows with their cells, in the order of HEADER."""
    return [
        (kind, [(row, _cells(row)) for row in result.rows if row.prompts is kind])
        for kind in result.kinds
    ]


def result_caption(result: StudyResult) -> str:
    """What the main table shows."""
    return (
        f"All rows on the same {result.images:,} images, with 95 % intervals. NLPD, ECE and Brier: lower is "
        f"better. Difference: NLPD minus that of “{result.reference.name}”, in pairs; bold where the "
        f"interval excludes 0. Floor: the ECE that chance alone gives a perfectly calibrated model."
    )


def prompt_table(result: StudyResult) -> Table:
    """The words of each kind of prompts, and what it costs."""
    rows = []
    for each in result.prompts:
        plain = next(row for row in result.rows if row.prompts is each.kind)
        rows.append(
            [
                Cell(each.kind.value),
                Cell(each.words),
                Cell(f"{each.prompts:,}"),
                Cell(seconds_words(each.seconds_once)),
                _seconds_cell(plain.seconds),
                _seconds_cell(plain.seconds_known),
            ]
        )
    return Table(
        ["prompts", "words", "encoded once", "time once", "an image", "features known"],
        rows,
        f"Times on this machine. Once: for the class list, the number of prompts times the mean of "
        f"{result.encoding.prompts} prompts. An image: reading, encoding (of all views where prompts are "
        f"tuned) and predicting, mean of the first {len(result.encoding.image)} images. Features known: "
        f"without reading and encoding.",
        numbers_from=2,
    )


def temperature_table(result: StudyResult) -> Table:
    """The temperature of each row that has one."""
    rows = []
    for row in result.rows:
        if row.temperature is None:
            continue
        fit, used = row.temperature.fit, row.fold_temperatures
        ends = f"[{fit.low:.2f}, {fit.high:.2f}]"
        rows.append(
            [
                Cell(row.prompts.value),
                Cell(row.calibration.value),
                Cell(f"{fit.temperature:.2f}", small=(ends,)),
                Cell(f"{min(used):.2f} to {max(used):.2f}"),
            ]
        )
    return Table(
        ["prompts", "calibration", "temperature", f"of the {_folds(result)} parts"],
        rows,
        "Temperature fitted to all images, for new images, with its 95 % interval. The figures come from "
        "the temperatures of the parts: each part of the images is predicted with that of the others. "
        "Above 1 the logits were too large.",
        numbers_from=2,
    )


def lines(result: StudyResult) -> list[list[str]]:
    """The main table as text; the first line holds the headings. Prompts have the names that users type."""
    called = {kind: name for name, kind in SHORT_NAMES.items()}
    found = [["prompts", "calibration", "accuracy", "NLPD", "ECE", "floor", "Brier", "an image"]]
    for row in result.rows:
        each = row.figures
        found.append(
            [
                called[row.prompts],
                row.calibration.value,
                *(_short(figure) for figure in (each.accuracy, each.nlpd, each.ece)),
                f"{each.ece_floor:.3f}"[1:],
                _short(each.brier),
                _short_seconds(row.seconds),
            ]
        )
    return found


def _cells(row: StudyRow) -> list[Cell]:
    found = row.figures
    gap = row.difference.get("nlpd")
    difference = Cell("reference")
    if gap is not None:
        difference = Cell(
            f"{gap.value:+.3f}",
            strong=gap.without_zero,
            small=(f"[{gap.low:+.3f}, {gap.high:+.3f}]",),
        )
    return [
        _cell(found.accuracy),
        _cell(found.nlpd),
        difference,
        _cell(found.ece),
        Cell(f"{found.ece_floor:.3f}"),
        _cell(found.brier),
        _seconds_cell(row.seconds),
    ]


def _cell(found: Measured) -> Cell:
    return Cell(f"{found.value:.3f}", small=(f"[{found.low:.3f}, {found.high:.3f}]",))


def _seconds_cell(found: Measured) -> Cell:
    scale = 1000 if found.value < 1 else 1
    low, high = (digits_of(end * scale) for end in (found.low, found.high))
    return Cell(seconds_words(found.value), small=(f"[{low}, {high}]",))


def _short(found: Measured) -> str:
    """`.263 [.240, .294]`: a row of the terminal is long enough."""

    def digits(value: float) -> str:
        return f"{value:.3f}".removeprefix("0")

    return f"{digits(found.value)} [{digits(found.low)}, {digits(found.high)}]"


def _short_seconds(found: Measured) -> str:
    cell = _seconds_cell(found)
    return f"{cell.text} {cell.small[0]}"


def _folds(result: StudyResult) -> int:
    return max(len(row.fold_temperatures) for row in result.rows)
