"""Bootstrap over images: sums of values over images that are drawn again with replacement.

All values of one call, and all calls with the same number of images and the same seed, see the same
draws. A difference of two predictions of the same images can therefore be resampled in pairs.

Dimensions used in this file
    N  images
    V  values of each image
    K  resamples
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

RESAMPLES = 1000
"""Resamples behind an interval."""
_NUMBERS_AT_ONCE = 2**22


def resampled_sums(
    values: Float[Tensor, "N V"], resamples: int = RESAMPLES, seed: int = 0
) -> Float[Tensor, "K V"]:
    """Sums over N images drawn with replacement, for each resample; float64 on the CPU."""
    values = values.double().cpu()
    count = len(values)
    generator = torch.Generator().manual_seed(seed)
    sums = []
    for start in range(0, resamples, step := max(1, _NUMBERS_AT_ONCE // count)):
        size = min(step, resamples - start)
        chosen = torch.randint(count, (size, count), generator=generator)  # K N
        times = torch.zeros(size, count, dtype=torch.float64)
        times.scatter_add_(1, chosen, torch.ones_like(times))
        sums.append(times @ values)
    return torch.cat(sums)


def middle(values: Float[Tensor, "K"]) -> tuple[float, float]:
    """The middle 95 % of resampled figures: a percentile interval."""
    ends = values.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(ends[0]), float(ends[1])
