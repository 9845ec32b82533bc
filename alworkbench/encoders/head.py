"""The part of a vision-language model after its towers: two projections and a logit scale.

Everything before the last linear layer of each tower is fixed. The posterior is over these two
matrices. Baumann et al., "Post-hoc Probabilistic Vision-Language Models", arXiv:2412.06014.

Dimensions used in this file
    N  images
    C  classes
    T  prompts
    P  image activation size; a layer with a bias has a constant 1 as its last activation
    Q  text activation size, likewise
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import normalize

Loss = Literal["infonce", "siglip"]


@dataclass(frozen=True, slots=True)
class Features:
    """The outputs of an image tower before its last linear layer.

    embedding of n = projection @ activations[n] (+ residuals[n])
    """

    activations: Float[Tensor, "N P"]
    residuals: Float[Tensor, "N D"] | None = None

    def __len__(self) -> int:
        return len(self.activations)

    def __getitem__(self, rows: slice | Int[Tensor, "M"]) -> Features:
        residuals = None if self.residuals is None else self.residuals[rows]
        return Features(self.activations[rows], residuals)

    @classmethod
    def concatenate(cls, parts: Sequence[Features]) -> Features:
        """Join at least one block of features of one model, in their order."""
        residuals = [part.residuals for part in parts if part.residuals is not None]
        return cls(
            torch.cat([part.activations for part in parts]),
            torch.cat(residuals) if residuals else None,
        )

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Features:
        """The same on another device or in another precision."""
        residuals = None if self.residuals is None else self.residuals.to(device, dtype)
        return Features(self.activations.to(device, dtype), residuals)


@dataclass(frozen=True, slots=True)
class Head:
    """The last projections of both towers, and the parameters that turn a cosine into a logit.

    logit(image, class) = logit_scale * cosine + logit_bias
    """

    image_projection: Float[Tensor, "D P"]
    text_projection: Float[Tensor, "D Q"]
    logit_scale: float
    """s, the exponential of the learned parameter: 100 for a fully trained CLIP."""
    logit_bias: float = 0.0
    """The bias of a SigLIP model; it cancels in a softmax over classes."""
    loss: Loss = "infonce"
    """The loss of the training: the curvature of the posterior is that of this loss."""

    def embed_images(self, features: Features) -> Float[Tensor, "N D"]:
        """Image embeddings g = W phi + r, not normalised."""
        embeddings = features.activations @ self.image_projection.T
        return embeddings if features.residuals is None else embeddings + features.residuals

    def embed_texts(self, activations: Float[Tensor, "C Q"]) -> Float[Tensor, "C D"]:
        """Text embeddings h = V psi, not normalised."""
        return activations @ self.text_projection.T

    def logits(self, features: Features, classes: Float[Tensor, "C Q"]) -> Float[Tensor, "N C"]:
        """The zero-shot logits of the model."""
        images = normalize(self.embed_images(features), dim=-1)
        texts = normalize(self.embed_texts(classes), dim=-1)
        return self.logit_scale * images @ texts.T + self.logit_bias

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Head:
        """The same on another device or in another precision."""
        return Head(
            self.image_projection.to(device, dtype),
            self.text_projection.to(device, dtype),
            self.logit_scale,
            self.logit_bias,
            self.loss,
        )


def ensemble_prompts(
    head: Head, activations: Float[Tensor, "T Q"], class_of: Int[Tensor, "T"]
) -> Float[Tensor, "C Q"]:
    """One effective text activation per class, from all prompts of the class.

    psi_c is the mean over its prompts of psi / |V psi|, so that V psi_c is the mean of the normalised
    prompt embeddings: the usual prompt ensemble, still linear in the projection. `class_of` is the class
    of each prompt; every class has a prompt.
    """
    scaled = activations / head.embed_texts(activations).norm(dim=-1, keepdim=True)  # T Q
    classes = int(class_of.max()) + 1
    # On the CPU the order of the sum is fixed; on a GPU the last bits may differ from call to call.
    sums = torch.zeros(classes, scaled.shape[1], dtype=scaled.dtype)
    sums.index_add_(0, class_of.cpu(), scaled.cpu())  # C Q
    counts = torch.bincount(class_of, minlength=classes).to(scaled)  # C
    return sums.to(scaled) / counts[:, None]
