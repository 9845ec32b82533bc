"""How much a label could still change: the doubt of an image, and what it counts for.

An image's doubt is one minus the margin of its two likeliest classes. As long as few labels have tested the
model, its confidence is believed in part only, and class by class: with L_c labels of class c and

    L_j = C sum_c p_jc L_c

(all labels, where the classes have as many each), it is

    u_j = [5 + (5 + L_j) (1 - (p_first - p_second))] / (10 + L_j)

A class that the model is sure of and nobody was asked about may hide another one that it does not know.

The doubt is weighed by w_j: one, or, where all classes are to count alike, sum_c p_jc / sum_i p_ic with i
over what the classes are counted on.

Dimensions used in this file
    N  images          C  classes          n  labelled images
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.domain import Goal

TRUST = 5
"""Labels that a doubt of one weighs as much as, and the model's own doubt before it is tested."""


def tested_by(labels: Int[Tensor, "n"], classes: int) -> Float[Tensor, "C"]:
    """C L_c: how many labels there would be if all classes had as many as each has."""
    return classes * torch.bincount(labels, minlength=classes).float()


def doubt(probabilities: Float[Tensor, "N C"], tested: Float[Tensor, "C"]) -> Float[Tensor, "N"]:
    """u: towards 1 where two classes are torn, towards 0 where one is certain and its labels are many."""
    first, second = probabilities.topk(2, dim=-1).values.unbind(dim=-1)
    labels = TRUST + probabilities @ tested
    return (TRUST + labels * (1.0 - (first - second))) / (TRUST + labels)


@dataclass(frozen=True, slots=True)
class Weighing:
    """w u of any image."""

    mass: Float[Tensor, "C"]
    """Images predicted in each class; all alike where the goal does not ask for it."""
    tested: Float[Tensor, "C"]
    """By labels: see `tested_by`."""

    @classmethod
    def by(cls, goal: Goal, mass: Float[Tensor, "C"], tested: Float[Tensor, "C"]) -> Weighing:
        """With `mass` the sum of probabilities over what classes are counted on."""
        tested = tested.to(mass)
        if goal is not Goal.BALANCED:
            return cls(torch.ones_like(mass), tested)
        return cls(mass.clamp_min(torch.finfo(mass.dtype).tiny), tested)

    def of(self, probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N"]:
        return doubt(probabilities, self.tested) * (probabilities / self.mass).sum(dim=-1)
