"""The prior of a learner: what `prior_selection` chooses from the labels, and learner files keep.

Dimensions used in this file
    n  labelled images
    C  classes
    Q  text activation size
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.adaptation.residual_head import ResidualHead
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import ImageCoordinates, Linearisation


@dataclass(frozen=True, slots=True)
class Prior:
    """The prior that was chosen from the labels."""

    widening: float
    """Multiplies the posterior's covariance of both projections."""
    residual_variance: float
    """Variance that the residual head gives the logit of a labelled image, squared nats."""
    embedded: bool = False
    """Whether the input of the residual head is unit embeddings; otherwise whitened activations."""
    pseudo_data_weight: float | None = None
    """Weight of the posterior's curvature; None: that which learning starts from."""

    def under(
        self,
        model: Linearisation,
        images: ImageCoordinates,
        weights: Float[Tensor, "n"] | None,
    ) -> tuple[Linearisation, ImageCoordinates, ResidualHead]:
        """The model and n labelled images under this prior, and the residual head.

        Both are of this prior's pseudo-data weight already.
        """
        images = images.widened(self.widening)
        return model.widened(self.widening), images, self.residual_head(images, weights)

    def residual_head(
        self, images: ImageCoordinates, weights: Float[Tensor, "n"] | None
    ) -> ResidualHead:
        """The residual head for n labelled images that are widened already."""
        return ResidualHead.of(images, weights, self.residual_variance, embedded=self.embedded)

    def as_record(self) -> dict[str, Any]:
        """As learner files and stores keep it."""
        return {
            "widening": self.widening,
            "own": self.residual_variance,
            "embedded": self.embedded,
            "pseudo_data_weight": self.pseudo_data_weight,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Prior:
        """From `as_record`. Raises KeyError where a number is missing."""
        return cls(
            record["widening"],
            record["own"],
            record.get("embedded", False),
            record.get("pseudo_data_weight"),
        )


@dataclass(frozen=True, slots=True)
class Reweighted:
    """The model with another pseudo-data weight, and the labelled images under it."""

    pseudo_data_weight: float
    model: Linearisation
    images: ImageCoordinates


def reweighted(
    model: Linearisation,
    classes: Float[Tensor, "C Q"],
    labelled: Features,
    settings: AdaptationSettings,
) -> list[Reweighted]:
    """The model under every pseudo-data weight of the settings that is not its own."""
    models = {
        weight: model.with_weight(weight, classes.to(model.classes.unit))
        for weight in settings.pseudo_data_weights
    }
    return [
        Reweighted(weight, other, other.images(labelled))
        for weight, other in models.items()
        if other is not model
    ]
