"""Which class names the model does not know, told by its text posterior before any label.

The activations psi of the n captions that the posterior was fitted from are in its factor
A = sum psi psi^T. A direction in which no caption pointed has no curvature, and a name whose
activation points there is one that the model's text projection was never held to anything on. The
measure is the leverage psi^T (A + delta I)^-1 psi, which is beta_c of the posterior in the limit of a
weak prior: the prior's own beta compares a name with the prior, this compares it with the captions.

    strangeness of c  =  psi_c^T (A + delta I)^-1 psi_c / |V psi_c|^2  *  tr(V A V^T) / d
    d = sum_k a_k / (a_k + delta)       a_k the eigenvalues of A, delta their rounding

Its mean over the captions themselves is exactly 1 (weighted by the squared length of their
embeddings, which hardly differs), whatever the model, the number of captions, the scale of A or the
number of classes is. So no training captions are needed for a statement without a distribution: by
Markov's inequality at most one caption in s has a strangeness of s or more. A name is called unknown
where that share is at most `RARE`; the share says how sure it is. Names are judged one by one,
against the captions and never against each other: all of a list may be known, or none.

Measured on the bundled model (3,000 captions of six names, three templates of a photo): those six are
at 0.2 to 0.4, the four names never seen at 19 to 64; digits and letters, as words or signs, at 10 to
92; words without meaning at 23 to 163; captions with adjectives, as it was trained on, at 0.6 to 4. With
a template that it never saw ("something about {} here") known names come to 4 to 9, and one to 90:
what is strange may be the wording, and this cannot tell it from the name.

What it cannot tell either: a name that is written like a known one and means something else ("boot"
is at 2 beside "ankle boot", "dress shirt" at 11); whether pictures of a known word look as the project's do;
anything at all of a posterior that was fitted from prompts instead of captions, since the list's own
prompts are then in A. Of a model trained on more captions than its posterior was fitted from, it says
what those captions held: a name missing from a small sample of them is called unknown, although the
model may know it.

Dimensions used in this file
    C  classes
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.posterior.kronecker import ROUNDING, KroneckerPosterior

RARE = 0.1
"""A name is unknown where at most this share of the captions can be as strange."""


@dataclass(frozen=True, slots=True)
class NameKnowledge:
    """What the text posterior says of one class name."""

    name: str
    strangeness: float
    """Against the captions that the posterior was fitted from, whose mean is 1."""
    most_captions: int
    """No more of those captions can have been this very prompt (one of average length), since m equal
    captions leave a leverage of at most 1 / m. Zero: it was not among them."""

    @property
    def share(self) -> float:
        """At most this share of the captions is as strange, between 0 and 1 (Markov's inequality)."""
        return min(1.0, 1 / self.strangeness) if self.strangeness > 0 else 1.0

    @property
    def unknown(self) -> bool:
        """Whether the model hardly knows this name."""
        return self.share <= RARE


def strangeness(text: KroneckerPosterior, activations: Float[Tensor, "C Q"]) -> Float[Tensor, "C"]:
    """Of each activation, float64; strength, prior and pseudo-data weight of the belief play no part.

    `activations` may be those of prompts or of prompt ensembles: their length does not matter.
    """
    values, delta = _rounded(text)
    exact = activations.double().to(values.device)
    projection = text.mean.double()  # D Q
    mass = ((projection @ text.activation.vectors).square() * values).sum()  # tr(V A V^T)
    lengths = (exact @ projection.T).square().sum(dim=-1)  # C: |V psi|^2
    leverage = ((exact @ text.activation.vectors).square() / (values + delta)).sum(dim=-1)  # C
    return leverage / lengths.clamp_min(torch.finfo(lengths.dtype).tiny) * mass / _freedom(text)


def known_names(
    text: KroneckerPosterior, names: Sequence[str], activations: Float[Tensor, "C Q"]
) -> tuple[NameKnowledge, ...]:
    """What the belief about the text projection says of each name, in their order."""
    # 1 / leverage at the captions' average length; rounded down, as captions are counted
    captions = text.pairs / _freedom(text)
    return tuple(
        NameKnowledge(name, value, int(captions / value) if value > 0 else text.pairs)
        for name, value in zip(names, strangeness(text, activations).tolist(), strict=True)
    )


def has_captions(provenance: Mapping[str, Any]) -> bool:
    """Whether a posterior was fitted from captions; prompts in their place cannot tell of names."""
    return "approximation" not in provenance


def _rounded(text: KroneckerPosterior) -> tuple[Float[Tensor, "Q"], float]:
    """Eigenvalues of A, and delta: what single precision leaves of the largest where there is zero."""
    values = text.activation.values
    return values, ROUNDING * float(values[-1])


def _freedom(text: KroneckerPosterior) -> float:
    """d: the sum of the captions' leverages, at most min(n, Q)."""
    values, delta = _rounded(text)
    return float((values / (values + delta)).sum())
