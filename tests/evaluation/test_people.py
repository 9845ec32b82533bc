"""Agreement and consensus of people: known tables, and a planted confusion that comes back."""

from __future__ import annotations

import numpy as np
import pytest

from alworkbench.core.domain import Consensus
from alworkbench.evaluation.agreement import agreement, alpha
from alworkbench.evaluation.dawid_skene import dawid_skene
from alworkbench.project.consensus import soft_labels
from alworkbench.project.relabel_advice import accuracy_of_people, relabel_advice
from alworkbench.project.team import suggestion_bias

# Krippendorff (2011), "Computing Krippendorff's Alpha-Reliability", example C: 4 observers, 12 units,
# missing answers; alpha of the names is 0.743.
OBSERVERS = (
    (1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None),
    (1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3),
    (None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None),
    (1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None),
)


def published() -> list[dict[str, int]]:
    return [
        {f"observer {n}": row[unit] - 1 for n, row in enumerate(OBSERVERS) if row[unit]}
        for unit in range(12)
    ]


def test_alpha_of_the_published_table() -> None:
    found = agreement(published(), 5)
    assert found.images == 11
    assert found.alpha == pytest.approx(0.743, abs=5e-4)
    assert found.low is not None
    assert found.low < 0.743 < found.high


def test_kappa_of_a_table_by_hand() -> None:
    """Cohen's formula on 20 + 5 / 10 + 15 answers: observed 0.7, by chance 0.5."""
    table = [(0, 0)] * 20 + [(0, 1)] * 5 + [(1, 0)] * 10 + [(1, 1)] * 15
    (pair,) = agreement([{"a": x, "b": y} for x, y in table], 2).pairs
    assert (pair.images, pair.share) == (50, 0.7)
    assert pair.kappa == pytest.approx(0.4)


def test_people_who_always_agree_have_alpha_and_kappa_one() -> None:
    found = agreement([{"a": n % 3, "b": n % 3, "c": n % 3} for n in range(9)], 3)
    assert found.alpha == pytest.approx(1.0)
    assert [each.kappa for each in found.pairs] == pytest.approx([1.0] * 3)


@pytest.mark.parametrize("answers", [[], [{"a": 1}], [{"a": 1, "b": 1}] * 3])
def test_what_is_not_defined_is_none(answers) -> None:
    assert agreement(answers, 2).alpha is None
    assert alpha(np.zeros((0, 2), dtype=np.int64)) is None


def planted(images: int, seed: int = 0):
    """Three people with known confusions answer images of known classes."""
    source = np.random.default_rng(seed)
    truth = source.integers(0, 3, images)
    good, fair = 0.9 * np.eye(3) + 0.1 / 3, 0.7 * np.eye(3) + 0.1
    swaps = np.array([[0.9, 0.05, 0.05], [0.05, 0.15, 0.8], [0.05, 0.05, 0.9]])  # calls 1 a 2
    confusion = np.stack([good, fair, swaps])
    flat = [
        (i, p, source.choice(3, p=confusion[p, c])) for i, c in enumerate(truth) for p in range(3)
    ]
    return truth, confusion, *(np.array(column) for column in zip(*flat, strict=True))


def test_dawid_skene_recovers_a_planted_confusion() -> None:
    truth, confusion, images, people, classes = planted(3000)
    found = dawid_skene(images, people, classes, 3)
    assert np.abs(found.confusion - confusion).max() < 0.06
    votes = np.zeros((len(truth), 3))
    np.add.at(votes, (images, classes), 1.0)
    right = (found.probabilities.argmax(axis=1) == truth).mean()
    assert right > (votes.argmax(axis=1) == truth).mean() + 0.01


def test_dawid_skene_without_prior_agrees_with_crowd_kit() -> None:
    """crowd-kit 1.4.2, `DawidSkene(n_iter=2000, tol=1e-13)`, gave these classes with probability 1.0000."""
    table = [
        "2202",
        "0000",
        "2000",
        "0200",
        "0010",
        "2212",
        "2221",
        "1102",
        "0101",
        "0010",
        "0000",
        "1110",
    ]
    flat = [(i, p, int(k)) for i, row in enumerate(table) for p, k in enumerate(row)]
    images, people, classes = (np.array(column) for column in zip(*flat, strict=True))
    found = dawid_skene(images, people, classes, 3, prior=0.0).probabilities
    given = [2, 0, 0, 0, 0, 2, 2, 1, 1, 0, 0, 1]
    assert found.argmax(axis=1).tolist() == given
    assert found[np.arange(12), given].min() > 0.9999


@pytest.mark.parametrize("rule", Consensus)
def test_where_all_agree_the_soft_label_is_the_hard_one(rule: Consensus) -> None:
    given = [[("ann", 2), ("bob", 2)], [("ann", 0)], [("bob", 1), ("eve", 1), ("ann", 1)]]
    targets, weights = soft_labels(given, [2, 0, 1], 3, rule)
    assert np.array_equal(targets, np.eye(3)[[2, 0, 1]])
    assert weights.tolist() == [2.0, 1.0, 3.0]


def test_the_rules_differ_where_people_do() -> None:
    given = [[("ann", 0), ("bob", 1), ("eve", 1)]] + [[("ann", 2), ("bob", 2)]] * 5
    deciding = [1] + [2] * 5
    named = {rule: soft_labels(given, deciding, 3, rule) for rule in Consensus}
    assert named[Consensus.DECIDING][0][0].tolist() == [0.0, 1.0, 0.0]
    assert named[Consensus.DECIDING][1][0] == 2.0
    assert named[Consensus.PROPORTIONS][0][0] == pytest.approx([1 / 3, 2 / 3, 0.0])
    by_model = named[Consensus.DAWID_SKENE][0]
    assert by_model.sum(axis=1) == pytest.approx(1.0)
    assert by_model[0].argmax() == 1


def test_the_interval_of_the_bias_is_newcombes() -> None:
    """Newcombe (1998), table II: 56/70 against 48/80 gives 0.0524 to 0.3339."""
    found = suggestion_bias(70, 56, 80, 48)
    assert found.difference == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)
    assert "pull answers" in found.words
    assert suggestion_bias(10, 5, 0, 0).difference is None


@pytest.mark.parametrize("classes", [2, 5, 20])
@pytest.mark.parametrize("accuracy", [0.6, 0.8, 1.0])
def test_accuracy_follows_from_the_probability_to_agree(classes: int, accuracy: float) -> None:
    agreeing = accuracy**2 + (1 - accuracy) ** 2 / (classes - 1)
    assert accuracy_of_people(agreeing, classes) == pytest.approx(accuracy)


def test_a_review_is_advised_for_a_doubtful_label_that_is_reviewed_fast() -> None:
    doubtful, sure = [0.95] * 20 + [0.001], [0.95] * 21
    assert relabel_advice(doubtful, 0.8, 3, 2.0, 0.5).relabel
    assert not relabel_advice(doubtful, 0.8, 3, 2.0, 2.0).relabel
    found = relabel_advice(sure, 0.8, 3, 2.0, 0.5)
    assert not found.relabel
    assert found.relabel_per_second == pytest.approx(0.0)


def test_a_better_reviewer_teaches_more_and_as_good_a_one_is_the_default() -> None:
    values = [
        relabel_advice([0.9] * 9 + [0.01], 0.6, 5, 2.0, 2.0, right).relabel_per_second
        for right in (accuracy_of_people(0.6, 5), 0.9, 1.0)
    ]
    assert values == sorted(set(values))
    assert values[0] == relabel_advice([0.9] * 9 + [0.01], 0.6, 5, 2.0, 2.0).relabel_per_second
