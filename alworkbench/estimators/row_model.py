"""The learner before any label, and how rows of X become its features.

Dimensions used in this file
    N  rows
    P  activation size, D  embedding size, Q  text activation size
    C  classes
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.adaptation.learner import Learner
from alworkbench.encoders.head import Features, Head
from alworkbench.estimators.logistic_regression import STRENGTHS, Standardisation, uninformed_model
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.linearisation import Linearisation

_INCOMPLETE = "a head needs its posterior and its class activations (`classes`) too"


@dataclass(frozen=True, slots=True)
class RowModel:
    """A zero-shot learner in float64 with the meaning of a row."""

    start: Learner
    standardisation: Standardisation | None = None
    """Of logistic regression; None: a row is an activation, or an activation and a residual."""

    @classmethod
    def of_head(
        cls,
        head: Head,
        posterior: Posterior | None,
        classes: Any,
        image_strength: float | None,
        text_strength: float | None,
    ) -> RowModel:
        """Of a vision-language model, with class activations (C, Q) as an array or a tensor.

        A strength of None is the workbench's. Raises ValueError.
        """
        if posterior is None:
            raise ValueError(_INCOMPLETE)
        strengths = _strengths(image_strength, text_strength, Strengths())
        activations = class_activations(classes)
        if len(activations) < 2:
            raise ValueError(f"a head needs at least 2 classes, found {len(activations)}")
        return cls(_zero_shot(head, posterior, activations, strengths))

    @classmethod
    def of_logistic_regression(
        cls,
        x: Float[Tensor, "N P"],
        weights: Float[Tensor, "N"],
        classes: int,
        image_strength: float | None,
        text_strength: float | None,
    ) -> RowModel:
        """Of logistic regression, standardised by weighted rows. Raises ValueError."""
        strengths = _strengths(image_strength, text_strength, STRENGTHS)
        start = _zero_shot(*uninformed_model(x.shape[1], classes), strengths)
        return cls(start, Standardisation.of(x, weights))

    def features(self, x: Float[Tensor, "N X"]) -> Features:
        """Rows as features.

        Raises ValueError for another number of columns, and for a row whose embedding has no direction.
        """
        if self.standardisation is not None:
            return self.standardisation.features(x, len(self.start.class_activations))
        size_d, size_p = self.start.model.head.image_projection.shape
        if x.shape[1] == size_p:
            found = Features(x)
        elif x.shape[1] == size_p + size_d:
            found = Features(x[:, :size_p], x[:, size_p:])
        else:
            raise ValueError(
                f"X has {x.shape[1]} features, but LaplaceVLMClassifier is expecting {size_p} features as "
                f"input (activations), or {size_p + size_d} (activations, then residuals)"
            )
        lengths = self.start.model.head.embed_images(found).norm(dim=-1)
        useless = (~((lengths > 0) & lengths.isfinite())).nonzero()[:, 0].tolist()
        if useless:
            raise ValueError(
                f"row {useless[0]} has an embedding of length {float(lengths[useless[0]]):g}, and so do "
                f"{len(useless) - 1} more rows: the model predicts by the direction of an embedding"
            )
        return found


def class_activations(classes: Any) -> Float[Tensor, "C Q"]:
    """The `classes` of a classifier with a head, in float64. Raises ValueError if there are none."""
    if classes is None:
        raise ValueError(_INCOMPLETE)
    return torch.as_tensor(classes).detach().to("cpu", torch.float64)


def _strengths(image: Any, text: Any, default: Strengths) -> Strengths:
    found = Strengths(
        default.image if image is None else image, default.text if text is None else text
    )
    if not (found.image > 0 and found.text > 0):
        raise ValueError(f"strengths are positive, found {found.image} and {found.text}")
    return found


def _zero_shot(
    head: Head, posterior: Posterior, classes: Float[Tensor, "C Q"], strengths: Strengths
) -> Learner:
    """As `adaptation.learner.zero_shot`, in the dtype of the class activations."""
    tempered = posterior.tempered(strengths.image, strengths.text)
    return Learner(Linearisation.build(head, tempered, classes), classes, None, None)
