"""The model as a scikit-learn classifier: fit, partial_fit, predict, predictive variances and draws.

With a head, a posterior and class activations it is the model of the workbench: a vision-language model
linearised in its two last projections, with the posterior as the prior. A row of X is an image activation;
if the head has residuals, the D numbers of the residual follow the P activations. It predicts before it is
fitted (zero-shot), and it predicts classes without labels.

Without them it is Bayesian multinomial logistic regression on any features (`logistic_regression`).

Dimensions used in this file
    N  rows
    P  activation size, D  embedding size, Q  text activation size
    C  classes
    K  draws
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_array, validate_data
from torch import Tensor
from torch.nn.functional import one_hot

from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.predictive_variance import label_variance
from alworkbench.encoders.head import Features
from alworkbench.estimators.class_labels import class_weights, distinct_names, indices_of
from alworkbench.estimators.held_out_calibration import HeldOutCalibration
from alworkbench.estimators.learn_rows import as_tensor, checked_pool, learn_rows, warn_no_pool
from alworkbench.estimators.row_model import RowModel, class_activations

BLOCK_ROWS = 8192
"""Rows that are predicted at once."""


class Moments(NamedTuple):
    """Mean and variance of the logits given the labels: arrays (N, C)."""

    mean: np.ndarray
    variance: np.ndarray


class LaplaceVLMClassifier(HeldOutCalibration, ClassifierMixin, BaseEstimator):
    """Linearised vision-language model under its Laplace posterior, or Bayesian logistic regression.

    Each fit starts from the zero-shot model: `partial_fit` keeps all that it was given and learns
    from all of it, so that any split of the data into calls gives the same model. Parameters are
    stored as they are given and checked when they are used, as scikit-learn asks.

    Parameters
    ----------
    head
        The `Head` of a vision-language model. None (as are `posterior` and `classes` then): Bayesian
        logistic regression on any features.
    posterior
        The `Posterior` of the head.
    classes
        Class activations (C, Q) of the head.
    class_names
        Names of the C classes; y then holds names, or their indices as integers.
    image_strength, text_strength
        Factors rho and rho' on the precision of either side. None: those of the workbench with a head,
        and `logistic_regression.STRENGTHS` without.
    adaptation
        The learning method: "pool-taught" (unlabelled rows teach too), "free-weights" (chooses its
        prior from the labels) or "linearised" (keeps the strengths). None is the first if `fit` is
        given a `pool`, else the second with a head and the third without.
    class_weight
        None, "balanced", or a mapping from classes, as they stand in y, to weights.
    draws
        Posterior draws that strategies use (`estimators.modal`).
    random_state
        Seed of `sample` and of strategies.
    """

    def __init__(
        self,
        head: Any = None,
        posterior: Any = None,
        classes: Any = None,
        class_names: Any = None,
        *,
        image_strength: Any = None,
        text_strength: Any = None,
        adaptation: Any = None,
        class_weight: Any = None,
        draws: Any = 128,
        random_state: Any = None,
    ) -> None:
        self.head = head
        self.posterior = posterior
        self.classes = classes
        self.class_names = class_names
        self.image_strength = image_strength
        self.text_strength = text_strength
        self.adaptation = adaptation
        self.class_weight = class_weight
        self.draws = draws
        self.random_state = random_state

    # ------------------------------------------------------------------------------------- learning

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, pool: Any = None
    ) -> LaplaceVLMClassifier:
        """Learn from these rows alone, and from the unlabelled rows of `pool` (M, as in X).

        Every fit needs its pool again: without one, a fit after a fit with a pool warns. The pool is no part
        of what a `Pipeline` transforms or a search splits; scikit-learn cuts one that has as many rows as X.
        """
        if pool is None and self.adaptation is None and getattr(self, "_pool", None) is not None:
            warn_no_pool()
        for name in ("_seen", "_named", "_learner", "_rows", "_pool"):
            self.__dict__.pop(name, None)
        return self._learn(X, y, None, sample_weight, pool, reset=True)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, pool: Any = None
    ) -> LaplaceVLMClassifier:
        """Learn from these rows and all that were given before, and from the newest `pool` given.

        Without a head the first call needs `classes`: all that y will ever hold.
        """
        first = not hasattr(self, "_seen")
        if first and classes is None and self.head is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._learn(X, y, classes, sample_weight, pool, reset=first)

    def _learn(
        self, X: Any, y: Any, classes: Any, sample_weight: Any, pool: Any, reset: bool
    ) -> LaplaceVLMClassifier:
        X, y = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        names = self._class_list(y, classes)
        x = as_tensor(X)
        labels = torch.from_numpy(indices_of(y, names))
        weights = torch.tensor(weight, dtype=torch.float64)
        if not reset:
            x = torch.cat([self._seen[0], x])
            labels = torch.cat([self._seen[1], labels])
            weights = torch.cat([self._seen[2], weights])
        seen = (x, labels, weights)
        weights = weights * class_weights(self.class_weight, labels, weights, names)
        if not bool((weights > 0).any()):
            raise ValueError("every sample weight is zero: nothing is left to learn from")
        rows = (
            RowModel.of_logistic_regression(
                x, weights, len(names), self.image_strength, self.text_strength
            )
            if self.head is None
            else self._head_model()
        )
        self.__dict__.pop("temperature_", None)  # it was fitted to other logits
        kept = weights > 0
        newest = getattr(self, "_pool", None) if pool is None else checked_pool(self, pool)
        self._learner = learn_rows(
            rows.start,
            rows.features(x)[kept.nonzero()[:, 0]],
            one_hot(labels[kept], len(names)).double(),
            weights[kept],
            None if newest is None else rows.features(newest),
            adaptation=self.adaptation,
            with_head=self.head is not None,
        )
        self._seen: tuple[Tensor, Tensor, Tensor] = seen
        self._named, self._rows, self._pool = names, rows, newest
        self.n_iter_ = max(1, self._learner.state.iterations if self._learner.state else 0)
        return self

    def _class_list(self, y: np.ndarray, classes: Any) -> np.ndarray:
        """The classes in the order of the columns: as before, else as given, of the head, or of y."""
        if hasattr(self, "_named"):
            if classes is not None and not np.array_equal(np.unique(classes), self._named):
                raise ValueError(
                    f"`classes` is not the same as on the last call to partial_fit: {classes!r} now, "
                    f"{self._named!r} then."
                )
            return self._named
        if self.head is None:
            return np.unique(y if classes is None else classes)
        return self._head_classes(indices=np.issubdtype(np.asarray(y).dtype, np.integer))

    def _head_classes(self, *, indices: bool) -> np.ndarray:
        """The classes of the head: by name, or by index if there are no names or y holds integers."""
        count = len(class_activations(self.classes))
        if self.class_names is None or indices:
            return np.arange(count)
        return distinct_names(self.class_names, count)

    # --------------------------------------------------------------------------------- the model

    def _head_model(self) -> RowModel:
        return RowModel.of_head(
            self.head, self.posterior, self.classes, self.image_strength, self.text_strength
        )

    def _model(self) -> tuple[Learner, RowModel]:
        """The fitted learner, or with a head the zero-shot one. Raises NotFittedError."""
        if hasattr(self, "_learner"):
            return self._learner, self._rows
        if self.head is None:
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate "
                f"arguments before using this estimator, or give it a head to predict without labels."
            )
        rows = self._head_model()
        return rows.start, rows

    def _blocks(self, X: Any) -> Iterator[tuple[Learner, Features]]:
        learner, rows = self._model()
        if hasattr(self, "_learner"):
            X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        else:
            X = check_array(X, dtype=[np.float64, np.float32], estimator=self)
        for start in range(0, len(X), BLOCK_ROWS):
            yield learner, rows.features(as_tensor(X[start : start + BLOCK_ROWS]))

    @property
    def classes_(self) -> np.ndarray:
        """The classes in the order of the columns; with a head they are known before a fit."""
        if not hasattr(self, "_learner") and self.head is None:
            raise AttributeError(f"{type(self).__name__} has no classes_ before it is fitted")
        return self._named if hasattr(self, "_learner") else self._head_classes(indices=False)

    # ------------------------------------------------------------------------------- predicting

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits (N, C); for two classes (N,), the second minus the first, as scikit-learn wants."""
        logits = self._logits(X)
        if logits.shape[1] != 2:
            return logits
        return np.asarray(logits[:, 1] - logits[:, 0])

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, C) of the mean logits, calibrated if `calibrate` was called."""
        return self._probabilities(self._logits(X))

    def predict(self, X: Any) -> np.ndarray:
        """The most likely class of each row (N,), named as in y."""
        best = self._logits(X).argmax(axis=1)  # first, for its NotFittedError
        return np.asarray(self.classes_[best])

    def predict_moments(self, X: Any) -> Moments:
        """Mean and variance of every logit given the labels, in closed form."""
        return Moments(self._logits(X), self._by_blocks(X, label_variance))

    def sample(self, X: Any, n: int) -> np.ndarray:
        """Logits of all rows under n joint draws of the model, given the labels: (n, N, C).

        The same random_state (an integer) gives the same draws; those of a row do not depend on the other
        rows.
        """
        update = self._model()[0].draws(n, self._seed())

        def drawn(learner: Learner, features: Features) -> Tensor:
            changes = learner.model.jvp(learner.model.images(features), update)  # K N C
            return (learner.logits(features) + changes).movedim(0, 1)

        return np.moveaxis(self._by_blocks(X, drawn), 0, 1)

    def learner(self) -> Learner:
        """The learner for strategies, in single precision."""
        return self._model()[0].to(torch.float32)

    def features(self, X: Any) -> Features:
        """Rows of X as the features of the model, in single precision."""
        return Features.concatenate([f.to("cpu", torch.float32) for _, f in self._blocks(X)])

    def labelled(self) -> tuple[Features, Tensor] | None:
        """The labelled rows as features in single precision, and their class indices (N,).

        None before it is fitted.
        """
        if not hasattr(self, "_learner"):
            return None
        x, labels, _ = self._seen
        return self._rows.features(x).to("cpu", torch.float32), labels

    def _logits(self, X: Any) -> np.ndarray:
        return self._by_blocks(X, Learner.logits)

    def _by_blocks(self, X: Any, compute: Callable[[Learner, Features], Tensor]) -> np.ndarray:
        return np.concatenate([compute(*block).numpy() for block in self._blocks(X)])

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_learner") or self.head is not None
