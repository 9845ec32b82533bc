"""Our strategies for modAL's learners; `modal_strategies` goes the other way.

    learner = ActiveLearner(LaplaceVLMClassifier(...), query_strategy=query_strategy("epig"))
    indices, rows = learner.query(X_pool, n_instances=10)
    learner.teach(X_pool[indices], y)

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
"""Rows of the pool that stand for all of it, where no targets are given."""


class Query(NamedTuple):
    """What modAL wants of a query strategy: it takes the two apart by itself."""

    indices: np.ndarray
    """Of rows of the pool, in the order in which they were chosen."""
    scores: np.ndarray
    """What the strategy thought of each; its unit is the strategy's."""


def query_strategy(
    name: str,
    *,
    targets: Any = None,
    seed: int = 0,
    goal: Goal = Goal.ACCURACY,
    memory: int = 1 << 30,
) -> Callable[..., Query]:
    """A strategy of ours, by name, as modAL's learners call it.

    `targets` are rows like those of the pool whose predictions matter; without any, a sample of the
    pool. The answer depends on the seed, the labels so far and the pool, on nothing else.
    `random_tie_break` shuffles the order in which ties are broken, with the same seed. Raises
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
    query.__doc__ = chosen.summary
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
    """Pool, targets and labelled rows in one table, in this order: rows of the pool keep their number."""
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
        learner=estimator.learner(),
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

    It calls `check_X_y(force_all_finite=...)`, a name that scikit-learn gave up for
    `ensure_all_finite`. modAL's own reference to the function is replaced by one that takes the old
    name; scikit-learn is left alone, and so is a modAL that needs no help.
    """
    import modAL.models.learners as learners
    from sklearn.utils import check_X_y

    if "force_all_finite" in inspect.signature(check_X_y).parameters:
        return
    if learners.check_X_y is check_X_y:

        def check(*arguments: Any, force_all_finite: bool = True, **others: Any) -> Any:
            return check_X_y(*arguments, ensure_all_finite=force_all_finite, **others)

        learners.check_X_y = check
