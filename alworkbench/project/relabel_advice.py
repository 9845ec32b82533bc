"""Relabel a doubtful label, or label a new image: what a second of a person's time teaches the model.

n labels that are right with probability p teach as much as n s(p)^2 right ones, with the skill
s(p) = (p - 1/C) / (1 - 1/C) of C classes: for two classes this is the factor (1 - 2 * error)^2 of Angluin
and Laird (1988, Machine Learning 2). With S the sum of the skills of all labels, the labels are worth
S^2 / n right ones. So

    a new label        gains  (S + s(a))^2 / (n + 1) - S^2 / n
    a review           gains  ((S - s(q) + s(max(b, q)))^2 - S^2) / (REVIEW_DISCOUNT n)

for the label that is most doubtful. a is how often people are right, b how often reviewers are, q the
probability that this label is right: q = a p / (a p + (1 - a) (1 - p) / (C - 1)), p its left-out probability.
People who are right with probability a, independently, agree with probability g = a^2 + (1 - a)^2 / (C - 1),
which gives a from the measured g. The question is that of Sheng, Provost and Ipeirotis (2008, KDD).

Without the discount the formula counts a corrected label as a new one. It teaches less (E2 of
docs/experiments/people.md), likely because the model doubts a label where the other labels speak against it:
it knows already most of what the correction says, while a strategy chooses images of which it knows little.

All of this is about what the model learns. Whoever needs right labels, as in an export, reviews them anyway.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from alworkbench.core.words import percent

REVIEW_DISCOUNT = 4.0
"""By how much less a review teaches than a new label of the same worth (E2 of docs/experiments/people.md)."""


@dataclass(frozen=True, slots=True)
class RelabelAdvice:
    """What a second of a person's time teaches, in right labels."""

    accuracy: float
    """How often people are right, from their agreement."""
    doubt: float
    """Probability that the most doubtful label is wrong."""
    relabel_per_second: float
    new_per_second: float

    @property
    def relabel(self) -> bool:
        """Whether a review of the most doubtful label teaches more."""
        return self.relabel_per_second > self.new_per_second

    @property
    def words(self) -> str:
        """The advice in a sentence."""
        which = (
            "review the most doubtful label before you label a new image"
            if self.relabel
            else "label a new image before you review a label"
        )
        return (
            f"To teach the model, {which}: a minute of reviews teaches as much as "
            f"{60 * self.relabel_per_second:.1f} right labels, a minute of new labels as much as "
            f"{60 * self.new_per_second:.1f}. People are right in about {percent(self.accuracy, 0)}. "
            f"The most doubtful label is wrong with probability {self.doubt:.2f}: if you need right labels, "
            f"review it anyway."
        )


def accuracy_of_people(agreeing: float, class_count: int) -> float:
    """How often people are right who agree with this probability; at least 1 / C."""
    inside = (class_count - 1) * (class_count * agreeing - 1)
    return (1 + max(0.0, inside) ** 0.5) / class_count


def relabel_advice(
    left_out: Sequence[float],
    agreeing: float,
    class_count: int,
    new_seconds: float,
    review_seconds: float,
    reviewers: float | None = None,
) -> RelabelAdvice:
    """`left_out` are the probabilities of the given labels without these labels, at least one.

    `reviewers` is how often reviewers are right; None: as often as people are. Raises ValueError for fewer
    than two classes, no label, or times that are not above 0.
    """
    if class_count < 2 or not left_out or new_seconds <= 0 or review_seconds <= 0:
        raise ValueError("the advice needs two classes, a label, and times above 0")
    a = accuracy_of_people(agreeing, class_count)
    right = [_right(p, a, class_count) for p in left_out]
    count, total = len(right), sum(_skill(q, class_count) for q in right)
    worst = min(right)
    new = (total + _skill(a, class_count)) ** 2 / (count + 1) - total**2 / count
    after = max(a if reviewers is None else reviewers, worst)
    better = total - _skill(worst, class_count) + _skill(after, class_count)
    again = (better**2 - total**2) / (REVIEW_DISCOUNT * count)
    return RelabelAdvice(a, 1 - worst, again / review_seconds, new / new_seconds)


def _skill(p: float, class_count: int) -> float:
    return (p - 1 / class_count) / (1 - 1 / class_count)


def _right(p: float, a: float, class_count: int) -> float:
    agrees = a * p
    both = agrees + (1 - a) * (1 - p) / (class_count - 1)
    return agrees / both if both > 0 else p
