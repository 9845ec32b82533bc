"""Laws of the stopping rules, of the forecast, and of how their past error is counted."""

from dataclasses import replace

import numpy as np
import pytest

from alworkbench.core.domain import MetricRecord
from alworkbench.evaluation.forecast import fit, forecast, labels_to
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.accuracy_report import history as history_read
from alworkbench.project.image_columns import HASH, ImageColumns
from alworkbench.project.settings_change import change_settings
from alworkbench.project.stability import Snapshot, sample
from alworkbench.project.stopping import RULES, History, Verdict, advise, forecast_of, kappa
from alworkbench.simulation.past_error import Step, past_error
from tests.making_project import closing
from tests.store.making import NOW

IMAGES = 400


def snapshot(labels, answers, error=0.2):
    return Snapshot(labels, tuple(range(len(answers))), tuple(answers), 0.8, error, 1.0)


def metric(number, labels, right):
    low, high = wilson_interval(right, IMAGES)
    marks = "1" * right + "0" * (IMAGES - right)
    values = {
        "accuracy": right / IMAGES,
        "accuracy_low": low,
        "accuracy_high": high,
        "right": marks,
        "audit": "x",
    }
    return MetricRecord(number, number or None, labels, IMAGES, values, NOW)


def history(metrics=(), snapshots=(), target=0.8, left=10_000):
    return History(tuple(snapshots), tuple(metrics), target, left)


def saying(history):
    return {finding.rule: finding.verdict for finding in advise(history).findings}


def test_every_advice_asks_all_four_rules():
    assert list(RULES) == ["audit", "forecast", "gain", "stability"]
    found = advise(history())
    assert [finding.rule for finding in found.findings] == list(RULES)
    assert not found.stop


@pytest.mark.parametrize(("right", "stops"), [(318, False), (330, False), (340, True)])
def test_with_an_audit_set_the_whole_interval_decides(right, stops):
    calm = [snapshot(n, [1, 2] * 50, 0.2 + 0.3 * 0.1**n) for n in range(9)]
    found = advise(history([metric(1, 10, right)], calm))
    assert found.stop is stops
    assert found.measured


def test_without_an_audit_set_gain_and_stability_must_agree():
    still = [snapshot(n, [1, 2] * 50, 0.2 + 0.3 * 0.1**n) for n in range(9)]
    found = advise(history([], still))
    assert found.stop
    assert "nothing was measured" in found.because
    moving = [
        replace(w, answers=tuple(1 + (k + i) % 2 for k in range(100))) for i, w in enumerate(still)
    ]
    assert not advise(history([], moving)).stop
    falling = [replace(w, error_left=0.9 - 0.1 * i) for i, w in enumerate(still)]
    assert not advise(history([], falling)).stop
    assert saying(history([], still[:4]))["gain"] is Verdict.CANNOT_SAY


def test_kappa_is_agreement_beyond_chance_on_common_images():
    one = snapshot(0, [1, 1, 2, 2])
    assert kappa(one, one) == 1
    assert kappa(one, snapshot(1, [1, 1, 1, 1])) == 0
    assert kappa(one, snapshot(1, [2, 2, 1, 1])) == pytest.approx(-1)
    moved = Snapshot(1, (2, 3, 9), (2, 2, 1), 0.8, 0.2, 1.0)
    assert kappa(one, moved) == 1
    assert kappa(one, Snapshot(1, (8, 9), (1, 2), 0.8, 0.2, 1.0)) == 0


def test_the_sample_is_fixed_by_the_seed_and_keeps_its_images():
    ids = np.arange(1000)
    images = ImageColumns(
        ids, np.array([f"{(n * 2654435761) % 2**32:08x}" + "0" * 56 for n in ids.tolist()], HASH)
    )
    first = sample(images, 3, 50)
    assert sample(ImageColumns(ids[::-1], images.hashes[::-1]), 3, 50) == first
    assert sample(images, 4, 50) != first
    others = ids[ids != first[7][0]]
    without = sample(ImageColumns(others, images.hashes[others]), 3, 50)
    assert set(first) - set(without) == {first[7]}


def curve(labels, a=0.9, b=0.6, c=0.5):
    return a - b * np.asarray(labels, dtype=float) ** -c


def test_the_fit_finds_a_power_law_and_respects_its_bounds():
    labels = np.array([10.0, 20, 40, 80, 160])
    for c in (0.3, 0.5, 1.2):
        a, b, power = fit(labels, curve(labels, c=c)[None])
        assert np.allclose(a - b * 320**-power, curve([320], c=c), atol=2e-3)
    steep = np.array([[0.5, 0.7, 0.9, 0.999, 1.0], [0.9, 0.8, 0.7, 0.6, 0.5]])
    a, b, _ = fit(labels, steep)
    assert (a <= 1).all()
    assert (b >= 0).all()


def test_the_forecast_of_a_known_curve_contains_the_truth():
    counts = [10, 20, 40, 80, 160]
    order = np.random.default_rng(0).permutation(IMAGES)
    metrics = []
    for number, (n, value) in enumerate(zip(counts, curve(counts), strict=True), start=1):
        right = set(order[: round(value * IMAGES)].tolist())
        record = metric(number, n, len(right))
        marks = "".join("01"[i in right] for i in range(IMAGES))
        metrics.append(replace(record, values={**record.values, "right": marks}))
    found = forecast_of(history(metrics, target=0.86))
    truth = float(labels_to(0.86, np.array([0.9]), np.array([0.6]), np.array([0.5]))[0]) - 160
    assert found.low < truth
    assert found.high is None or truth < found.high
    reached = forecast_of(history(metrics, target=0.7))
    assert reached.labels == reached.high == 0
    assert forecast_of(history(metrics, target=0.97)).labels is None
    assert forecast_of(history(metrics, target=0.86, left=5)).labels is None


def test_a_forecast_refuses_few_points():
    found = forecast([10, 20, 30], ["10", "10", "11"], 0.9, 100)
    assert found.labels is None
    assert "4" in found.why


def test_a_forecast_ignores_measurements_on_another_audit_set():
    records = [metric(n, 10 * n, 300) for n in range(1, 6)]
    old = replace(records[0], values={**records[0].values, "audit": "y"})
    assert forecast_of(history([old, *records[1:]])).why.startswith(("4 measurements", "0 %"))


def test_past_error_counts_early_stops_and_wasted_labels():
    def run(*steps):
        return [
            Step(10 * i, a, frozenset({"advice"} if s else ())) for i, (a, s) in enumerate(steps)
        ]

    runs = [
        run((0.5, False), (0.7, True), (0.9, True)),  # 0.1 too early
        run((0.5, False), (0.8, False), (0.9, True)),  # 10 labels late
        run((0.5, False), (0.8, False), (0.9, False)),  # never told: 10 labels to the end
        run((0.5, False), (0.6, False), (0.7, False)),  # rightly went on
    ]
    found = past_error("advice", runs, 0.8)
    assert (found.runs, found.stopped, found.too_early, found.reached) == (4, 2, 1, 3)
    assert (found.never, found.wasted) == (1, 10)
    assert found.missed == pytest.approx(0.1)


def test_closing_a_round_records_what_rules_read(project, answers):
    with closing(project.open()) as workbench:
        for _ in range(4):
            workbench.rounds.propose("random", 4)
            answers(workbench, 4)
            workbench.rounds.close()
    with closing(project.open()) as workbench:
        found = workbench.audit.advise(0.5)
        verdicts = {f.rule: f.verdict for f in found.findings}
        assert Verdict.CANNOT_SAY not in (verdicts["stability"], verdicts["audit"])
        with workbench.session.store.read() as reader:
            assert [w.labels for w in history_read(reader, None).snapshots] == [0, 4, 8, 12, 16]
        assert found.forecast is not None
        assert found.measured
        assert workbench.audit.advise().forecast is None


def test_the_target_of_the_settings_stands_for_one_that_is_not_given(workbench):
    change_settings(workbench.session, target_accuracy=0.8)
    assert workbench.audit.advise() == workbench.audit.advise(0.8)
    assert workbench.audit.advise(0.5).target == 0.5
    change_settings(workbench.session, target_accuracy=0.0)
    assert workbench.audit.advise().target is None
