"""The data of a comparison: labelled images with features and pictures, an unlabelled pool, a model.

Dimensions used in this file
    m  labelled images
    n  images of the pool
    C  classes
    P  image activation size
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from alworkbench.adaptation.temperature import FEWEST_IMAGES
from alworkbench.core.domain import ClassList, EncoderRecord
from alworkbench.core.errors import TooFewLabels
from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.kronecker import Posterior
from alworkbench.prompts.tuning.view_features import TunableImage


@dataclass(frozen=True, slots=True)
class StudyMaterial:
    """Everything is on the CPU. No image of the pool is one of the labelled images."""

    name: str
    origin: str
    """Where the labelled images come from, as a sentence."""
    role: str
    """dev, report or own: see the cards of collections."""
    encoder: EncoderRecord
    head: Head
    posterior: Posterior
    classes: ClassList
    present: Float[Tensor, "C Q"]
    """One text activation for each class, of the prompts of the class list."""
    features: Features
    """Of the labelled images."""
    labels: Int[Tensor, "m"]
    """Index of the class."""
    images: tuple[TunableImage, ...]
    """The pictures of the labelled images."""
    pool: Float[Tensor, "n D"]
    """Unit image embeddings, on which templates are ranked. Their labels are not here."""
    views: Path
    """Folder that keeps the features of views."""
    prompts: Path
    """Folder of the feature store that keeps the activations of prompts."""

    def __len__(self) -> int:
        return len(self.labels)

    def sample(self, most: int, seed: int) -> StudyMaterial:
        """At most so many labelled images in a random order, fixed by the seed.

        The order is random because position decides the fold of cross-fitting. Raises TooFewLabels for
        fewer than FEWEST_IMAGES images.
        """
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self._of(order[:most])

    def readable(self, kept: Bool[Tensor, "m"]) -> StudyMaterial:
        """Only these labelled images, in their order. Raises TooFewLabels."""
        return self._of(kept.nonzero()[:, 0])

    def _of(self, rows: Int[Tensor, "k"]) -> StudyMaterial:
        if len(rows) < FEWEST_IMAGES:
            raise TooFewLabels(
                "Comparing calibrations", len(rows), FEWEST_IMAGES, "that nothing was learned from",
                "Label more images of an audit set (`alworkbench audit`), or allow more with `--most`.",
            )  # fmt: skip
        return replace(
            self,
            features=self.features[rows],
            labels=self.labels[rows],
            images=tuple(self.images[row] for row in rows.tolist()),
        )
