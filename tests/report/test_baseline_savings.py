"""Labels saved against random with the same learner and with learners of labels alone."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.cli.simulating import describe, print_simulation
from alworkbench.core.domain import Arm, SimulationPoint
from alworkbench.evaluation.curves import Runs, runs
from alworkbench.evaluation.intervals import estimate
from alworkbench.evaluation.label_savings import Saving, Target, labels_to_reach, saving
from alworkbench.report.comparing import compare
from alworkbench.report.comparison_page import saved_lines, write_comparison
from alworkbench.report.findings import Findings, findings_in
from alworkbench.report.savings_table import savings_header, savings_lines, savings_title
from alworkbench.report.wording import saved_words, saving_words
from alworkbench.report.writing import write_report
from alworkbench.simulation.results import SimulationResult, load_result
from tests.made_results import made_points, made_result

quick = settings(deadline=None, derandomize=True, max_examples=50)
METHODS = ("probe", "free-weights")
HEADER = [
    "strategy",
    "labels",
    "saved against random with the same learner",
    "saved against random with a linear probe",
    "saved against random with the linearised learner",
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
                assert saved_words(found) == "0 % saved [0, 0]"


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
    assert rows["random (probe)"]["labels"] == "more than 100 labels (no run reached it)"
    assert rows["random (probe)"][HEADER[3]] == "–"


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
    assert savings_header(findings_in(read)) == HEADER[:3]


# ------------------------------------------------------------------------------------------ in words


def made_saving(kind: str, factor: float | None, low: float | None, high: float | None) -> Saving:
    arm = Arm("x")
    return Saving(arm, arm, Target("accuracy", 0.5, "half"), kind, factor, low, high)


@pytest.mark.parametrize(
    ("kind", "values", "words"),
    [
        ("estimate", (2.0, 1.25, 4.0), "50 % saved [20, 75]"),
        ("estimate", (1.25, 0.8, 2.0), "20 % saved, not certain [-25, 50]"),
        ("estimate", (0.8, 0.5, 1.25), "1.25 times as many, not certain [0.80, 2.00]"),
        ("estimate", (2.0, math.nan, math.nan), "50 % saved"),
        ("at least", (2.0, 1.25, None), "at least 50 % saved [20, …]"),
        ("at least", (0.5, 0.4, None), "at most 2.00 times as many, not certain […, 2.50]"),
        ("at most", (2.0, None, 4.0), "at most 50 % saved, not certain […, 75]"),
        ("at most", (0.5, None, 0.8), "at least 2.00 times as many [1.25, …]"),
        ("unknown", (None, None, None), "unknown"),
    ],
)
def test_a_saving_in_words(
    kind: str, values: tuple[float | None, float | None, float | None], words: str
) -> None:
    assert saved_words(made_saving(kind, *values)) == words


@quick
@given(st.lists(st.floats(0.05, 20), min_size=3, max_size=3).map(sorted))
def test_a_sentence_claims_a_saving_only_where_the_interval_is_on_one_side(
    ends: list[float],
) -> None:
    low, factor, high = ends
    found = made_saving("estimate", factor, low, high)
    certain = low > 1 or high < 1
    assert saving_words(found).startswith(": ") == certain
    assert ("not certain" in saved_words(found)) == (not certain)


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
    page = files.page.read_text()
    assert all(heading in page for heading in header)
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
    assert savings_title(findings) in printed
    assert describe(result)["savings"]["saved"].keys() == {
        h.removeprefix("saved ") for h in HEADER[2:]
    }


def test_a_comparison_of_results_leaves_baselines_out_and_says_what_is_saved_against_them(
    tmp_path: Path, result: SimulationResult
) -> None:
    other = made_result(tmp_path / "b", points_with_baselines(70.0), key="b", baselines=METHODS)
    found = compare([result, other])
    assert [each.second for each in found.of] == [Arm("random", "new"), Arm("epig", "new")]
    assert [each.name for each in found.of] == ["random", "epig"]
    header, *rows = saved_lines(found)
    assert [heading.removesuffix(" [95 %]") for heading in header[2:]] == HEADER[3:]
    every = curves_of(other, "accuracy")
    for each, row in zip(found.of, rows, strict=True):
        wanted = saving(every[each.second], every[Arm("random", "probe")], each.target)
        assert row[2] == saved_words(wanted)
    assert header[2] in write_comparison(found, tmp_path).page.read_text()
