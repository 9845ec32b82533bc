"""Statistics of simulations: intervals that cover, censored runs that count, tests that keep their level."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import Arm
from alworkbench.evaluation.curves import Runs, area_under_curve, curves, runs, table
from alworkbench.evaluation.intervals import estimate, estimates
from alworkbench.evaluation.label_savings import (
    Target,
    labels_to_reach,
    reach,
    saving,
    target_of,
    typical,
)
from alworkbench.evaluation.paired_tests import EXACT_SEEDS, holm, sign_flip_p, smallest_p
from alworkbench.report.findings import findings_of, seeds_needed
from tests.bench.statistics import SETTINGS, experiments, false_positives
from tests.made_results import made_points

quick = settings(deadline=None, derandomize=True, max_examples=50)


def lines(values, paid=(0.0, 10.0, 20.0), strategy="x"):
    values = np.array(values, dtype=np.float64)
    return Runs(Arm(strategy), tuple(range(len(values))), np.array(paid), values)


# ---------------------------------------------------------------------------------- what is claimed


@pytest.mark.parametrize(("world", "arm", "baseline"), SETTINGS)
def test_intervals_cover_what_they_say(world, arm, baseline):
    """2,000 experiments of 10 seeds. Where most runs are censored only a bound is claimed."""
    for line in experiments(world, arm, baseline):
        assert line.share >= 0.93, line
        assert line.share <= 0.97 or line.censored > 0.5, line


def test_no_more_than_one_in_twenty_null_experiments_finds_a_difference():
    found = {line.what: line.share for line in false_positives(strategies=4)}
    for what, share in found.items():
        if "Holm" in what:
            assert share <= 0.05, what
        else:
            assert share > 0.1, "without a correction it would be wrong"


# ------------------------------------------------------------------------------------ labels to reach


def test_the_crossing_is_where_the_straight_line_meets_the_level():
    paid = np.array([0.0, 10.0, 30.0])
    curves_ = np.array([[0.0, 0.5, 1.0], [0.0, 0.5, 0.4], [0.6, 0.7, 0.8], [0.0, 0.2, 0.5]])
    found = labels_to_reach(paid, curves_, 0.6)
    assert found.tolist() == pytest.approx([14.0, math.inf, 0.0, math.inf])
    falling = labels_to_reach(paid, -curves_, -0.6, rising=False)
    assert falling.tolist() == found.tolist()


@quick
@given(st.lists(st.floats(1, 1000), min_size=2, max_size=12))
def test_without_censoring_it_is_the_t_interval_of_the_logarithms(labels):
    found = typical(np.array(labels), 1000.0)
    logs = estimate(np.log(labels))
    low, high = found.interval()
    assert found.log_mean == pytest.approx(logs.mean)
    assert (low, high) == (pytest.approx(logs.low), pytest.approx(logs.high))


def test_the_censored_fit_is_the_maximum_of_the_likelihood():
    """Against a direct search, with the variance's n - 1 undone by many runs."""
    from scipy.optimize import minimize
    from scipy.stats import norm

    random = np.random.default_rng(0)
    logs = random.normal(4, 0.5, 2000)
    labels = np.where(logs < 4.2, np.exp(logs), np.inf)
    bound = math.exp(4.2)

    def unlikely(at):
        mean, spread = at[0], math.exp(at[1])
        seen = norm.logpdf(logs[logs < 4.2], mean, spread).sum()
        return -seen - (logs >= 4.2).sum() * norm.logsf(4.2, mean, spread)

    wanted = minimize(unlikely, [4.0, 0.0], tol=1e-10).x[0]
    assert typical(labels, bound).log_mean == pytest.approx(wanted, abs=1e-3)


def test_censored_runs_raise_the_estimate_and_are_never_dropped():
    labels = np.array([20.0, 30.0, 40.0, 50.0, 60.0, np.inf])
    dropped = np.log(labels[:-1]).mean()
    found = typical(labels, 60.0)
    assert found.estimable
    assert found.log_mean > np.log(np.minimum(labels, 60.0)).mean() > dropped


def test_too_few_runs_there_give_a_bound_only():
    target = Target("accuracy", 0.5, "half")
    never = lines([[0, 0.1, 0.2]] * 4 + [[0, 0.3, 0.6]])
    found = reach(never, target)
    assert (found.typical, found.high, found.median, found.reached) == (None, None, None, 1)
    assert found.low <= 20
    assert found.restricted_mean == pytest.approx((4 * 20 + 10 + 10 * 2 / 3) / 5)
    soon = lines([[0, 1.0, 1.0]] * 5)
    assert saving(soon, never, target).kind == "at least"
    assert saving(never, soon, target).kind == "at most"
    assert saving(never, never, target).kind == "unknown"
    assert saving(never, never, target).factor is None


def test_the_median_is_that_of_kaplan_and_meier():
    target = Target("accuracy", 0.5, "half")
    some = lines([[0, 0.5, 1], [0, 1, 1], [0, 0.1, 0.2], [0, 0.25, 0.5], [0, 0, 0.1]])
    assert reach(some, target).median == pytest.approx(20.0)


def test_the_saving_factor_is_the_paired_ratio():
    """Whatever a seed makes hard for both arms cancels: the interval is a point."""
    hard = np.array([0.5, 0.8, 1.0, 1.3, 2.0])[:, None]
    paid = np.arange(0.0, 101.0, 10.0)
    fast = lines(paid / (20 * hard), paid, "fast")
    slow = lines(paid / (40 * hard), paid, "slow")
    found = saving(fast, slow, Target("accuracy", 1.0, "all"))
    assert (found.factor, found.low, found.high) == pytest.approx((2.0, 2.0, 2.0))
    assert found.share_saved == pytest.approx(0.5)
    with pytest.raises(ValueError, match="not paired"):
        saving(fast, slow.of((0, 1, 2)), Target("accuracy", 1.0, "all"))


# -------------------------------------------------------------------------------------------- tests


def test_the_sign_flip_test_counts_all_flips():
    differences = np.array([0.4, -0.1, 0.3, 0.25])
    flips = [abs(np.dot(signs, differences)) for signs in product((1, -1), repeat=4)]
    wanted = np.mean([flip >= abs(differences.sum()) - 1e-12 for flip in flips])
    assert sign_flip_p(differences) == pytest.approx(wanted)
    assert sign_flip_p(np.zeros(5)) == 1.0
    assert sign_flip_p(np.ones(10)) == pytest.approx(smallest_p(10))


@quick
@given(st.integers(0, 1000), st.integers(2, 9))
def test_the_test_knows_neither_direction_nor_scale(seed, count):
    differences = np.random.default_rng(seed).normal(0.3, 1, (3, count))
    p = sign_flip_p(differences)
    assert sign_flip_p(-7 * differences) == pytest.approx(p)
    assert ((p > 0) & (p <= 1)).all()


def test_beyond_the_exact_test_flips_are_drawn_and_always_the_same():
    differences = np.random.default_rng(1).normal(0.4, 1, EXACT_SEEDS + 3)
    p = sign_flip_p(differences)
    assert p == sign_flip_p(differences)
    flips = np.array(list(product((1, -1), repeat=EXACT_SEEDS + 3))) @ differences
    assert p == pytest.approx(np.mean(np.abs(flips) >= abs(differences.sum())), abs=0.015)


def test_holm_is_that_of_the_paper():
    assert holm([0.01, 0.04, 0.03, 0.005]).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]).tolist() == [1.0, 1.0]
    assert holm([0.04]).tolist() == [0.04]


# --------------------------------------------------------------------------------------- the curves


def test_means_errors_and_areas_are_what_they_are_called():
    assert estimate([1.0, 3.0]).standard_error == pytest.approx(1.0)
    assert estimate([1.0, 3.0]).high == pytest.approx(2 + 12.706, abs=1e-3)
    assert math.isnan(estimate([1.0]).standard_error)
    assert str(estimate([0.5])) == "0.500"
    points = made_points(seeds=3)
    for curve in curves(points, "nlpd"):
        last = [p.nlpd for p in points if p.arm == curve.arm and p.paid == curve.paid[-1]]
        assert curve.estimates[-1] == estimate(last)
    ramp = lines([[0, 0.5, 1.0], [1, 1, 1]])
    assert ramp.areas().tolist() == [0.5, 1.0]
    assert lines([[0.3]], [0.0]).areas().tolist() == [0.3]
    whole = area_under_curve(points)
    assert [row.area.mean for row in table(points)] == sorted(
        (each.mean for each in whole.values()), reverse=True
    )


def test_seeds_that_paid_for_other_counts_are_laid_on_one_axis():
    import dataclasses

    points = made_points({"random": 50.0}, seeds=2, rounds=3)
    moved = [dataclasses.replace(p, paid=p.paid - p.round) if p.seed else p for p in points]
    (found,) = runs(moved)
    assert found.paid.tolist() == [0, 9, 10, 18, 20, 27]
    of_first = [p.accuracy for p in points if p.seed == 0]
    assert found.values[0, [0, 2, 4]].tolist() == pytest.approx(of_first[:3])


def test_estimates_are_of_columns():
    values = np.random.default_rng(0).random((6, 4))
    assert [each.mean for each in estimates(values)] == pytest.approx(values.mean(axis=0).tolist())


# ------------------------------------------------------------------------------------------ verdicts


def test_the_verdict_names_the_better_and_the_worse_and_claims_nothing_of_the_rest():
    found = findings_of(made_points())
    outcomes = {each.name: each.outcome for each in found.of}
    assert outcomes == {"epig": "better", "entropy": "none", "margin": "worse"}
    assert "epig is better than random here: it needs" in found.headline
    assert "Worse than random is margin." in found.headline
    words = {each.name: each.words for each in found.of}
    assert words["entropy"].startswith("No difference between entropy and random can be seen")
    assert "% fewer labels" in words["epig"]
    assert "% more labels" in words["margin"]
    epig = found.of[0]
    assert epig.name == "epig"
    typical_ = epig.reaches[found.chief].typical
    assert f"{typical_:.0f} labels [" in epig.words


@pytest.mark.parametrize("seeds", [1, 3])
def test_too_few_seeds_claim_nothing(seeds):
    found = findings_of(made_points({"random": 60.0, "epig": 10.0}, seeds=seeds))
    assert [each.outcome for each in found.of] == ["untestable"]
    assert f"Run at least {seeds_needed(1)} seeds" in found.headline
    assert "nan" not in found.headline + "".join(each.words for each in found.of)
    assert seeds_needed(1) == 6
    assert 4 * smallest_p(seeds_needed(4)) < 0.05


def test_a_verdict_on_a_measure_that_falls_knows_which_way_is_better():
    found = findings_of(made_points({"random": 60.0, "epig": 20.0}), "nlpd")
    assert found.of[0].outcome == "better"
    assert found.of[0].area.difference.mean < 0
    assert found.of[0].savings[found.chief].factor > 1.5


def test_one_arm_is_compared_with_nothing():
    found = findings_of(made_points({"epig": 20.0}, seeds=2))
    assert found.of == ()
    assert found.headline == "Only epig was run: there is nothing to compare it with."


def test_an_arm_is_held_against_the_baseline_that_works_as_it_does():
    points = [
        *made_points({"random": 60.0, "epig": 20.0}, batch=5, rounds=20),
        *made_points({"random": 60.0, "epig": 20.0}, batch=10),
    ]
    found = findings_of(points)
    against = {each.arm: each.baseline.batch_size for each in found.of}
    assert against[Arm("epig", "linearised", 10)] == 10
    assert against[Arm("epig", "linearised", 5)] == 5


def test_the_target_is_what_the_baseline_reaches():
    (random,) = runs(made_points({"random": 50.0}))
    target = target_of(random, "accuracy", 50, "random")
    assert target.value == pytest.approx(random.values[:, 5].mean())
    assert target.words == "what random reaches on average with 50 labels"
