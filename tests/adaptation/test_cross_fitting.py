"""Cross-fitting: no image is predicted with a temperature that its own label moved."""

from __future__ import annotations

import pytest
import torch

from alworkbench.adaptation.cross_fitting import FOLDS, cross_fit
from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.evaluation.metrics import measure
from tests.factories import generator, normal


def calibrated(count: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and labels drawn with their probabilities: the true temperature is 1."""
    logits = 2 * normal(seed, count, 4)
    labels = torch.multinomial(logits.softmax(dim=-1), 1, generator=generator(seed))[:, 0]
    return logits, labels


def test_each_part_has_the_temperature_of_the_others() -> None:
    logits, labels = calibrated(47)
    found = cross_fit(logits, labels)
    for i in range(len(labels)):
        others = torch.arange(len(labels)) % FOLDS != i % FOLDS
        fit = fit_temperature(logits[others], labels[others])
        torch.testing.assert_close(found.logits[i], logits[i] / fit.temperature)
        assert found.temperatures[i % FOLDS] == fit.temperature
    assert found.whole == fit_temperature(logits, labels)


def test_a_label_does_not_move_the_prediction_of_its_own_image() -> None:
    logits, labels = calibrated(40)
    before = cross_fit(logits, labels).logits
    labels[7] = (labels[7] + 1) % 4
    after = cross_fit(logits, labels).logits
    own = torch.arange(40) % FOLDS == 7 % FOLDS
    assert torch.equal(before[own], after[own])
    assert (before[~own] != after[~own]).all()


def test_calibrated_logits_keep_their_log_loss() -> None:
    logits, labels = calibrated(2000)
    before = measure(logits.softmax(dim=-1), labels).nlpd
    after = measure(cross_fit(logits, labels).logits.softmax(dim=-1), labels).nlpd
    assert abs(after - before) < 0.005


def test_one_image_is_too_few() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        cross_fit(torch.zeros(1, 3), torch.zeros(1, dtype=torch.long))
