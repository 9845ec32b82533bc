"""Coverage of the intervals and false positives of the tests, on synthetic runs with known truth.

`python -m tests.bench.statistics` prints the table; the tests of the statistics read the same figures.

Two worlds. *Straight*: each run's accuracy rises by a straight line whose slope is log-normal, with a
part of it shared by the arms of a seed, so that the labels to the target are log-normal and their
geometric mean is known. *Learning*: saturating curves, each run with a rate and a final level of its
own and binomial noise of 500 test images on every round; the truth is the same statistic of 40,000
runs that never end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from alworkbench.evaluation.intervals import Floats, estimates
from alworkbench.evaluation.label_savings import factor_interval, labels_to_reach, typical
from alworkbench.evaluation.paired_tests import LEVEL, holm, sign_flip_p

EXPERIMENTS = 2_000
SEEDS = 10
PAID = np.arange(0.0, 101.0, 10.0)
LONG = np.arange(0.0, 1001.0, 10.0)
START, TARGET = 0.5, 0.7


@dataclass(frozen=True)
class Line:
    what: str
    share: float
    """Of experiments: covered, or with a false positive."""
    censored: float
    """Share of runs that did not reach the target."""


def straight(
    random: np.random.Generator, labels: float, runs: tuple[int, ...], shared: Floats, paid: Floats
) -> Floats:
    """(..., R) curves that reach TARGET after exp(normal) labels, `labels` in geometric mean."""
    own = 0.2 * random.standard_normal(runs)
    slope = (TARGET - START) / (labels * np.exp(own + shared))
    return START + slope[..., None] * paid


def learning(
    random: np.random.Generator, rate: float, runs: tuple[int, ...], shared: Floats, paid: Floats
) -> Floats:
    """(..., R) curves that saturate, with the noise of 500 test images."""
    speed = rate * np.exp(0.2 * random.standard_normal(runs) + shared)
    top = 0.82 + 0.015 * random.standard_normal(runs)
    truth = top[..., None] - (top[..., None] - START) * np.exp(-paid / speed[..., None])
    return random.binomial(500, truth) / 500


WORLDS = {"straight": straight, "learning": learning}


def experiments(world: str, arm: float, baseline: float, seed: int = 0) -> list[Line]:
    """Coverage of all intervals in one world; the arms' numbers set how many runs are censored."""
    make, random = WORLDS[world], np.random.default_rng(seed)
    shape = (EXPERIMENTS, SEEDS)
    shared = 0.2 * random.standard_normal(shape)
    one, two = (make(random, each, shape, shared, PAID) for each in (arm, baseline))
    many = (40_000,)
    far = 0.2 * random.standard_normal(many)
    truths = [make(random, each, many, far, LONG) for each in (arm, baseline)]
    reached = [labels_to_reach(LONG, curves, TARGET) for curves in truths]
    assert all(np.isfinite(each).all() for each in reached)
    logs = [float(np.log(np.maximum(each, 1)).mean()) for each in reached]
    labels = [labels_to_reach(PAID, curves, TARGET) for curves in (one, two)]
    own, other = (typical(each, float(PAID[-1])) for each in labels)
    gone = [float(np.isinf(each).mean()) for each in labels]

    found = []
    for at in (3, 10):
        values = one[:, :, at]
        truth = truths[0][:, at].mean()
        both = [estimates(values[e][:, None])[0] for e in range(EXPERIMENTS)]
        share = np.mean([each.low <= truth <= each.high for each in both])
        found.append(Line(f"{world}: mean accuracy with {PAID[at]:g} labels", float(share), 0.0))
    for which, each, truth, share in (
        ("arm", own, logs[0], gone[0]),
        ("baseline", other, logs[1], gone[1]),
    ):
        low, high = each.interval()
        held = (low <= truth) & ((truth <= high) | ~each.estimable)
        found.append(Line(f"{world}: labels to target, {which}", float(held.mean()), share))
    _, low, high = factor_interval(own, other)
    factor = np.exp(logs[1] - logs[0])
    held = (low <= factor) | ~own.estimable
    held &= (factor <= high) | ~other.estimable
    found.append(Line(f"{world}: saving factor {factor:.2f}", float(held.mean()), gone[1]))
    return found


def false_positives(strategies: int = 4, seed: int = 0) -> list[Line]:
    """Experiments in which some of the strategies, none of which differs from the baseline, is said to."""
    found = []
    for world, make in WORLDS.items():
        random = np.random.default_rng(seed)
        shared = 0.2 * random.standard_normal((EXPERIMENTS, 1, SEEDS))
        curves = make(random, 50.0, (EXPERIMENTS, strategies + 1, SEEDS), shared, PAID)
        areas = curves.mean(axis=-1)
        p = sign_flip_p(areas[:, 1:] - areas[:, :1])
        raw, corrected = ((each < LEVEL).any(axis=-1).mean() for each in (p, holm(p)))
        found.append(Line(f"{world}: false positive, uncorrected", float(raw), 0.0))
        found.append(Line(f"{world}: false positive, Holm", float(corrected), 0.0))
    return found


SETTINGS = (
    ("straight", 40.0, 60.0),
    ("straight", 60.0, 85.0),
    ("straight", 40.0, 130.0),
    ("learning", 30.0, 45.0),
    ("learning", 50.0, 75.0),
)


def main() -> None:
    print(f"{EXPERIMENTS} experiments of {SEEDS} seeds: share covered (or false), runs censored")
    for world, arm, baseline in SETTINGS:
        for line in experiments(world, arm, baseline):
            print(f"{line.what:55s} {line.share:7.2%} {line.censored:7.1%}")
    for line in false_positives():
        print(f"{line.what:55s} {line.share:7.2%}")


if __name__ == "__main__":
    main()
