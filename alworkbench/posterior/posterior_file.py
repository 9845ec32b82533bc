"""Posterior files: safetensors with the decomposed factors and their provenance.

The metadata are strings: format, encoder_id, created_at, provenance (JSON), and for each side pairs,
prior_precision and pseudo_data_weight. Means are read as float32, eigenvalues and eigenvectors as float64,
whatever type they have in the file. Nothing in the file can be executed. A file carries the SHA-256 of its
content, which is checked on reading.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import EncoderMismatch, InvalidPosteriorFile
from alworkbench.core.sealed_tensors import check_seal, sealed
from alworkbench.core.tensors import floats
from alworkbench.posterior.kronecker import KroneckerPosterior, Posterior, Spectrum

FORMAT = "alworkbench-posterior-1"

_SIDES = ("image", "text")
_TENSORS = (
    "mean",
    "activation_values",
    "activation_vectors",
    "embedding_values",
    "embedding_vectors",
)


@dataclass(frozen=True, slots=True)
class PosteriorFile:
    """What a posterior file holds."""

    posterior: Posterior
    created_at: datetime
    provenance: Mapping[str, Any]


def save_posterior(
    path: Path, posterior: Posterior, *, created_at: datetime, provenance: Mapping[str, Any]
) -> None:
    """Write a posterior file, atomically; `provenance` says what it was fitted from.

    Strengths are not stored. Folders that are missing are made.
    """
    tensors: dict[str, Tensor] = {}
    metadata = {
        "format": FORMAT,
        "encoder_id": posterior.encoder_id,
        "created_at": created_at.isoformat(),
        "provenance": json.dumps(dict(provenance), sort_keys=True),
    }
    for side, belief in (("image", posterior.image), ("text", posterior.text)):
        tensors[f"{side}.mean"] = belief.mean.contiguous()
        tensors[f"{side}.activation_values"] = belief.activation.values.contiguous()
        # Eigenvectors in float32 halve the file; reading makes them orthonormal in float64 again.
        tensors[f"{side}.activation_vectors"] = belief.activation.vectors.float().contiguous()
        tensors[f"{side}.embedding_values"] = belief.embedding.values.contiguous()
        tensors[f"{side}.embedding_vectors"] = belief.embedding.vectors.float().contiguous()
        metadata[f"{side}.pairs"] = str(belief.pairs)
        metadata[f"{side}.prior_precision"] = repr(belief.prior_precision)
        metadata[f"{side}.pseudo_data_weight"] = repr(belief.pseudo_data_weight)
    if posterior.learning_weight is not None:
        metadata["learning_weight"] = repr(posterior.learning_weight)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, sealed(tensors, metadata))


def load_posterior(path: Path, *, encoder_id: str | None = None) -> PosteriorFile:
    """Read a posterior file.

    Raises InvalidPosteriorFile for anything that is not such a file, and EncoderMismatch for a
    posterior of another encoder than `encoder_id`, if one is given.
    """
    try:
        check_seal(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InvalidPosteriorFile(
                    f"{path} is not a posterior file of this version: its format is "
                    f"{metadata.get('format')!r}, expected {FORMAT!r}. Fit one with "
                    f"`alworkbench fit --pairs captions.csv`."
                )
            tensors = {
                f"{side}.{name}": file.get_tensor(f"{side}.{name}")
                for side in _SIDES
                for name in _TENSORS
            }
        posterior = Posterior(
            _side("image", tensors, metadata),
            _side("text", tensors, metadata),
            metadata["encoder_id"],
            _learning_weight(metadata),
        )
        created_at = datetime.fromisoformat(metadata["created_at"])
        provenance = json.loads(metadata["provenance"])
    except (OSError, SafetensorError, KeyError, ValueError, json.JSONDecodeError) as error:
        raise InvalidPosteriorFile(
            f"{path} is not a readable posterior file ({error}). Fit one with "
            f"`alworkbench fit --pairs captions.csv`."
        ) from error
    if encoder_id is not None and posterior.encoder_id != encoder_id:
        raise EncoderMismatch(f"The posterior {path.name}", posterior.encoder_id, encoder_id)
    return PosteriorFile(posterior, created_at, provenance)


def _learning_weight(metadata: Mapping[str, str]) -> float | None:
    stored = metadata.get("learning_weight")
    if stored is None:
        return None
    if not 0 < float(stored) < math.inf:
        raise ValueError("the learning weight must be positive and finite")
    return float(stored)


def _side(
    side: str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> KroneckerPosterior:
    mean = floats(tensors[f"{side}.mean"], f"{side}.mean")
    size_d, size_p = mean.shape
    spectra = []
    for name, size in (("activation", size_p), ("embedding", size_d)):
        values, vectors = (
            floats(tensors[key], key, torch.float64)
            for key in (f"{side}.{name}_values", f"{side}.{name}_vectors")
        )
        if values.shape != (size,) or vectors.shape != (size, size):
            raise ValueError(
                f"the {side} {name} factor does not fit a projection of {size_d} x {size_p}"
            )
        if not bool((values >= 0).all()):
            raise ValueError(f"the {side} {name} factor has negative eigenvalues")
        # Orthonormal in float64 again: float32 keeps seven digits only.
        spectra.append(Spectrum(values, torch.linalg.qr(vectors).Q))
    prior = float(metadata[f"{side}.prior_precision"])
    weight = float(metadata[f"{side}.pseudo_data_weight"])
    pairs = int(metadata[f"{side}.pairs"])
    if not (prior > 0 and weight > 0 and pairs > 0):
        raise ValueError("prior precision, pseudo-data weight and pairs must be positive")
    return KroneckerPosterior(mean, spectra[0], spectra[1], pairs, prior, weight)
