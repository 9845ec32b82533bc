"""Probabilities of a scikit-learn classifier calibrated on rows that it did not learn from."""

from __future__ import annotations

from typing import Any, Protocol, cast

import numpy as np
import torch
from sklearn.utils.validation import _check_sample_weight, check_array, column_or_1d

from alworkbench.adaptation.temperature import TemperatureFit, fit_temperature
from alworkbench.core.domain import Calibration, CalibrationSource
from alworkbench.estimators.class_labels import indices_of


class HasLogits(Protocol):
    """A classifier with logits."""

    classes_: np.ndarray

    def _logits(self, X: Any) -> np.ndarray: ...


class HeldOutCalibration:
    """Adds `calibrate` to a classifier; the next fit forgets the temperature."""

    def calibrate(self, X: Any, y: Any, sample_weight: Any = None) -> HeldOutCalibration:
        """Fit one temperature to labelled rows (N) that no fit has seen, drawn like those to predict.

        `predict_proba` then divides the logits by it; no predicted class changes. Rows that a strategy
        chose give the temperature of chosen rows, unless their LURE weights are the `sample_weight`.
        `temperature_` has the fit with its interval and its warnings. Raises ValueError for labels that
        are no classes of the model, NotFittedError.
        """
        model = cast(HasLogits, self)
        X = check_array(X, dtype=[np.float64, np.float32])
        logits = torch.from_numpy(model._logits(X))
        labels = torch.from_numpy(indices_of(column_or_1d(y), model.classes_))
        weights = torch.tensor(
            _check_sample_weight(sample_weight, X, ensure_non_negative=True), dtype=torch.float64
        )
        self.temperature_: TemperatureFit = fit_temperature(logits, labels, weights)
        return self

    @property
    def calibration_(self) -> Calibration:
        """On what the probabilities of `predict_proba` are calibrated; its `words` say it."""
        fit = getattr(self, "temperature_", None)
        if fit is not None:
            return Calibration(CalibrationSource.HELD_OUT, fit.images, fit.temperature)
        learner = getattr(self, "_learner", None)
        term = None if learner is None else learner.pool_term
        if term is not None and len(term.left_out):
            return Calibration(CalibrationSource.LEFT_OUT, len(term.left_out))
        return Calibration()

    def _probabilities(self, logits: np.ndarray) -> np.ndarray:
        """Softmax of the calibrated logits (N, C)."""
        fit = getattr(self, "temperature_", None)
        scaled = torch.from_numpy(logits)
        return (scaled if fit is None else fit.apply(scaled)).softmax(dim=-1).numpy()
