"""Figures with intervals: those of the plain metrics; pairs cancel what two rows share."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr

from alworkbench.calibration_study.calibration_figures import Measured
from alworkbench.calibration_study.dispersion_correlation import (
    FEWEST_TEMPLATES,
    correlation,
    near_the_best,
)
from alworkbench.calibration_study.figures import (
    FIGURES,
    differences,
    row_figures,
    seconds_interval,
)
from alworkbench.evaluation.metrics import measure
from alworkbench.prompts.audit_figures import AuditFigures
from alworkbench.prompts.ranking import TemplateFigures
from tests.factories import generator, normal


def predictions(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    labels = torch.randint(3, (count,), generator=generator(seed))
    return (2 * normal(seed, count, 3)).softmax(dim=-1), labels


@settings(max_examples=10)
@given(st.integers(2, 60), st.integers(0, 1000))
def test_values_are_those_of_the_metrics_and_lie_in_their_intervals(count: int, seed: int) -> None:
    probabilities, labels = predictions(count, seed)
    found, wanted = row_figures(probabilities, labels, 200, 0), measure(probabilities, labels)
    for name in ("accuracy", "nlpd", "brier", "ece"):
        assert getattr(found, name).value == pytest.approx(getattr(wanted, name))
    for name in FIGURES:
        each = getattr(found, name)
        assert each.low - 1e-9 <= each.value <= each.high + 1e-9
    assert sum(each.images for each in found.reliability) == count
    assert found.brier_parts.score == pytest.approx(wanted.brier)


@settings(max_examples=10)
@given(st.integers(0, 1000))
def test_a_difference_is_that_of_the_figures_and_none_with_itself(seed: int) -> None:
    probabilities, labels = predictions(50, seed)
    other = probabilities.roll(1, dims=-1)
    found = differences(probabilities, other, labels, 200, 0)
    rows = [row_figures(p, labels, 200, 0) for p in (probabilities, other)]
    for name in FIGURES:
        values = [getattr(row, name).value for row in rows]
        assert found[name].value == pytest.approx(values[0] - values[1])
    same = differences(probabilities, probabilities, labels, 200, 0)
    assert {(each.value, each.low, each.high) for each in same.values()} == {(0.0, 0.0, 0.0)}


def test_a_constant_has_an_interval_without_width() -> None:
    found = seconds_interval(torch.full((9,), 0.25, dtype=torch.float64), 100, 0)
    assert (found.value, found.low, found.high) == pytest.approx((0.25, 0.25, 0.25))


def test_intervals_are_apart_only_without_a_common_point() -> None:
    one = Measured(1.0, 0.5, 1.5)
    assert one.apart(Measured(2.0, 1.6, 2.4))
    assert not one.apart(Measured(2.0, 1.5, 2.4))
    assert one.without_zero
    assert not Measured(0.0, -0.1, 0.1).without_zero


@settings(max_examples=20)
@given(st.integers(FEWEST_TEMPLATES, 30), st.integers(0, 100))
def test_correlations_are_those_of_scipy(count: int, seed: int) -> None:
    one, other = normal(seed, 2, count).round(decimals=1).tolist()  # with ties
    found = correlation(one, other)
    if found is None:
        assert len(set(one)) == 1 or len(set(other)) == 1
        return
    assert found.pearson.value == pytest.approx(pearsonr(one, other).statistic)
    assert found.spearman.value == pytest.approx(spearmanr(one, other).statistic)
    assert found.pearson.low <= found.pearson.high


def test_few_templates_or_a_constant_have_no_correlation() -> None:
    assert correlation([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) is None
    assert correlation([1.0] * 5, [1.0, 2.0, 3.0, 4.0, 5.0]) is None


def template(name: str, accuracy: float | None) -> TemplateFigures:
    audit = None if accuracy is None else AuditFigures(accuracy, 0.1, 0.05, 1.0)
    return TemplateFigures(name, 0.5, 0.9, 0.8, True, audit)


def test_templates_within_three_points_are_near_the_best() -> None:
    figures = [template(str(a), a) for a in (0.6, 0.57, 0.5699, 0.4)]
    assert [each.template for each in near_the_best(figures)] == ["0.6", "0.57"]
    with pytest.raises(ValueError, match="labelled images"):
        near_the_best([template("a", None)])
