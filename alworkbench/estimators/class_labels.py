"""Class names, indices and weights as scikit-learn's interface gives them.

Dimensions used in this file
    N  rows
    C  classes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def distinct_names(names: Any, count: int) -> np.ndarray:
    """The names of `count` classes as an array. Raises ValueError for another number or for duplicates."""
    found = np.asarray(list(names))
    if len(found) != count or len(set(names)) != count:
        raise ValueError(f"class_names holds {len(set(names))} different names for {count} classes")
    return found


def indices_of(y: np.ndarray, names: np.ndarray) -> np.ndarray:
    """The index of each label among the class names (N,). Raises ValueError for an unknown label."""
    order = np.argsort(names, kind="stable")
    try:
        at = np.searchsorted(names[order], y)
        found = order[np.minimum(at, len(names) - 1)]
        wrong = names[found] != y
    except TypeError as error:
        raise ValueError(f"y holds labels of another kind than the classes: {error}") from error
    if np.any(wrong):
        unknown = np.unique(np.asarray(y)[wrong])
        raise ValueError(
            f"y holds {unknown[:5].tolist()}, which are none of the {len(names)} classes: "
            f"{names[:10].tolist()}{' ...' if len(names) > 10 else ''}. Label with those, or make the "
            f"classifier with the classes that you need."
        )
    return found.astype(np.int64)


def class_weights(
    class_weight: Any, labels: Int[Tensor, "N"], weights: Float[Tensor, "N"], names: np.ndarray
) -> Float[Tensor, "N"]:
    """The class weight of each row, which its sample weight is multiplied by.

    None: one. "balanced": all classes that have labels get the same total weight. A mapping: weights by
    class name, one if it is not named. Raises ValueError for anything else.
    """
    if class_weight is None:
        return torch.ones_like(weights)
    if class_weight == "balanced":
        totals = torch.zeros(len(names), dtype=weights.dtype).index_add_(0, labels, weights)
        balanced = totals.sum() / (totals > 0).sum() / totals
        return balanced[labels].where(weights > 0, weights)
    if not isinstance(class_weight, Mapping):
        raise ValueError(
            f"class_weight is None, 'balanced' or weights by class, found {class_weight!r}"
        )
    if unknown := [each for each in class_weight if each not in names]:
        raise ValueError(f"class_weight names {unknown[:5]}, which are no classes")
    found = [float(class_weight.get(name, 1.0)) for name in names.tolist()]
    return torch.tensor(found, dtype=weights.dtype)[labels]
