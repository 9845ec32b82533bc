"""The fit behind the classifier: which method learns, and the learner of labelled and unlabelled rows.

Dimensions used in this file
    N  labelled rows
    M  unlabelled rows
    C  classes
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.learning import learn
from alworkbench.adaptation.method_cards import FREE_WEIGHTS, LINEARISED, POOL_TAUGHT
from alworkbench.adaptation.pool_taught import teach
from alworkbench.encoders.head import Features

METHODS = (POOL_TAUGHT, FREE_WEIGHTS, LINEARISED)


def chosen_method(adaptation: Any, *, with_head: bool, with_pool: bool) -> str:
    """The method that learns; `adaptation` is that of the classifier.

    Raises ValueError for a method that the classifier does not have, for the pool-taught one without a
    pool, and for a pool with another method.
    """
    if adaptation is not None and adaptation not in METHODS:
        known = ", ".join(map(repr, METHODS))
        raise ValueError(f"adaptation is {known} or None, found {adaptation!r}")
    usual = FREE_WEIGHTS if with_head else LINEARISED
    method = str(adaptation or (POOL_TAUGHT if with_pool else usual))
    if (method == POOL_TAUGHT) != with_pool:
        raise ValueError(
            f"adaptation is {method!r} and `pool` was {'' if with_pool else 'not '}given: a pool of "
            f"unlabelled rows belongs to {POOL_TAUGHT!r} and to no other method"
        )
    return method


def warn_no_pool() -> None:
    """Warn the caller of the classifier's `fit` that this fit has no pool, but the last one had."""
    warnings.warn(
        "This fit has no pool, but the last one had: the unlabelled rows teach nothing now. Give "
        "`pool` to every fit, also to `teach` of a modAL learner.",
        UserWarning,
        stacklevel=3,
    )


def checked_pool(classifier: BaseEstimator, pool: Any) -> Tensor:
    """Unlabelled rows (M, columns of X), float64.

    Raises ValueError for other columns than those of X, which were checked before.
    """
    columns = classifier.n_features_in_
    found = check_array(pool, dtype=np.float64)
    if found.shape[1] != columns:
        raise ValueError(f"pool has {found.shape[1]} columns, but X has {columns}")
    return as_tensor(validate_data(classifier, pool, reset=False, dtype=np.float64))


def as_tensor(rows: np.ndarray) -> Tensor:
    """A copy in float64, whatever the order of the rows in memory."""
    return torch.tensor(np.ascontiguousarray(rows), dtype=torch.float64)


def learn_rows(
    start: Learner,
    labelled: Features,
    targets: Float[Tensor, "N C"],
    weights: Float[Tensor, "N"],
    unlabelled: Features | None,
    *,
    adaptation: Any,
    with_head: bool,
) -> Learner:
    """The learner of N labelled rows, and of M unlabelled ones if there are any.

    Without a head the pool-taught method has no residual head either. Raises what `chosen_method` raises.
    """
    method = chosen_method(adaptation, with_head=with_head, with_pool=unlabelled is not None)
    head = method == FREE_WEIGHTS or (method == POOL_TAUGHT and with_head)
    found = learn(start, labelled, targets, weights, residual_head=head)
    if unlabelled is None:
        return found
    return teach(found, unlabelled, labelled, targets, weights, DEFAULT_SETTINGS)
