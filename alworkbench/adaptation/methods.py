"""All methods of learning from labels, in the order in which they are listed."""

from __future__ import annotations

from alworkbench.adaptation.linear_probe import linear_probe
from alworkbench.adaptation.method import FREE_WEIGHTS, LINEARISED, POOL_TAUGHT, ZERO_SHOT, Method
from alworkbench.adaptation.nearest_mean import nearest_mean
from alworkbench.adaptation.tip_adapter import tip_adapter
from alworkbench.core.errors import UnknownAdaptation

METHODS = (
    Method(
        POOL_TAUGHT,
        "free-weights, and class Gaussians of the unlabelled pool; each counts as far as it predicts",
        residual_head=True,
        pool_taught=True,
    ),
    Method(
        FREE_WEIGHTS,
        "the linearised model with a residual linear head: learns what class names do not say",
        residual_head=True,
    ),
    Method(LINEARISED, "the linearised model under its posterior, without a residual head"),
    Method(
        "probe",
        "logistic regression on the activations: uses nothing but the labels",
        linear_probe,
    ),
    Method(
        "cache",
        "zero-shot logits plus the labels of similar images (Tip-Adapter)",
        tip_adapter,
    ),
    Method(
        "nearest-mean",
        "cosine to the mean embedding of a class: its name and its labelled images",
        nearest_mean,
    ),
    Method(ZERO_SHOT, "learns nothing: the model without labels, as a control"),
)
"""The default, its form without a residual head, the comparisons, the control."""


def find_method(name: str) -> Method:
    """The method of this name. Raises UnknownAdaptation, which names all methods."""
    known = {method.name: method for method in METHODS}
    if name not in known:
        raise UnknownAdaptation(name, known)
    return known[name]
