"""The strategies of the workbench as modAL query strategies; `modal_strategies` is the reverse.

    learner = ActiveLearner(LaplaceVLMClassifier(...), query_strategy=query_strategy("epig"))
    indices, rows = learner.query(X_pool, n_instances=10)
    learner.teach(X_pool[indices], y, pool=X_pool)       # pool: the unlabelled rows teach too

modAL: Danka & Horvath 2018, arXiv:1805.00979. It is imported when it is first used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.core.domain import Goal

if TYPE_CHECKING:
    from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier

TARGETS = 1000
"""Random rows of the pool that are the targets if none are given."""


class Query(NamedTuple):
    """The result of a query strategy, which modAL unpacks."""

    indices: np.ndarray
    """Rows of the pool in the order in which they were chosen."""
    scores: np.ndarray
    """The score of each, in the unit of the strategy."""


def query_strategy(
    name: str,
    *,
    targets: Any = None,
    seed: int = 0,
    goal: Goal = Goal.ACCURACY,
    memory: int = 1 << 30,
) -> Callable[..., Query]:
    """The strategy of this name as a callable for modAL's learners.

    `targets` are rows like those of the pool whose predictions matter; None is a sample of the pool.
    `memory` is in bytes. The result depends on the seed, the labels so far and the pool alone. The
    callable's `random_tie_break` breaks ties in a random order, with the same seed. Raises
    UnknownStrategy.
    """
    from alworkbench.acquisition.catalogue import find_strategy

    chosen = find_strategy(name)
    let_modal_teach()

    def query(
        classifier: Any, X_pool: Any, n_instances: int = 1, random_tie_break: bool = False
    ) -> Query:
        estimator = _estimator_of(classifier)
        context = _context(
            estimator, X_pool, targets, n_instances, seed, goal, memory, random_tie_break
        )
        found = chosen.select(context)
        return Query(np.asarray(found.rows, dtype=np.int64), np.asarray(found.scores))

    query.__name__ = name.replace("-", "_")
    query.__doc__ = chosen.card.summary
    return query


def _estimator_of(classifier: Any) -> LaplaceVLMClassifier:
    from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier

    found = getattr(classifier, "estimator", classifier)
    if not isinstance(found, LaplaceVLMClassifier):
        raise TypeError(
            f"strategies of alworkbench need the posterior of a LaplaceVLMClassifier, found "
            f"{type(found).__name__}: ActiveLearner(estimator=LaplaceVLMClassifier(...), ...)"
        )
    return found


def _context(
    estimator: LaplaceVLMClassifier,
    pool: Any,
    targets: Any,
    batch: int,
    seed: int,
    goal: Goal,
    memory: int,
    shuffled: bool,
) -> AcquisitionContext:
    """Pool, targets and labelled rows in one table, in this order, so that pool rows keep their numbers."""
    from alworkbench.encoders.head import Features
    from alworkbench.features.table import FeatureTable

    parts = [estimator.features(pool)]
    count = len(parts[0])
    generator = torch.Generator().manual_seed(seed)
    if targets is None:
        wanted = torch.randperm(count, generator=generator)[:TARGETS].sort().values
    else:
        parts.append(estimator.features(targets))
        wanted = torch.arange(count, count + len(parts[1]))
    labelled, labels = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.long)
    if (seen := estimator.labelled()) is not None:
        start = sum(len(part) for part in parts)
        parts.append(seen[0])
        labelled, labels = torch.arange(start, start + len(seen[0])), seen[1]
    features = Features.concatenate(parts)
    order = torch.randperm(count, generator=generator) if shuffled else torch.arange(count)
    return AcquisitionContext(
        table=FeatureTable.from_features([str(row) for row in range(len(features))], features),
        candidates=order,
        targets=wanted,
        learner=estimator.learner().base,
        batch_size=batch,
        seed=seed + len(labelled),
        draw_seed=seed,
        labelled=labelled,
        labels=labels,
        pool_is_target=targets is None,
        goal=goal,
        draws=estimator.draws,
        memory=memory,
    )


@lru_cache
def let_modal_teach() -> None:
    """Let `ActiveLearner.teach` of modAL 0.4.2.1 work with scikit-learn 1.8 and newer.

    modAL calls `check_X_y(force_all_finite=...)`; scikit-learn renamed the argument to
    `ensure_all_finite`. This replaces modAL's reference to the function by one that takes the old name. It
    changes nothing in scikit-learn, nor in a modAL that does not need it.
    """
    import modAL.models.learners as learners
    from sklearn.utils import check_X_y

    if "force_all_finite" in inspect.signature(check_X_y).parameters:
        return
    if learners.check_X_y is check_X_y:

        def check(*arguments: Any, force_all_finite: bool = True, **others: Any) -> Any:
            return check_X_y(*arguments, ensure_all_finite=force_all_finite, **others)

        learners.check_X_y = check
