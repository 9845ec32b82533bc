"""Numbers of labels in words: each can follow "needs", and says no more than is known."""

from __future__ import annotations

import math

import pytest

from alworkbench.core.domain.simulations import Arm
from alworkbench.evaluation.label_savings import Reach, Target
from alworkbench.report.rendering import labels_cell
from alworkbench.report.wording import labels_words

INF = math.inf


def reach(
    labels: tuple[float, ...], typical: float | None, low: float, high: float | None
) -> Reach:
    arm = Arm("random", "linearised", 10)
    return Reach(arm, Target("accuracy", 0.8, "80 %"), labels, 20.0, typical, low, high, None, 10.0)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (reach((8.0, 12.0), 9.8, 7.0, 13.0), "10 labels [7, 13]"),
        (reach((1.0,), 1.0, math.nan, None), "1 label"),
        (reach((INF, INF), None, 20.0, None), "more than 20 labels (no run reached the level)"),
        (
            reach((8.0, 12.0, INF), None, 5.4, None),
            "more than 5 labels (how many cannot be said: only 2 of 3 runs reached the level within 20 "
            "labels)",
        ),
        (
            reach((8.0, INF, INF), None, 0.4, None),
            "an unknown number of labels (how many cannot be said: only 1 of 3 runs reached the level "
            "within 20 labels)",
        ),
        (
            reach((18.0, 19.0, INF), 21.0, 15.0, 25.0),
            "more than 20 labels [15, more than 20] (2 of 3 runs reached the level within 20 labels)",
        ),
    ],
)
def test_a_number_of_labels_says_what_is_known_of_it(found: Reach, words: str) -> None:
    assert labels_words(found) == words
    cell = labels_cell(words)  # a table has the same words on two lines
    assert " (".join([str(cell.text), *cell.small]).removesuffix(")") == words.removesuffix(")")
