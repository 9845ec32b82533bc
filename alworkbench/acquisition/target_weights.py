"""Target weights: how much a label could still change about an image, and how much the image counts.

The *uncertainty weight* u_j of image j is one minus its margin Delta_j, the gap between the two largest
class probabilities. While few labels have tested the model, its confidence counts in part only. With
pseudo-counts of b confirming and a contradicting labels,

    u_j = [a + (b + m_j) (1 - Delta_j)] / (a + b + m_j)          m_j = C sum_c p_jc m_c

where m_c is the number of labels of class c. If all classes have equally many labels, m_j is the number
of all labels. The shrinkage is applied class by class: a class that the model predicts with confidence,
but that has no labels, may hide a class that the model does not know.

There are two settings of (a, b), `weak` and `strong` shrinkage, because nobody knows beforehand how far a
model can be trusted. They agree where labels are many. `contamination` estimates how often to use which.

The target weight is w_j u_j. With the goal `balanced` all predicted classes count equally, otherwise all
images:

    w_j = sum_c p_jc / sum_i p_ic   (balanced)          w_j = 1   (accuracy)

The index i runs over the images on which classes are counted.

Dimensions used in this file
    N  images          C  classes          n  labelled images          S  settings: weak, strong
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.acquisition.scores import margin
from alworkbench.core.domain import Goal

WEAK, STRONG = 0, 1
"""Positions of the two settings on the axis S."""


@dataclass(frozen=True, slots=True)
class Shrinkage:
    """Shrinkage of the model's confidence by pseudo-counts."""

    contradicting: float
    """a: number of pseudo-labels that contradict the model."""
    confirming: float
    """b: number of pseudo-labels that confirm it."""

    def uncertainty_weight(
        self, uncertainty: Float[Tensor, "N"], labels: Float[Tensor, "N"]
    ) -> Float[Tensor, "N"]:
        """u_j, between `uncertainty` and 1.

        `uncertainty` is one minus the margin. `labels` is m_j: the labels that tested the image's classes.
        """
        confirming = self.confirming + labels
        return (self.contradicting + confirming * uncertainty) / (self.contradicting + confirming)


def shrinkages(settings: AcquisitionSettings) -> tuple[Shrinkage, Shrinkage]:
    """The weak and the strong setting, in the order of the axis S."""
    return Shrinkage(*settings.weak_shrinkage), Shrinkage(*settings.strong_shrinkage)


def scaled_label_counts(labels: Int[Tensor, "n"], classes: int) -> Float[Tensor, "C"]:
    """C m_c: the number of all labels if every class had as many as class c."""
    return classes * torch.bincount(labels, minlength=classes).float()


@dataclass(frozen=True, slots=True)
class TargetWeights:
    """Computes w_j u_j of any image, in both settings."""

    mass: Float[Tensor, "C"]
    """Predicted number of images of each class; all ones if the goal is `accuracy`."""
    label_counts: Float[Tensor, "C"]
    """See `scaled_label_counts`."""
    shrinkages: tuple[Shrinkage, Shrinkage]
    """Weak, strong."""

    @classmethod
    def for_goal(
        cls,
        goal: Goal,
        mass: Float[Tensor, "C"],
        labels: Int[Tensor, "n"],
        settings: AcquisitionSettings,
    ) -> TargetWeights:
        """`mass` is the sum of the class probabilities over the images on which classes are counted."""
        counts = scaled_label_counts(labels, len(mass)).to(mass)
        if goal is Goal.BALANCED:
            mass = mass.clamp_min(torch.finfo(mass.dtype).tiny)
        else:
            mass = torch.ones_like(mass)
        return cls(mass, counts, shrinkages(settings))

    def of(self, probabilities: Float[Tensor, "N C"]) -> Float[Tensor, "N S"]:
        """w_j u_j of images with these predictions."""
        uncertainty, labels = 1 - margin(probabilities), probabilities @ self.label_counts
        weights = torch.stack(
            [each.uncertainty_weight(uncertainty, labels) for each in self.shrinkages], dim=-1
        )
        return weights * (probabilities / self.mass).sum(dim=-1, keepdim=True)
