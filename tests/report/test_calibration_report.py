"""The page of a comparison of calibrations: it shows what the record holds, and nothing unescaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from alworkbench.calibration_study.calibration_figures import Measured
from alworkbench.calibration_study.dispersion_correlation import Correlation
from alworkbench.calibration_study.plan import CalibrationKind, PromptKind
from alworkbench.calibration_study.result import StudyResult
from alworkbench.report.calibration_findings import (
    digits_of,
    dispersion_words,
    findings,
    headline,
    seconds_words,
)
from alworkbench.report.calibration_page import write_calibration
from alworkbench.report.calibration_tables import lines
from tests.calibration_study.study_project import (
    NAMES,
    SETTINGS,
    compared,
    labelled_project,
    material_of,
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    """Without tuning: the page treats tuned prompts as it does the others."""
    folder = labelled_project(tmp_path_factory.mktemp("reported"))
    kinds = (PromptKind.PRESENT, PromptKind.SINGLE, PromptKind.ENSEMBLE, PromptKind.ATFD)
    return compared(material_of(folder), replace(SETTINGS, kinds=kinds))


def numbers(value: object) -> set[str]:
    """Every number of a record, with three digits after the point."""
    if isinstance(value, bool):
        return set()
    if isinstance(value, int | float):
        return {f"{value:.3f}", f"{value * 1000:.3f}"}
    each = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return set().union(*map(numbers, each))


def test_the_record_holds_what_is_printed(result: StudyResult, tmp_path: Path) -> None:
    files = write_calibration(result, tmp_path / "out")
    found = json.loads(files.record.read_text(encoding="utf-8"))
    known = numbers(found)
    printed = [cell for line in lines(result)[1:] for cell in line[2:7]]
    shown = {f"{float(each):.3f}" for cell in printed for each in re.findall(r"[\d.]+", cell)}
    assert shown <= known
    assert found["headline"] == headline(result)
    assert found["findings"] == list(findings(result))
    assert len(lines(result)) == 1 + len(found["rows"])


def test_the_page_shows_every_row_and_every_sentence(result: StudyResult, tmp_path: Path) -> None:
    files = write_calibration(result, tmp_path)
    page = unescape(files.page.read_text(encoding="utf-8"))
    for sentence in (headline(result), *findings(result), *result.missing):
        assert sentence in page
    for row in result.rows:
        assert f"{row.figures.nlpd.value:.3f}" in page
    for words in (result.class_list, result.encoder.id, *NAMES, "Conditions", "seed"):
        assert words in page
    assert len(files.pictures) == 8
    assert all(each.stat().st_size > 1000 for each in files.pictures)
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)


def test_text_of_users_is_escaped(result: StudyResult, tmp_path: Path) -> None:
    other = replace(result, name="<script>x</script>", missing=("<b>",))
    page = write_calibration(other, tmp_path).page.read_text(encoding="utf-8")
    assert "<script>" not in page
    assert "&lt;b&gt;" in page


def test_equal_results_give_equal_bytes(result: StudyResult, tmp_path: Path) -> None:
    one, other = (write_calibration(result, tmp_path / name) for name in ("one", "other"))
    assert one.page.read_bytes() == other.page.read_bytes()
    assert one.record.read_bytes() == other.record.read_bytes()


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (-0.9, -0.5, "as was published"),
        (0.5, 0.9, "the opposite was published"),
        (-0.1, 0.4, "contains 0"),
    ],
)
def test_the_correlation_is_told_whatever_its_sign(
    result: StudyResult, low: float, high: float, words: str
) -> None:
    r = Measured((low + high) / 2, low, high)
    told = dispersion_words(replace(result, correlation=Correlation(9, r, r)))
    assert words in told
    assert f"{r.value:+.2f}" in told
    none = dispersion_words(replace(result, correlation=None))
    assert "too few templates" in none


def test_the_headline_names_the_lowest_log_loss(result: StudyResult) -> None:
    best = min(result.rows, key=lambda row: row.figures.nlpd.value)
    assert best.name in headline(result)
    plain = [row for row in result.rows if row.calibration is CalibrationKind.PLAIN]
    alone = replace(result, rows=tuple(row for row in plain if row is result.reference))
    assert headline(alone).startswith("No other row")


def test_numbers_have_three_digits_and_no_exponent() -> None:
    assert [digits_of(v) for v in (0.0, 0.001234, 0.5, 13.24, 205.4, 12345.6)] == [
        "0", "0.00123", "0.500", "13.2", "205", "12,346",
    ]  # fmt: skip
    assert (seconds_words(0.0132), seconds_words(2.5)) == ("13.2 ms", "2.50 s")
