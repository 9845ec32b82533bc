"""Find the class names that the model does not know, from its text posterior and before any label.

The factor A = sum psi psi^T of the text side holds the text activations psi of the n captions that the
posterior was fitted from. A name is unusual if its activation points where no caption pointed. The
measure is the statistical leverage psi^T (A + delta I)^-1 psi, normalised by that of the captions:

    normalised leverage of c  =  psi_c^T (A + delta I)^-1 psi_c / |V psi_c|^2  *  tr(V A V^T) / d
    d = sum_k a_k / (a_k + delta)       a_k the eigenvalues of A, delta their rounding error

The mean over the captions, weighted by the squared lengths of their embeddings, is exactly 1 for every
model, number of captions, scale of A and number of classes. So the captions themselves are not needed,
and no distribution is assumed: by Markov's inequality at most a share 1/s of the captions has a
normalised leverage of s or more. A name is called unknown if this share is at most
`core.domain.name_knowledge.RARE`. Each name is compared with the captions and never with other names, so that
all names of a list may be known, or none.

Limits. It cannot tell an unusual wording from an unusual name: with a template that the model never saw,
known names come close to unknown ones. It does not know meanings: "dress shirt" is written like a known
name. It does not say whether images of a known name look like those of the project. It needs captions: a
posterior that was fitted from prompts contains the prompts of the list itself (`has_captions`). If
the posterior was fitted from a small sample of the training captions, names that the sample lacks are
called unknown although the model may know them. Figures: docs/experiments/posterior.md, P3.

Dimensions used in this file
    C  classes
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import NameKnowledge
from alworkbench.posterior.kronecker import ROUNDING, KroneckerPosterior


def normalised_leverage(
    text: KroneckerPosterior, activations: Float[Tensor, "C Q"]
) -> Float[Tensor, "C"]:
    """Normalised leverage of each activation, float64; 1 is the mean of the captions.

    `activations` may be those of prompts or of prompt ensembles: their lengths have no effect. Neither
    have the strength, the prior precision and the pseudo-data weight of the posterior.
    """
    values, delta = _rounded(text)
    exact = activations.double().to(values.device)
    projection = text.mean.double()  # D Q
    mass = ((projection @ text.activation.vectors).square() * values).sum()  # tr(V A V^T)
    lengths = (exact @ projection.T).square().sum(dim=-1)  # C: |V psi|^2
    leverage = ((exact @ text.activation.vectors).square() / (values + delta)).sum(dim=-1)  # C
    return (
        leverage
        / lengths.clamp_min(torch.finfo(lengths.dtype).tiny)
        * mass
        / _effective_dimension(text)
    )


def known_names(
    text: KroneckerPosterior, names: Sequence[str], activations: Float[Tensor, "C Q"]
) -> tuple[NameKnowledge, ...]:
    """What the posterior of the text projection says of each name, in the order of the names."""
    # 1 / leverage at the average length of the captions, rounded down to a count of captions.
    captions = text.pairs / _effective_dimension(text)
    return tuple(
        NameKnowledge(name, value, int(captions / value) if value > 0 else text.pairs)
        for name, value in zip(names, normalised_leverage(text, activations).tolist(), strict=True)
    )


def has_captions(provenance: Mapping[str, Any]) -> bool:
    """Whether a posterior was fitted from captions and not from prompts, by its provenance."""
    return "approximation" not in provenance


def _rounded(text: KroneckerPosterior) -> tuple[Float[Tensor, "Q"], float]:
    """Eigenvalues of A, and delta: the rounding error of float32 sums, relative to the largest."""
    values = text.activation.values
    return values, ROUNDING * float(values[-1])


def _effective_dimension(text: KroneckerPosterior) -> float:
    """d: the sum of the captions' leverages, at most min(n, Q)."""
    values, delta = _rounded(text)
    return float((values / (values + delta)).sum())
