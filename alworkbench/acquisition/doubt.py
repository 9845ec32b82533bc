"""How much a label could still change: the doubt of an image, and what it counts for.

An image's doubt is one minus the margin of its two likeliest classes. As long as few labels have tested the
model, its confidence is believed in part only: with L of them

    u_j = [5 + (5 + L) (1 - (p_first - p_second))] / (10 + L)

It is weighed by w_j: one, or, where all classes are to count alike, sum_c p_jc / sum_i p_ic with i over
what the classes are counted on.

Dimensions used in this file
    N  images          C  classes          L  labelled images
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.domain import Goal

TRUST = 5
"""Labels that a doubt of one weighs as much as, and the model's own doubt before it is tested."""


def doubt(probabilities: Float[Tensor, "N C"], labels: int) -> Float[Tensor, "N"]:
    """u: towards 1 where two classes are torn, towards 0 where one is certain and labels are many."""
    first, second = probabilities.topk(2, dim=-1).values.unbind(dim=-1)
    tested = TRUST + labels
    return (TRUST + tested * (1.0 - (first - second))) / (TRUST + tested)


@dataclass(frozen=True, slots=True)
class Weighing:
    """w u of any image."""

    mass: Float[Tensor, "C"]
    """Images predicted in each class; all alike where the goal does not ask for it."""
    labels: int

    @classmethod
    def by(cls, goal: Goal, mass: Float[Tensor, "C"], labels: int) -> Weighing:
        """With `mass` the sum of probabilities over what classes are counted on."""
        if goal is not Goal.BALANCED:
            return cls(torch.ones_like(mass), labels)
        return cls(mass.clamp_min(torch.finfo(mass.dtype).tiny), labels)

    def of(self, probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N"]:
        return doubt(probabilities, self.labels) * (probabilities / self.mass).sum(dim=-1)
