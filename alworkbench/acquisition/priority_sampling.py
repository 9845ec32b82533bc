"""Few images that stand for many: priority sampling of a weighted population.

Each of N images with weight w_i > 0 gets the priority q_i = w_i / U_i, U_i uniform on (0, 1]. The n images
of highest priority are drawn; with t the highest priority that was not,

    max(w_i, t)    stands for w_i if i was drawn, 0 if it was not

and is unbiased, and so is every sum over some of the images. Weights above t are kept as they are: what
is rare and heavy is always drawn. Duffield, Lund & Thorup 2007, "Priority sampling for estimation of
arbitrary subset sums", Journal of the ACM 54 (6), arXiv:cs/0509026.

Dimensions used in this file
    N  images          n  drawn ones
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def priorities(weights: Float[Tensor, "N"], generator: torch.Generator) -> Float[Tensor, "N"]:
    """One draw for all images, on the CPU and in float64; zero where the weight is."""
    uniform = 1 - torch.rand(len(weights), generator=generator, dtype=torch.float64)
    return weights.double().cpu() / uniform


def priority_sample(found: Float[Tensor, "N"], count: int) -> tuple[Int[Tensor, "n"], float]:
    """The images of highest priority in order of their place, and t: zero where all were drawn."""
    if len(found) <= count:
        return torch.arange(len(found)), 0.0
    highest = found.topk(count + 1)
    return highest.indices[:count].sort().values, float(highest.values[count])
