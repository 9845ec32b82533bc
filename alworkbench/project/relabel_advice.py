"""Relabel a doubtful label, or label a new image: what a second of a person's time is worth.

n labels that are right with probability p teach as much as n s(p)^2 right ones, with the skill
s(p) = (p - 1/C) / (1 - 1/C) of C classes: for two classes this is the factor (1 - 2 * error)^2 of Angluin
and Laird (1988, Machine Learning 2). With S the sum of the skills of all labels, the labels are worth
S^2 / n right ones. So

    a new label        gains  (S + s(a))^2 / (n + 1) - S^2 / n
    a second answer    gains  ((S - s(q) + s(max(a, q)))^2 - S^2) / n

for the label that is most doubtful. a is how often people are right, q the probability that this label
is: q = a p / (a p + (1 - a) (1 - p) / (C - 1)), p its left-out probability. After a second answer the more
probable class is right with probability max(a, q). People who are right with probability a, independently,
agree with probability g = a^2 + (1 - a)^2 / (C - 1), which gives a from the measured g. The question is
that of Sheng, Provost and Ipeirotis (2008, KDD).

A new label is worth more than this says where a strategy chooses its image well, so the advice leans
toward relabelling.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RelabelAdvice:
    """Right labels gained for each second of a person's time."""

    accuracy: float
    """How often people are right, from their agreement."""
    doubt: float
    """Probability that the most doubtful label is wrong."""
    relabel_per_second: float
    new_per_second: float

    @property
    def relabel(self) -> bool:
        """Whether a second answer to the most doubtful label gains more."""
        return self.relabel_per_second > self.new_per_second

    @property
    def words(self) -> str:
        """The advice in a sentence."""
        which = (
            "Review the most doubtful label before you label a new image"
            if self.relabel
            else "Label a new image before you review a label"
        )
        return (
            f"{which}: a review is worth {60 * self.relabel_per_second:.2f} right labels a minute, a new "
            f"label {60 * self.new_per_second:.2f}. People are right in about {100 * self.accuracy:.0f} %, "
            f"and the most doubtful label is wrong with probability {self.doubt:.2f}."
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
) -> RelabelAdvice:
    """`left_out` are the probabilities of the given labels without these labels, at least one.

    Raises ValueError for fewer than two classes, no label, or times that are not above 0.
    """
    if class_count < 2 or not left_out or new_seconds <= 0 or review_seconds <= 0:
        raise ValueError("the advice needs two classes, a label, and times above 0")
    a = accuracy_of_people(agreeing, class_count)
    right = [_right(p, a, class_count) for p in left_out]
    count, total = len(right), sum(_skill(q, class_count) for q in right)
    worst = min(right)
    new = (total + _skill(a, class_count)) ** 2 / (count + 1) - total**2 / count
    better = total - _skill(worst, class_count) + _skill(max(a, worst), class_count)
    again = (better**2 - total**2) / count
    return RelabelAdvice(a, 1 - worst, again / review_seconds, new / new_seconds)


def _skill(p: float, class_count: int) -> float:
    return (p - 1 / class_count) / (1 - 1 / class_count)


def _right(p: float, a: float, class_count: int) -> float:
    agrees = a * p
    both = agrees + (1 - a) * (1 - p) / (class_count - 1)
    return agrees / both if both > 0 else p
