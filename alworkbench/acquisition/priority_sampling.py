"""Priority sampling: a few images that represent a weighted population without bias.

Image i with weight w_i > 0 gets the priority w_i / U_i with U_i uniform on (0, 1]. The n images with the
highest priorities are sampled. With theta the highest priority that was not sampled, a sampled image
represents

    max(w_i, theta)

and the others represent nothing. The sum over any subset of the images is then unbiased. An image with a
weight above theta keeps its weight: rare and heavy images are always sampled. Duffield, Lund & Thorup
2007, "Priority sampling for estimation of arbitrary subset sums", Journal of the ACM 54 (6),
arXiv:cs/0509026.

Dimensions used in this file
    N  images          n  sampled images
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def priorities(weights: Float[Tensor, "N"], generator: torch.Generator) -> Float[Tensor, "N"]:
    """Priorities of all images, on the CPU and in float64. An image with weight 0 has priority 0."""
    uniform = 1 - torch.rand(len(weights), generator=generator, dtype=torch.float64)
    return weights.double().cpu() / uniform


def priority_sample(
    image_priorities: Float[Tensor, "N"], count: int
) -> tuple[Int[Tensor, "n"], float]:
    """Rows of the `count` images with the highest priorities, in ascending order, and theta.

    theta is 0 if all images are sampled.
    """
    if len(image_priorities) <= count:
        return torch.arange(len(image_priorities)), 0.0
    highest = image_priorities.topk(count + 1)
    return highest.indices[:count].sort().values, float(highest.values[count])
