"""Temperatures: the truth is found, order is kept, and degenerate labels stay finite."""

import pytest
import torch

from alworkbench.adaptation.temperature import fit_temperature
from tests.factories import generator, normal


def drawn(logits, temperature, seed=1):
    chances = (logits / temperature).softmax(dim=-1)
    return torch.multinomial(chances, 1, generator=generator(seed))[:, 0]


@pytest.mark.parametrize("truth", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(truth):
    logits = 3 * normal(0, 8000, 6)
    found = fit_temperature(logits, drawn(logits, truth))
    error = abs(torch.tensor(found.temperature / truth).log())
    assert error < 4 * found.standard_error_log
    assert found.nlpd_after <= found.nlpd_before
    assert not found.clamped


def test_the_predicted_class_never_changes():
    logits = normal(0, 50, 4)
    found = fit_temperature(logits, drawn(logits, 3.0))
    assert torch.equal(found.apply(logits).argmax(-1), logits.argmax(-1))


def test_labels_that_are_all_right_or_all_wrong_stay_finite():
    logits = normal(0, 40, 4)
    for labels in (logits.argmax(-1), logits.argmin(-1)):
        found = fit_temperature(logits, labels)
        assert 0.05 <= found.temperature <= 20.0


def test_no_labels_are_refused():
    with pytest.raises(ValueError, match="found none"):
        fit_temperature(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long))
