"""What other templates would change: predictions on the pool, confidence, dispersion, audit figures.

Dimensions used in this file
    N  images of the pool
    T  templates
    C  classes
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from alworkbench.encoders.head import Head
from alworkbench.prompts.audit_figures import AuditFigures, AuditPart
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.ensembles import (
    SPACES,
    Space,
    ensemble_texts,
    mean_probabilities,
    unit_texts,
)

UNIT = ("now", "features")
"""Predictions that come from one unit text embedding of each class, which have a dispersion."""


@dataclass(frozen=True, slots=True)
class PromptFigures:
    """Zero-shot predictions of some prompts on the images of a pool."""

    changed: int
    """Images whose predicted class differs from that of the present prompts."""
    confidence: float
    """Mean probability of the predicted class."""
    atfd: float | None
    """Dispersion of the class embeddings; None where the ensemble has no unit embedding of each class."""
    audit: AuditFigures | None
    """None without labels of an audit set."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The present prompts of a project beside other templates."""

    now: PromptFigures
    given: Mapping[Space, PromptFigures]
    """Of the given templates together, averaged in each space; `features` is what a project would use."""
    images: int
    """Images of the pool that were compared."""
    audit_images: int


def prompt_effect(
    head: Head,
    now: Float[Tensor, "C Q"],
    activations: Float[Tensor, "T C Q"],
    pool: Iterable[Float[Tensor, "_ D"]],
    audit: AuditPart | None = None,
) -> Effect:
    """Compare templates with the present class activations on unit image embeddings, given in blocks.

    The predictions are those of the model before any label (zero-shot). Raises ValueError for an empty
    pool.
    """
    texts: dict[str, Tensor] = {
        "now": unit_texts(head, now)[None],
        **{space: ensemble_texts(head, activations, space) for space in SPACES},
    }
    changed, confidence = dict.fromkeys(texts, 0), dict.fromkeys(texts, 0.0)
    images = 0
    for block in pool:
        images += len(block)
        before: Tensor | None = None
        for name, each in texts.items():
            top = mean_probabilities(head, block, each).max(dim=-1)
            before = top.indices if before is None else before
            changed[name] += int((top.indices != before).sum())
            confidence[name] += float(top.values.double().sum())
    if images == 0:
        raise ValueError("comparing prompts needs at least one image")
    figures = {
        name: PromptFigures(
            changed[name],
            confidence[name] / images,
            float(text_feature_dispersion(each[0].double())) if name in UNIT else None,
            AuditFigures.of(mean_probabilities(head, audit.images, each), audit.labels)
            if audit
            else None,
        )
        for name, each in texts.items()
    }
    given = {space: figures[space] for space in SPACES}
    return Effect(figures["now"], given, images, len(audit) if audit else 0)
