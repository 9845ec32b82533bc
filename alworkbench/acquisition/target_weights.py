"""How much a label could still change: the doubt of an image, in two views, and what it counts for.

An image's doubt is one minus the margin m_j of its two likeliest classes. As long as few labels have tested
the model, its confidence is believed in part only, and class by class: with L_c labels of class c and

    L_j = C sum_c p_jc L_c

(all labels, where the classes have as many each), it is

    u_j = [a + (b + L_j) (1 - m_j)] / (a + b + L_j)

as if b labels had borne the model out and a had not. Nobody knows beforehand how far a model is to be
believed, so that two views stand side by side: to `CAUTIOUS` a class that the model is sure of and nobody
was asked about may hide another one that it does not know; `TRUSTING` looks where the model is torn. They
agree where labels are many. `honesty` tells which of them is to be asked how often.

The doubt is weighed by w_j: one, or, where all classes are to count alike, sum_c p_jc / sum_i p_ic with i
over what the classes are counted on.

Dimensions used in this file
    N  images          C  classes          n  labelled images          V  the two views
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.domain import Goal


@dataclass(frozen=True, slots=True)
class View:
    """How far the model is believed before it is tested."""

    against: float
    """a: labels' worth of doubt about everything."""
    trust: float
    """b: labels' worth of the model's own doubt."""

    def doubt(self, torn: Float[Tensor, "N"], labels: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
        """u of images that are torn by so much, whose classes so many labels have tested."""
        trust = self.trust + labels
        return (self.against + trust * torn) / (self.against + trust)


TRUSTING = View(against=1.0, trust=9.0)
CAUTIOUS = View(against=5.0, trust=5.0)
VIEWS = (TRUSTING, CAUTIOUS)
"""In the order of the axis V."""


def tested_by(labels: Int[Tensor, "n"], classes: int) -> Float[Tensor, "C"]:
    """C L_c: how many labels there would be if all classes had as many as each has."""
    return classes * torch.bincount(labels, minlength=classes).float()


def torn(probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N"]:
    """1 - m: one where two classes are as likely as each other, zero where one is certain."""
    first, second = probabilities.topk(2, dim=-1).values.unbind(dim=-1)
    return 1.0 - (first - second)


@dataclass(frozen=True, slots=True)
class Weighing:
    """w u of any image, in either view."""

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

    def of(self, probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N V"]:
        """The weight of each image under each confidence setting (N, V)."""
        own, labels = torn(probabilities), probabilities @ self.tested
        doubts = torch.stack([view.doubt(own, labels) for view in VIEWS], dim=-1)
        return doubts * (probabilities / self.mass).sum(dim=-1, keepdim=True)
