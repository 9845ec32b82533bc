"""What one step of prompt tuning minimises: the marginal entropy, plus a penalty on the text features.

TPT minimises the entropy alone and makes the model overconfident. Its successors add a penalty that keeps
the text features of the classes apart. A penalty depends on the features of all classes and on no image.

Dimensions used in this file
    C  classes
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.errors import UnknownObjective
from alworkbench.prompts.dispersion import text_feature_dispersion

Penalty = Callable[[Tensor], Tensor]
"""From unit text features (C, D) to a number that is smaller if the classes are further apart."""

LARGEST_COSINE = 0.99999
"""Cosines are clipped to this before their angle is taken: the derivative of arccos is infinite at 1."""


def non_orthogonality(features: Float[Tensor, "C D"]) -> Float[Tensor, ""]:
    """The mean length of the rows of the cosine matrix, minus 1: 0 if all features are orthogonal.

    Sharifdeen et al., "O-TPT: Orthogonality Constraints for Calibrating Test-time Prompt Tuning in
    Vision-Language Models", CVPR 2025, arXiv:2503.12096. The abstract asks for orthogonal text features.
    The term is that of a public copy of the authors' code, to which their weight belongs: each row of the
    cosine matrix is reflected onto its own axis (Householder) and compared with the unit vector, which
    gives this value. Later papers (arXiv:2601.08617) write the term of the paper as the squared norm of
    the cosine matrix minus the identity; it has the same minimum and another scale.
    """
    return (features @ features.mT).norm(dim=-1).mean() - 1


def smallest_angle(features: Float[Tensor, "C D"]) -> Float[Tensor, ""]:
    """The mean over the classes of the angle to the most similar other class, in radians.

    Ahamed et al., "A-TPT: Angular Diversity Calibration Properties for Test-Time Prompt Tuning of
    Vision-Language Models", ICLR 2026, arXiv:2510.26441. The abstract asks for the largest minimal
    pairwise angle; mean and clipping are those of the authors' code. Needs two classes.
    """
    own = torch.eye(len(features), dtype=torch.bool, device=features.device)
    nearest = (features @ features.mT).masked_fill(own, -1.0).amax(dim=-1)  # C
    return nearest.clamp(-LARGEST_COSINE, LARGEST_COSINE).acos().mean()


@dataclass(frozen=True, slots=True)
class Objective:
    """One way to tune: marginal entropy + weight * penalty."""

    name: str
    about: str
    source: str
    penalty: Penalty | None = None
    weight: float = 0.0
    """The authors' weight for fine-grained data sets."""
    shift_weight: float = 0.0
    """The authors' weight for ImageNet and its variants, with AugMix."""

    def weight_or(self, given: float | None) -> float:
        """The weight that is used: the given one; None stands for the objective's own."""
        return self.weight if given is None else given


TPT = Objective("tpt", "the marginal entropy alone: accuracy, not calibration", "arXiv:2209.07511")
C_TPT = Objective(
    "c-tpt",
    "plus the average text feature dispersion",
    "arXiv:2403.14119",
    lambda features: -text_feature_dispersion(features),
    50.0,
    20.0,
)
O_TPT = Objective(
    "o-tpt",
    "plus the orthogonality of text features",
    "arXiv:2503.12096",
    non_orthogonality,
    18.0,
    2.0,
)
A_TPT = Objective(
    "a-tpt",
    "plus the smallest angle between text features",
    "arXiv:2510.26441",
    lambda features: -smallest_angle(features),
    80.0,
    10.0,
)
OBJECTIVES = (TPT, C_TPT, O_TPT, A_TPT)


def find_objective(name: str) -> Objective:
    """The objective of this name. Raises UnknownObjective, which names all."""
    known = {objective.name: objective for objective in OBJECTIVES}
    if name not in known:
        raise UnknownObjective(name, known)
    return known[name]
