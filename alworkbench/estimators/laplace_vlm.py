"""Our model as a scikit-learn classifier: fit, partial_fit, predict, with what the posterior adds.

With a head, a posterior and class activations it is the model of the workbench: a vision-language
model whose last projections are learned in the linearised form, under the posterior. Rows of X are
image activations; where the head has residuals, each row is the P activations and then the D numbers
of the residual. It answers before it is fitted (zero-shot), and for classes without any label.

Without them it is the same model of a head that knows nothing, on any features, and that is Bayesian
multinomial logistic regression, exactly: every image embeds as the same unit vector r, class c as a
unit vector t_c at right angles to r and to all others, so all logits are zero before the first label,

    z_ic = t_c . dW phi_i + r . dV psi_c  =  w_c . phi_i + b_c

and the two projections' standard normal beliefs are w_c ~ N(0, I / image strength) on standardised
features (weighted mean and deviation of what it was fitted on) and b_c ~ N(0, 1 / text strength).

Dimensions used in this file
    N  rows
    P  activation size, D  embedding size, Q  text activation size
    C  classes
    K  draws
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
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
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.method import FREE_WEIGHTS, LINEARISED
from alworkbench.adaptation.predictive_variance import logit_variance
from alworkbench.adaptation.settings import Strengths
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior, Spectrum
from alworkbench.posterior.linearisation import Linearisation

BLOCK_ROWS = 8192
"""Rows that are predicted at once."""
PLAIN = Strengths(image=1.0, text=0.01)
"""Without a head: the weights' precision that scikit-learn's logistic regression has, and intercepts
that are held weakly."""


class Moments(NamedTuple):
    """Of the logits, given the labels: arrays of N x C."""

    mean: np.ndarray
    variance: np.ndarray


@dataclass(frozen=True, slots=True)
class _Scaling:
    """Features made comparable: (x - mean) / deviation, each column."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, x: Tensor, weights: Tensor) -> _Scaling:
        total = weights.sum()
        mean = (weights[:, None] * x).sum(dim=0) / total
        variance = (weights[:, None] * (x - mean).square()).sum(dim=0) / total
        # A column that says nothing is left as it is; what rounding makes of a constant is nothing.
        smallest = (10 * torch.finfo(x.dtype).eps * x.abs().amax(dim=0)).square()
        deviation = variance.sqrt().where(variance > smallest, torch.ones_like(variance))
        return cls(mean, deviation)


class LaplaceVLMClassifier(ClassifierMixin, BaseEstimator):
    """Linearised vision-language model under its Laplace posterior, or Bayesian logistic regression.

    Each fit starts from the model as it came: `partial_fit` keeps all that it was given and learns
    from all of it, so that any split of the data into calls gives the same model. Parameters are
    stored as they are given and checked when they are used, as scikit-learn asks.

    Parameters
    ----------
    head
        The `Head` of a vision-language model. None, with `posterior` and `classes` None too, is
        Bayesian logistic regression on any features.
    posterior
        The `Posterior` of the head.
    classes
        Class activations (C, Q) of the head.
    class_names
        Names of the C classes; y then holds names, or their indices as integers.
    image_strength, text_strength
        Factors rho and rho' on the precision of either side of the posterior. None is what the
        workbench uses with a head, and `PLAIN` without.
    adaptation
        The learning method: "free-weights" (the workbench's default, chooses its prior from the
        labels) or "linearised" (keeps the strengths as they are). None is the first with a head and
        the second without.
    class_weight
        None, "balanced", or a mapping from classes, as they stand in y, to weights.
    draws
        Number of posterior draws that strategies use (`estimators.modal`).
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

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LaplaceVLMClassifier:
        """Learn from these rows alone."""
        self._forget()
        return self._learn(X, y, None, sample_weight, reset=True)

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None
    ) -> LaplaceVLMClassifier:
        """Learn from these rows and all that were given before.

        Without a head the first call needs `classes`: all that y will ever hold.
        """
        first = not hasattr(self, "_seen")
        if first and classes is None and self.head is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return self._learn(X, y, classes, sample_weight, reset=first)

    def _forget(self) -> None:
        for name in ("_seen", "_named", "_learner", "_scaling"):
            if hasattr(self, name):
                delattr(self, name)

    def _learn(
        self, X: Any, y: Any, classes: Any, sample_weight: Any, reset: bool
    ) -> LaplaceVLMClassifier:
        if self.adaptation not in (None, FREE_WEIGHTS, LINEARISED):
            raise ValueError(
                f"adaptation is {FREE_WEIGHTS!r}, {LINEARISED!r} or None, found {self.adaptation!r}"
            )
        X, y = validate_data(self, X, y, reset=reset, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        weight = _check_sample_weight(sample_weight, X, ensure_non_negative=True)
        names = self._class_list(y, classes)
        x = torch.tensor(X, dtype=torch.float64)
        labels = torch.from_numpy(_indices(y, names))
        weights = torch.tensor(weight, dtype=torch.float64)
        if not reset:
            x = torch.cat([self._seen[0], x])
            labels = torch.cat([self._seen[1], labels])
            weights = torch.cat([self._seen[2], weights])
        seen = (x, labels, weights)
        weights = weights * self._of_classes(labels, weights, names)
        if not bool((weights > 0).any()):
            raise ValueError("every sample weight is zero: nothing is left to learn from")
        scaling = _Scaling.of(x, weights) if self.head is None else None
        start = self._start(x.shape[1], len(names))
        features = self._features(x, scaling, start)
        kept = weights > 0
        usual = LINEARISED if self.head is None else FREE_WEIGHTS
        self._learner = learn(
            start,
            features[kept.nonzero()[:, 0]],
            one_hot(labels[kept], len(names)).double(),
            weights[kept],
            residual_head=(self.adaptation or usual) == FREE_WEIGHTS,
        )
        self._seen: tuple[Tensor, Tensor, Tensor] = seen
        self._named, self._scaling = names, scaling
        self.n_iter_ = max(1, self._learner.state.iterations if self._learner.state else 0)
        return self

    def _class_list(self, y: np.ndarray, classes: Any) -> np.ndarray:
        """The classes as predictions name them: those known before, given, of the head, or of y."""
        if hasattr(self, "_named"):
            if classes is not None and not np.array_equal(np.unique(classes), self._named):
                raise ValueError(
                    f"`classes` is not the same as on the last call to partial_fit: {classes!r} now, "
                    f"{self._named!r} then."
                )
            return self._named
        if self.head is None:
            return np.unique(y if classes is None else classes)
        return self._own_classes(indices=np.issubdtype(np.asarray(y).dtype, np.integer))

    def _own_classes(self, *, indices: bool) -> np.ndarray:
        """Those of the head, by name, or by number where there are no names or y holds numbers."""
        count = len(self._class_activations())
        if self.class_names is None or indices:
            return np.arange(count)
        names = np.asarray(list(self.class_names))
        if len(names) != count or len(set(self.class_names)) != count:
            raise ValueError(
                f"class_names holds {len(set(self.class_names))} different names for {count} classes"
            )
        return names

    def _of_classes(self, labels: Tensor, weights: Tensor, names: np.ndarray) -> Tensor:
        """The class weight of each row. Balanced: all classes that have labels weigh the same."""
        if self.class_weight is None:
            return torch.ones_like(weights)
        if self.class_weight == "balanced":
            own = torch.zeros(len(names), dtype=weights.dtype).index_add_(0, labels, weights)
            balanced = own.sum() / (own > 0).sum() / own
            return balanced[labels].where(weights > 0, weights)
        if not isinstance(self.class_weight, Mapping):
            raise ValueError(
                f"class_weight is None, 'balanced' or weights by class, found {self.class_weight!r}"
            )
        if strange := [each for each in self.class_weight if each not in names]:
            raise ValueError(f"class_weight names {strange[:5]}, which are no classes")
        found = [float(self.class_weight.get(name, 1.0)) for name in names.tolist()]
        return torch.tensor(found, dtype=weights.dtype)[labels]

    # --------------------------------------------------------------------------------- the model

    def _start(self, columns: int, classes: int) -> Learner:
        """The model as it came, in double precision."""
        if self.head is None:
            head, posterior, activations = _knows_nothing(columns, classes)
        elif self.posterior is None or self.classes is None:
            raise ValueError("a head needs its posterior and its class activations (`classes`) too")
        else:
            head, posterior, activations = self.head, self.posterior, self._class_activations()
        usual = PLAIN if self.head is None else Strengths()
        image = usual.image if self.image_strength is None else self.image_strength
        text = usual.text if self.text_strength is None else self.text_strength
        if not (image > 0 and text > 0):
            raise ValueError(f"strengths are positive, found {image} and {text}")
        model = Linearisation.build(head, posterior.tempered(image, text), activations)
        return Learner(model, activations, None, None)

    def _class_activations(self) -> Tensor:
        if self.classes is None:
            raise ValueError("a head needs its posterior and its class activations (`classes`) too")
        return torch.as_tensor(self.classes).detach().to("cpu", torch.float64)

    def _features(self, x: Tensor, scaling: _Scaling | None, learner: Learner) -> Features:
        if scaling is not None:
            size = learner.model.classes.unit.shape[1]
            same = torch.zeros(len(x), size, dtype=x.dtype)
            same[:, 0] = 1.0
            return Features((x - scaling.mean) / scaling.deviation, same)
        size_d, size_p = learner.model.head.image_projection.shape
        if x.shape[1] == size_p:
            return Features(x)
        if x.shape[1] == size_p + size_d:
            return Features(x[:, :size_p], x[:, size_p:])
        raise ValueError(
            f"X has {x.shape[1]} features, but {type(self).__name__} is expecting {size_p} features as "
            f"input (activations), or {size_p + size_d} (activations, then residuals)"
        )

    def _model(self) -> tuple[Learner, np.ndarray, _Scaling | None]:
        """What it knows now: fitted, or with a head as it came."""
        if hasattr(self, "_learner"):
            return self._learner, self._named, self._scaling
        if self.head is None:
            raise NotFittedError(
                f"This {type(self).__name__} instance is not fitted yet. Call 'fit' with appropriate "
                f"arguments before using this estimator, or give it a head to predict without labels."
            )
        names = self._own_classes(indices=False)
        return self._start(0, len(names)), names, None

    def _blocks(self, X: Any) -> Iterator[tuple[Learner, Features]]:
        learner, _, scaling = self._model()
        if hasattr(self, "_learner"):
            X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        else:
            X = check_array(X, dtype=[np.float64, np.float32], estimator=self)
        for start in range(0, len(X), BLOCK_ROWS):
            x = torch.tensor(X[start : start + BLOCK_ROWS], dtype=torch.float64)
            yield learner, self._features(x, scaling, learner)

    @property
    def classes_(self) -> np.ndarray:
        """The classes in the order of the columns; with a head, known before it is fitted."""
        if not hasattr(self, "_learner") and self.head is None:
            raise AttributeError(f"{type(self).__name__} has no classes_ before it is fitted")
        return self._named if hasattr(self, "_learner") else self._own_classes(indices=False)

    # --------------------------------------------------------------------------------- answering

    def decision_function(self, X: Any) -> np.ndarray:
        """Logits (N, C); for two classes the second's minus the first's (N,), as is usual."""
        logits = self._logits(X)
        if logits.shape[1] != 2:
            return logits
        difference: np.ndarray = logits[:, 1] - logits[:, 0]
        return difference

    def predict_proba(self, X: Any) -> np.ndarray:
        """Class probabilities (N, C) of the mean logits."""
        return torch.from_numpy(self._logits(X)).softmax(dim=-1).numpy()

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row, named as y was."""
        logits = self._logits(X)
        answers: np.ndarray = self.classes_[logits.argmax(axis=1)]
        return answers

    def predict_moments(self, X: Any) -> Moments:
        """Mean and variance of every logit, given the labels: closed form, without draws."""
        return Moments(self._logits(X), self._gathered(X, _variance))

    def sample(self, X: Any, n: int) -> np.ndarray:
        """Logits of all rows under n joint draws of the model, given the labels: (n, N, C).

        The same random_state (an integer) gives the same draws, row by row whatever the other rows
        are.
        """
        update = self._model()[0].draws(n, self._seed())

        def drawn(learner: Learner, features: Features) -> Tensor:
            changes = learner.model.jvp(learner.model.images(features), update)  # K N C
            return (learner.logits(features) + changes).movedim(0, 1)

        return np.moveaxis(self._gathered(X, drawn), 0, 1)

    def learner(self) -> Learner:
        """The model for strategies: single precision, as pools stream through it."""
        learner = self._model()[0]
        head = learner.model.head.to("cpu", torch.float32)
        model = learner.model
        single = Linearisation(
            head,
            model.image_activation_root.float(),
            model.image_embedding_root.float(),
            model.text_activation_root.float(),
            model.text_embedding_root.float(),
            dataclasses.replace(
                model.classes,
                **{
                    field.name: getattr(model.classes, field.name).float()
                    for field in dataclasses.fields(model.classes)
                },
            ),
        )
        update = learner.update
        return Learner(
            single,
            learner.class_activations.float(),
            None if update is None else update.map(Tensor.float),
            learner.state,
        )

    def features(self, X: Any) -> Features:
        """Rows of X as the model sees them, in single precision."""
        return Features.concatenate(
            [features.to("cpu", torch.float32) for _, features in self._blocks(X)]
        )

    def labelled(self) -> tuple[Features, Tensor] | None:
        """What it learned from: the rows as the model sees them (single precision), and the index of
        the class of each. None before it is fitted."""
        if not hasattr(self, "_learner"):
            return None
        x, labels, _ = self._seen
        features = self._features(x, self._scaling, self._learner)
        return features.to("cpu", torch.float32), labels

    def _logits(self, X: Any) -> np.ndarray:
        return self._gathered(X, Learner.logits)

    def _gathered(self, X: Any, ask: Callable[[Learner, Features], Tensor]) -> np.ndarray:
        return np.concatenate([ask(*block).numpy() for block in self._blocks(X)])

    def _seed(self) -> int:
        if isinstance(self.random_state, (int, np.integer)):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    # ------------------------------------------------------------------------- what scikit-learn asks

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "_learner") or self.head is not None


def _variance(learner: Learner, features: Features) -> Tensor:
    return logit_variance(learner.model, learner.model.images(features), learner.state)


def _indices(y: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The place of each label among the classes. Raises ValueError for one that is none of them."""
    order = np.argsort(names, kind="stable")
    try:
        at = np.searchsorted(names[order], y)
        found = order[np.minimum(at, len(names) - 1)]
        wrong = names[found] != y
    except TypeError as error:
        raise ValueError(f"y holds labels of another kind than the classes: {error}") from error
    if np.any(wrong):
        strange = np.unique(np.asarray(y)[wrong])
        raise ValueError(
            f"y holds {strange[:5].tolist()}, which are none of the {len(names)} classes: "
            f"{names[:10].tolist()}{' ...' if len(names) > 10 else ''}. Label with those, or make the "
            f"classifier with the classes that you need."
        )
    return found.astype(np.int64)


def _knows_nothing(columns: int, classes: int) -> tuple[Head, Posterior, Tensor]:
    """A head whose linearised model is Bayesian multinomial logistic regression; see the module."""
    size = classes + 1
    head = Head(
        torch.zeros(size, columns, dtype=torch.float64),
        torch.eye(size, dtype=torch.float64)[:, 1:].clone(),
        1.0,
    )
    posterior = Posterior(
        _isotropic(head.image_projection), _isotropic(head.text_projection), "features"
    )
    return head, posterior, torch.eye(classes, dtype=torch.float64)


def _isotropic(mean: Tensor) -> KroneckerPosterior:
    """Standard normal about the mean."""
    size_d, size_p = mean.shape

    def flat(size: int) -> Spectrum:
        zeros = torch.zeros(size, dtype=torch.float64)
        return Spectrum(zeros, torch.eye(size, dtype=torch.float64))

    return KroneckerPosterior(mean, flat(size_p), flat(size_d), pairs=1, prior_precision=1.0)
