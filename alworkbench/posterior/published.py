"""Read and write posteriors in the layout of the published BayesVLM factor folders.

    A_img_analytic.pt   B_img_analytic.pt     image side: A (P x P) and B (D x D)
    A_txt_analytic.pt   B_txt_analytic.pt     text side
    prior_precision_analytic.json             lambda_img, n_img, lambda_txt, n_txt

The factors are sums over n pairs divided by sqrt(n), with n = 327,680 for the published ones. `n_img` is
not this n: it is the pseudo-data weight tau at which `lambda_img` was found, so that the precision is
(sqrt(n_img) A + sqrt(lambda_img) I) (x) (sqrt(n_img) B + sqrt(lambda_img) I), and likewise for the text
side. Baumann et al., arXiv:2412.06014, keep the stored precisions and use tau = 10 in their experiments:
WEIGHT. The stored precisions maximise a form of the evidence in which the two log-determinants are
exchanged; `prior="evidence"` maximises the correct form instead.

A folder does not say which model it belongs to: only the sizes of its factors can be checked. Folders that
this program writes say it, in an entry of the JSON file that other readers ignore. Files are read as
tensors (`weights_only`) from zip archives of bounded size: nothing in them is executed.
"""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import EncoderMismatch, InvalidPosteriorFile, NotPositiveDefinite
from alworkbench.encoders.head import Head
from alworkbench.posterior.kronecker import (
    Decomposition,
    KroneckerPosterior,
    Posterior,
    best_prior_precision,
    decompose,
)

PAIRS = 327_680
"""Number of pairs of the published factors, for folders that do not state theirs."""
WEIGHT = 10.0
"""Pseudo-data weight of the paper's experiments."""
TOLERANCE = 1e-3
"""Negative eigenvalues down to this share of the largest count as rounding errors and become zero.

This is a hundred times the tolerance for sums of this program, because the published factors are
differences of large terms in single precision. In the direction of such an eigenvalue the prior remains.
"""
FORMAT = "alworkbench-factors-1"
PRIORS = "prior_precision_analytic.json"

Prior = Literal["stored", "evidence"]

_LARGEST_JSON = 1 << 20
_SIDES = {"image": "img", "text": "txt"}


@dataclass(frozen=True, slots=True)
class StoredPrior:
    """What the JSON file states about one side."""

    prior_precision: float
    pseudo_data_weight: float
    pairs: int


@dataclass(frozen=True, slots=True)
class Rounding:
    """Rounding errors that were removed from one factor."""

    clipped: int
    """Number of eigenvalues below zero."""
    worst: float
    """The most negative eigenvalue as a share of the largest, without its sign."""
    asymmetry: float
    """max |F - F^T| / max |F|."""


@dataclass(frozen=True, slots=True)
class ImportedPosterior:
    """An imported posterior, with what its folder stated and which rounding errors were removed."""

    posterior: Posterior
    stored: Mapping[str, StoredPrior]
    """By side, image and text."""
    rounding: Mapping[str, Rounding]
    """By file name without its suffix."""


def import_factors(
    folder: Path,
    head: Head,
    encoder_id: str,
    *,
    prior: Prior = "evidence",
    weight: float | None = WEIGHT,
) -> ImportedPosterior:
    """Read a factor folder as the posterior of this head.

    `weight` is tau; None takes the stored one of each side. Raises InvalidPosteriorFile for a file that
    cannot be read, NotPositiveDefinite for a factor that is no sum of outer products, EncoderMismatch
    if the sizes or the name of the encoder differ.
    """
    stored = _read_priors(folder, encoder_id)
    sides: dict[str, KroneckerPosterior] = {}
    rounding: dict[str, Rounding] = {}
    for side, mean in (("image", head.image_projection), ("text", head.text_projection)):
        size_d, size_p = mean.shape
        found = {}
        for letter, size in (("A", size_p), ("B", size_d)):
            name = f"{letter}_{_SIDES[side]}_analytic"
            factor = _read_factor(folder, name, size, size_d, size_p).double()
            decomposition = _decomposed(factor, name, folder)
            found[letter] = decomposition.spectrum
            rounding[name] = Rounding(
                decomposition.clipped, decomposition.worst, _asymmetry(factor)
            )
        # Stored as sums / sqrt(n); ours are sums.
        root = math.sqrt(stored[side].pairs)
        posterior = KroneckerPosterior(
            mean.detach().cpu(),
            found["A"].scaled(root),
            found["B"].scaled(root),
            stored[side].pairs,
            stored[side].prior_precision,
        ).with_weight(stored[side].pseudo_data_weight if weight is None else weight)
        if prior == "evidence":
            posterior = posterior.with_prior(best_prior_precision(posterior))
        sides[side] = posterior
    return ImportedPosterior(Posterior(sides["image"], sides["text"], encoder_id), stored, rounding)


def export_factors(
    folder: Path, posterior: Posterior, *, created_at: datetime, provenance: Mapping[str, Any]
) -> None:
    """Write a posterior in that layout, in single precision as other readers expect.

    Reading it again with `weight=None` and `prior="stored"` gives the same posterior up to that
    rounding. Strengths are not stored.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {}
    ours: dict[str, Any] = {
        "format": FORMAT,
        "encoder_id": posterior.encoder_id,
        "created_at": created_at.isoformat(),
        "provenance": dict(provenance),
    }
    for side, belief in (("image", posterior.image), ("text", posterior.text)):
        short = _SIDES[side]
        root = math.sqrt(belief.pairs)
        for letter, spectrum in (("A", belief.activation), ("B", belief.embedding)):
            data = io.BytesIO()
            torch.save((spectrum.dense() / root).float().cpu().contiguous(), data)
            write_atomically(folder / f"{letter}_{short}_analytic.pt", data.getvalue())
        facts[f"lambda_{short}"] = belief.prior_precision
        facts[f"n_{short}"] = belief.pseudo_data_weight
        ours[f"pairs_{short}"] = belief.pairs
    # Written last: this file makes the folder complete.
    text = json.dumps({**facts, "alworkbench": ours}, indent=2, sort_keys=True)
    write_atomically(folder / PRIORS, text.encode())


# ------------------------------------------------------------------------------------------ inside


def _read_priors(folder: Path, encoder_id: str) -> dict[str, StoredPrior]:
    path = folder / PRIORS
    try:
        if path.stat().st_size > _LARGEST_JSON:
            raise ValueError(f"it is larger than {_LARGEST_JSON} bytes")
        facts = json.loads(path.read_bytes())
        if not isinstance(facts, dict):
            raise TypeError("it is not a JSON object")
        ours = facts.get("alworkbench", {})
        if not isinstance(ours, dict) or ours.get("format", FORMAT) != FORMAT:
            raise ValueError(f"its entry alworkbench is not of the format {FORMAT!r}")
        stored = {
            side: StoredPrior(
                _positive(facts, f"lambda_{short}"),
                _positive(facts, f"n_{short}"),
                int(_positive(ours, f"pairs_{short}")) if ours else PAIRS,
            )
            for side, short in _SIDES.items()
        }
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise _unreadable(path, f"{type(error).__name__}: {error}") from error
    made_for = ours.get("encoder_id", encoder_id)
    if made_for != encoder_id:
        raise EncoderMismatch(f"The factor folder {folder}", str(made_for)[:200], encoder_id)
    return stored


def _positive(facts: Mapping[str, Any], key: str) -> float:
    value = facts[key]
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{key} is {value!r}, expected a number")
    if not 0 < value < math.inf:
        raise ValueError(f"{key} is {value}, expected a positive number")
    return float(value)


def _read_factor(folder: Path, name: str, size: int, size_d: int, size_p: int) -> Tensor:
    path = folder / f"{name}.pt"
    if not path.exists():
        path = folder / name  # some copies of the published folders have no suffix
    try:
        _refuse_large(path, size)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or hostile file may fail in any part of the reader
        reason = str(error).strip().splitlines() or [""]
        raise _unreadable(path, f"{type(error).__name__}: {reason[0][:300]}") from error
    if (
        not isinstance(found, Tensor)
        or not found.is_floating_point()
        or found.layout != torch.strided
        or found.device.type != "cpu"
    ):
        raise _unreadable(path, "it is not one dense matrix of numbers")
    if found.shape != (size, size):
        raise EncoderMismatch(
            f"The factor {name} of shape {_shape(found)}",
            "with a last layer of that size",
            f"one whose {'image' if 'img' in name else 'text'} projection is {size_d} x {size_p} "
            f"(embedding x activation), where {name} must be {size} x {size}",
        )
    return found.detach()


def _refuse_large(path: Path, size: int) -> None:
    """Refuse an archive that would unpack to more than a float64 matrix, before it is unpacked."""
    # A factor of another, larger model must reach the error that names both shapes.
    most = 8 * max(size, 8192) ** 2 + (1 << 20)
    with zipfile.ZipFile(path) as archive:
        total = sum(entry.file_size for entry in archive.infolist())
    if total > most:
        raise ValueError(f"it unpacks to {total} bytes, more than a factor needs")


def _decomposed(factor: Float[Tensor, "M M"], name: str, folder: Path) -> Decomposition:
    asymmetry = _asymmetry(factor)
    if asymmetry > TOLERANCE:  # `decompose` refuses NaN with a message
        raise NotPositiveDefinite(
            f"The factor {name} in {folder} is not symmetric: entries differ by {asymmetry:.2g} of "
            f"the largest. Get the folder again, or fit a posterior with "
            f"`alworkbench fit --pairs captions.csv`."
        )
    return decompose(factor, name, TOLERANCE)


def _asymmetry(factor: Float[Tensor, "M M"]) -> float:
    largest = float(factor.abs().max())
    return float((factor - factor.T).abs().max()) / largest if largest else 0.0


def _shape(tensor: Tensor) -> str:
    return " x ".join(str(size) for size in tensor.shape) or "()"


def _unreadable(path: Path, reason: str) -> InvalidPosteriorFile:
    return InvalidPosteriorFile(
        f"{path} is not a readable part of a factor folder ({reason}). The folder needs "
        f"A_img_analytic.pt, B_img_analytic.pt, A_txt_analytic.pt and B_txt_analytic.pt, one matrix "
        f"each, and {PRIORS}. Nothing was imported; `alworkbench fit --pairs captions.csv` fits a "
        f"posterior instead."
    )
