"""Small random values for tests: everything from a seed, in float64 unless a test says otherwise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from alworkbench.encoders.head import Features, Head, Loss
from alworkbench.posterior.curvature import pair_curvature
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior
from alworkbench.posterior.linearisation import Linearisation


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64).to(dtype)


@dataclass(frozen=True)
class SmallModel:
    """A head with rectangular projections, its posterior, some images and some classes."""

    head: Head
    posterior: Posterior
    images: Features
    classes: Tensor
    texts: Tensor

    def linearisation(self) -> Linearisation:
        return Linearisation.build(self.head, self.posterior, self.classes)


def small_model(
    seed: int = 0,
    *,
    images: int = 12,
    classes: int = 4,
    image_size: int = 7,
    text_size: int = 6,
    embedding: int = 5,
    residuals: bool = False,
    loss: Loss = "infonce",
    scale: float = 8.0,
    dtype: torch.dtype = torch.float64,
) -> SmallModel:
    head = Head(
        normal(seed + 1, embedding, image_size),
        normal(seed + 2, embedding, text_size),
        scale,
        -3.0 if loss == "siglip" else 0.0,
        loss,
    )
    residual = normal(seed + 3, images, embedding) if residuals else None
    features = Features(normal(seed + 4, images, image_size), residual)
    texts = normal(seed + 5, images, text_size)
    factors = pair_curvature(head, features, texts, batch=images)
    posterior = Posterior(
        KroneckerPosterior.from_factors(head.image_projection, factors.image),
        KroneckerPosterior.from_factors(head.text_projection, factors.text),
        "small",
    )
    head = head.to("cpu", dtype)
    return SmallModel(
        head,
        posterior,
        features.to("cpu", dtype),
        normal(seed + 6, classes, text_size, dtype=dtype),
        texts.to(dtype),
    )
