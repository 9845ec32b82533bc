"""Shrinkage of the model's confidence, and the contamination rate that says how much of it is needed."""

from __future__ import annotations

import pytest
import torch

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS
from alworkbench.acquisition.contamination import contamination_rate
from alworkbench.acquisition.scores import margin
from alworkbench.acquisition.target_weights import (
    Shrinkage,
    scaled_label_counts,
    shrinkages,
)

WEAK_SHRINKAGE, STRONG_SHRINKAGE = shrinkages(DEFAULT_SETTINGS)


@pytest.mark.parametrize(
    ("shrinkage", "labels", "wanted"),
    [
        (STRONG_SHRINKAGE, 0.0, [1.0, 0.5, 0.85]),
        (STRONG_SHRINKAGE, 10.0, [1.0, 0.25, 0.775]),
        (WEAK_SHRINKAGE, 0.0, [1.0, 0.1, 0.73]),
        (WEAK_SHRINKAGE, 10.0, [1.0, 0.05, 0.715]),
        (STRONG_SHRINKAGE, 1e6, [1.0, 0.0, 0.7]),
        (WEAK_SHRINKAGE, 1e6, [1.0, 0.0, 0.7]),
    ],
)
def test_confidence_counts_as_far_as_labels_have_tested_it(
    shrinkage: Shrinkage, labels: float, wanted: list[float]
) -> None:
    predictions = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0], [0.6, 0.3, 0.1]])
    uncertainty = 1 - margin(predictions)
    found = shrinkage.uncertainty_weight(uncertainty, torch.full((3,), labels))
    assert found.tolist() == pytest.approx(wanted, abs=1e-5)


def test_labels_of_one_class_do_not_test_the_model_on_another() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    counts = scaled_label_counts(torch.tensor([0] * 30), 3)
    found = STRONG_SHRINKAGE.uncertainty_weight(1 - margin(p), p @ counts)
    assert found.tolist() == pytest.approx([5 / 100, 0.5])


def test_if_classes_have_equally_many_labels_every_label_tests_every_class() -> None:
    counts = scaled_label_counts(torch.arange(30) % 3, 3)
    assert counts.tolist() == [30.0, 30.0, 30.0]


def test_the_contamination_rate_has_a_closed_form_for_certain_predictions():
    """With n such labels the density of epsilon is (1 - b epsilon)^n, b = 1 - 1 / C."""
    for classes, count in ((2, 0), (2, 3), (10, 10), (100, 50), (5, 700)):
        certain = torch.zeros(count, classes)
        certain[:, 1] = 1.0
        b = 1 - 1 / classes
        left = (1 - b) ** (count + 1)
        mass = (1 - left) / (b * (count + 1))
        inner = (1 - left * (1 - b)) / (b * (count + 2))
        wanted = (mass - inner) / (b * mass) if count else 0.5
        found = contamination_rate(certain, torch.ones(count, dtype=torch.long))
        assert found == pytest.approx(wanted, abs=1e-4)


def test_the_contamination_rate_rises_with_wrong_confidence_and_ignores_undecided_predictions():
    labels = torch.arange(12) % 4
    right = torch.nn.functional.one_hot(labels, 4).float()
    found = [
        contamination_rate(share * right + (1 - share) * right.roll(1, dims=1), labels)
        for share in (1.0, 0.9, 0.6, 0.25, 0.0)
    ]
    assert found == sorted(found)
    assert found[0] < 0.1 < 0.9 < found[-1]
    assert contamination_rate(torch.full((12, 4), 0.25), labels) == pytest.approx(0.5)
    assert contamination_rate(right[:0], labels[:0]) == pytest.approx(0.5)
