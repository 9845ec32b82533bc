"""A classifier calibrated on rows that it did not learn from."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.core.domain import Calibration, CalibrationSource
from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier


@pytest.fixture(scope="module")
def halves():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    return (x[::2], names[::2]), (x[1::2], names[1::2])


def test_its_probabilities_are_those_of_the_fitted_temperature(halves):
    (x, y), (held, truth) = halves
    model = LaplaceVLMClassifier().fit(x, y)
    logits = torch.from_numpy(model.decision_function(held))
    labels = torch.from_numpy(np.searchsorted(model.classes_, truth))
    before = model.predict(held)
    assert model.calibration_ == Calibration()
    model.calibrate(held, truth)
    wanted = fit_temperature(logits, labels)
    assert model.temperature_.temperature == pytest.approx(wanted.temperature)
    np.testing.assert_allclose(
        model.predict_proba(held), (logits / wanted.temperature).softmax(-1).numpy(), rtol=1e-6
    )
    assert (model.predict(held) == before).all()
    assert model.calibration_ == Calibration(
        CalibrationSource.HELD_OUT, len(held), wanted.temperature
    )
    assert model.calibration_.words == f"calibrated on {len(held)} held-out rows"


def test_the_next_fit_and_a_clone_forget_the_temperature(halves):
    (x, y), (held, truth) = halves
    model = LaplaceVLMClassifier().fit(x, y).calibrate(held, truth)
    assert clone(model).fit(x, y).calibration_ == Calibration()
    assert model.partial_fit(held, truth).calibration_ == Calibration()
    assert model.calibrate(held, truth).fit(x, y).calibration_ == Calibration()


def test_a_weight_of_zero_leaves_a_row_out(halves):
    (x, y), (held, truth) = halves
    model = LaplaceVLMClassifier().fit(x, y)
    kept = np.arange(len(held)) < 40
    weighted = model.calibrate(held, truth, sample_weight=kept.astype(float)).temperature_
    alone = model.calibrate(held[kept], truth[kept]).temperature_
    assert weighted.temperature == pytest.approx(alone.temperature)
    assert weighted.images == alone.images == 40


def test_unknown_classes_and_an_unfitted_model_are_refused(halves):
    (x, y), (held, _) = halves
    with pytest.raises(ValueError, match="none of the 3 classes"):
        LaplaceVLMClassifier().fit(x, y).calibrate(held, ["rose"] * len(held))
    with pytest.raises(NotFittedError):
        LaplaceVLMClassifier().calibrate(x, y)
