"""Labels saved against random with the same learner and with learners of labels alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markupsafe import escape

from alworkbench.cli.simulating import describe, print_simulation
from alworkbench.core.domain import Arm, SimulationPoint
from alworkbench.evaluation.curves import Runs, runs
from alworkbench.evaluation.intervals import estimate
from alworkbench.evaluation.label_savings import Saving, Target, labels_to_reach, saving
from alworkbench.report.comparing import compare
from alworkbench.report.comparison_page import saved_lines, write_comparison
from alworkbench.report.findings import Findings, findings_in
from alworkbench.report.savings_table import (
    savings_arms,
    savings_header,
    savings_lines,
    savings_note,
    savings_title,
)
from alworkbench.report.wording import METRIC_WORDS, saved_words, saving_words
from alworkbench.report.writing import write_report
from alworkbench.simulation.results import SimulationResult, load_result
from tests.made_results import made_points, made_result

quick = settings(deadline=None, derandomize=True, max_examples=50)
METHODS = ("probe", "free-weights")
HEADER = [
    "strategy",
    "labels",
    "saved against random with the same learner (new)",
    "saved against random with a linear probe (probe)",
    "saved against random with labels alone (free-weights)",
]


def points_with_baselines(probe: float = 80.0) -> list[SimulationPoint]:
    """Learner `new` with two strategies, and random with two learners of labels alone."""
    return [
        *made_points({"random": 50.0, "epig": 30.0}, adaptation="new"),
        *made_points({"random": probe}, adaptation="probe"),
        *made_points({"random": 60.0}, adaptation="free-weights"),
    ]


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> SimulationResult:
    folder = tmp_path_factory.mktemp("baselines") / "abc123"
    # The plan of made results learns with free-weights, which is no baseline's alone then.
    made = made_result(folder, points_with_baselines(), baselines=METHODS)
    path = folder / "result.json"
    content = json.loads(path.read_text())
    content["plan"]["adaptations"] = ["new"]
    path.write_text(json.dumps(content))
    return load_result(made.folder)


@pytest.fixture(scope="module")
def findings(result: SimulationResult) -> Findings:
    return findings_in(result)


def curves_of(result: SimulationResult, metric: str) -> dict[Arm, Runs]:
    return {each.arm: each for each in runs(result.points, metric)}


# --------------------------------------------------------------------------------------- the savings


def test_savings_against_a_baseline_are_those_of_the_two_curves(
    result: SimulationResult, findings: Findings
) -> None:
    every = curves_of(result, findings.metric)
    for each, method in zip(findings.against, ("new", *METHODS), strict=True):
        base = every[Arm("random", method)]
        for arm, savings in each.savings.items():
            for target, found in zip(findings.targets, savings, strict=True):
                assert found == saving(every[arm], base, target)
                own, other = (
                    labels_to_reach(run.paid, run.values, target.value)
                    for run in (every[arm], base)
                )
                if np.isfinite([own, other]).all():
                    logs = estimate(np.log(other) - np.log(own))
                    by_hand = [math.exp(value) for value in (logs.mean, logs.low, logs.high)]
                    assert [found.factor, found.low, found.high] == pytest.approx(by_hand)


def test_every_arm_but_the_baselines_is_compared_with_every_baseline(findings: Findings) -> None:
    random, epig = Arm("random", "new"), Arm("epig", "new")
    arms = [set(each.savings) for each in findings.against]
    assert arms == [{epig}, {random, epig}, {random, epig}]
    assert [each.arm for each in findings.of] == [epig], "the verdict is about strategies"


def test_an_arm_compared_with_itself_saves_nothing(result: SimulationResult) -> None:
    for run in curves_of(result, "accuracy").values():
        for level in (0.5, 0.7, 0.8):
            found = saving(run, run, Target("accuracy", level, "a level"))
            if found.factor is not None:
                assert (found.factor, found.low, found.high) == (1.0, 1.0, 1.0)
                assert saved_words(found) == "0 % [0, 0]"


def test_a_baseline_does_not_change_the_verdict(
    tmp_path: Path, result: SimulationResult, findings: Findings
) -> None:
    alone = [p for p in result.points if p.arm.adaptation == "new"]
    plain = findings_in(made_result(tmp_path / "x", alone))
    assert plain.targets[plain.chief].value == findings.targets[findings.chief].value
    assert [each.area for each in plain.of] == [each.area for each in findings.of]
    assert [each.savings[0].factor for each in plain.of] == [
        each.savings[0].factor for each in findings.of
    ]


def test_a_baseline_that_never_reaches_the_level_bounds_the_saving(tmp_path: Path) -> None:
    points = points_with_baselines(probe=1e5)
    lines = savings_lines(findings_in(made_result(tmp_path / "x", points, baselines=METHODS)))
    rows = {line[0]: dict(zip(HEADER, line, strict=True)) for line in lines[1:]}
    assert rows["epig"][HEADER[3]].startswith("at least")
    assert rows["random (probe)"]["labels"] == "more than 100 labels (no run reached the level)"
    assert rows["random (probe)"][HEADER[3]] == "is the baseline"


def test_a_result_without_baselines_is_read_and_compared_with_the_same_learner(
    tmp_path: Path,
) -> None:
    """Earlier versions stored plans that do not know baselines."""
    made = made_result(tmp_path / "abc", made_points())
    path = made.folder / "result.json"
    content = json.loads(path.read_text())
    del content["plan"]["baselines"]
    path.write_text(json.dumps(content))
    read = load_result(made.folder)
    assert (read.baselines, read.compared) == ((), read.arms)
    same = "saved against random with the same learner (linearised)"
    assert savings_header(findings_in(read)) == [*HEADER[:2], same]


def test_the_title_of_savings_names_their_metric(result: SimulationResult) -> None:
    for metric in ("accuracy", "balanced_accuracy", "macro_f1"):
        assert METRIC_WORDS[metric] in savings_title(findings_in(result, metric))


def test_only_baselines_have_no_saving_and_their_cells_say_so(findings: Findings) -> None:
    _, *rows = savings_lines(findings)
    for arm, row in zip(savings_arms(findings), rows, strict=True):
        for kind, cell in zip(findings.against, row[2:], strict=True):
            assert (cell == "is the baseline") == (arm in kind.baselines)
            assert cell.startswith("is ") == (arm not in kind.savings)


def test_an_arm_is_compared_with_one_baseline_of_each_kind_that_the_words_name(
    tmp_path: Path,
) -> None:
    """Random was run with the baselines only: one strategy finds its own learner, the other does not."""
    points = [
        *made_points({"epig": 30.0}, adaptation="new"),
        *made_points({"epig": 35.0}, adaptation="free-weights"),
        *made_points({"random": 60.0}, adaptation="probe"),
        *made_points({"random": 60.0}, adaptation="free-weights"),
    ]
    found = findings_in(made_result(tmp_path / "x", points, baselines=METHODS))
    for kind in found.against:
        for arm, savings in kind.savings.items():
            other = savings[0].baseline
            assert other.adaptation in kind.words
            assert not kind.alike or other.adaptation == arm.adaptation
    assert {found.names[a] for k in found.against for a in k.baselines} == {
        "random (probe)",
        "random (free-weights)",
    }


# ------------------------------------------------------------------------- a level without labels


@pytest.fixture(scope="module")
def one_batch(tmp_path_factory: pytest.TempPathFactory) -> SimulationResult:
    """Half of the budget of one batch is nearest to no labels at all."""
    points = [
        *made_points({"random": 50.0, "epig": 30.0}, adaptation="new", rounds=1),
        *made_points({"random": 80.0}, adaptation="probe", rounds=1),
    ]
    folder = tmp_path_factory.mktemp("one batch") / "x"
    return made_result(folder, points, baselines=("probe",))


def test_a_level_that_needs_no_labels_gives_no_savings_but_the_reason(
    one_batch: SimulationResult, capsys: pytest.CaptureFixture[str]
) -> None:
    found = findings_in(one_batch)
    assert not found.against
    assert "before the first label" in savings_note(found) == found.no_savings
    assert not any("needs" in each.words for each in found.of)
    print_simulation(one_batch)
    printed = " ".join(capsys.readouterr().out.split())
    assert found.no_savings in printed
    files = write_report(one_batch, None)
    told = json.loads(files.json.read_text())["savings"]
    assert (told["saved"], told["note"]) == ({}, found.no_savings)
    assert found.no_savings in files.markdown.read_text()
    assert str(escape(found.no_savings)) in files.page.read_text()
    for text in (printed, files.markdown.read_text(), files.page.read_text()):
        assert "saved against" not in text


@quick
@given(st.floats(0, 1))
def test_savings_are_shown_exactly_for_levels_above_the_start(
    one_batch: SimulationResult, level: float
) -> None:
    found = findings_in(one_batch, "accuracy", target=level)
    start = curves_of(one_batch, "accuracy")[found.baseline].values[:, 0].mean()
    assert bool(found.against) == (level > start)
    assert bool(found.no_savings) == (level <= start)


# ------------------------------------------------------------------------------------------ in words


three_factors = st.lists(st.floats(0.05, 20), min_size=3, max_size=3).map(sorted)


def made_saving(kind: str, factor: float | None, low: float | None, high: float | None) -> Saving:
    arm = Arm("x")
    return Saving(arm, arm, Target("accuracy", 0.5, "half"), kind, factor, low, high)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("estimate", (2.0, 1.25, 4.0), "+50 % [+20, +75]"),
        ("estimate", (1.25, 0.8, 2.0), "+20 %, not certain [-25, +50]"),
        ("estimate", (0.8, 0.5, 1.25), "-25 %, not certain [-100, +20]"),
        ("estimate", (2.0, math.nan, math.nan), "+50 %"),
        ("at least", (2.0, 1.25, None), "at least +50 % [+20, …]"),
        ("at least", (0.5, 0.4, None), "at least -100 %, not certain [-150, …]"),
        ("at most", (2.0, None, 4.0), "at most +50 %, not certain […, +75]"),
        ("at most", (0.5, None, 0.8), "at most -100 % […, -25]"),
        ("unknown", (None, None, None), "unknown"),
    ],
)
def test_a_saving_in_words(
    kind: str, values: tuple[float | None, float | None, float | None], words: str
) -> None:
    assert saved_words(made_saving(kind, *values)) == words


@quick
@given(three_factors)
def test_cells_have_one_unit_and_their_signs_say_whether_labels_are_saved(
    factors: list[float],
) -> None:
    """The point and both limits, ascending, as signed percent of the baseline's labels."""
    low, factor, high = factors
    text = saved_words(made_saving("estimate", factor, low, high))
    point, ends = text.replace(" %", "").replace(", not certain", "").rstrip("]").split(" [")
    shown = [int(each) for each in (ends.split(", ")[0], point, ends.split(", ")[1])]
    assert shown == [round(100 * (1 - 1 / each)) for each in factors]
    assert shown == sorted(shown)


@quick
@given(three_factors)
def test_a_sentence_claims_a_saving_only_where_the_interval_is_on_one_side(
    ends: list[float],
) -> None:
    low, factor, high = ends
    found = made_saving("estimate", factor, low, high)
    certain = low > 1 or high < 1
    assert saving_words(found).startswith(": ") == certain
    assert ("not certain" in saved_words(found)) == (low < 1 < high)
    if certain:
        assert (" fewer labels " if low > 1 else " more labels ") in saving_words(found)


# ------------------------------------------------------------------------------ where people read it


def test_pages_and_files_show_the_same_savings(
    result: SimulationResult, findings: Findings
) -> None:
    header, *rows = savings_lines(findings)
    assert header == HEADER
    assert [row[0] for row in rows] == [
        "epig",
        "random (new)",
        "random (probe)",
        "random (free-weights)",
    ]
    files = write_report(result, lambda content: b"png" + content[:4].encode())
    told = files.markdown.read_text()
    assert all(cell in told for row in (header, *rows) for cell in row)
    assert savings_note(findings) in told
    page = files.page.read_text()
    assert all(heading in page for heading in header)
    assert str(escape(savings_note(findings))) in page
    assert all(cell.split(" [")[0] in page for row in rows for cell in row)
    content = json.loads(files.json.read_text())["savings"]
    kinds = [heading.removeprefix("saved ") for heading in header[2:]]
    assert list(content["saved"]) == kinds
    for each, kind in zip(findings.against, kinds, strict=True):
        assert content["saved"][kind]["epig"]["factor"] == pytest.approx(
            each.savings[Arm("epig", "new")][findings.chief].factor
        )
    assert page.count("<img ") == 2 * 12, "a baseline asks what random asks"


def test_commands_print_the_savings(
    result: SimulationResult, findings: Findings, capsys: pytest.CaptureFixture[str]
) -> None:
    print_simulation(result)
    printed = capsys.readouterr().out
    assert all(cell in printed for row in savings_lines(findings)[1:] for cell in row)
    flat = " ".join(printed.split())
    assert savings_title(findings) in flat
    assert savings_note(findings) in flat
    assert "Accuracy by labels paid for" in printed, "the title names the metric of its table"
    assert describe(result)["savings"]["saved"].keys() == {
        h.removeprefix("saved ") for h in HEADER[2:]
    }


def test_a_comparison_of_results_leaves_baselines_out_and_says_what_is_saved_against_them(
    tmp_path: Path, result: SimulationResult
) -> None:
    other = made_result(tmp_path / "b", points_with_baselines(70.0), key="b", baselines=METHODS)
    found = compare([result, other])
    assert [each.second for each in found.of] == [Arm("random", "new"), Arm("epig", "new")]
    assert [each.name for each in found.of] == ["random (new)", "epig"]
    header, *rows = saved_lines(found)
    assert [heading.removesuffix(" [95 %]") for heading in header[2:]] == HEADER[3:]
    every = curves_of(other, "accuracy")
    for each, row in zip(found.of, rows, strict=True):
        wanted = saving(every[each.second], every[Arm("random", "probe")], each.target)
        assert row[2] == saved_words(wanted)
    assert header[2] in write_comparison(found, tmp_path).page.read_text()
