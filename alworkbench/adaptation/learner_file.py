"""Learners as files.

A file holds the weights that only a fit can find (`LearnedWeights`), and the labels that they were
learned from. The labelled images are named by content hash. Draws can then be conditioned on the labels
after a restart. Of the targets only the shares that are not zero are stored. A file carries the SHA-256 of
its content, which is checked on reading.

Dimensions used in this file
    n  labelled images
    C  classes
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from math import inf
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alworkbench.adaptation.learning import LearnedWeights, check_labels
from alworkbench.adaptation.pool_gaussians import PoolCoordinates, PoolGaussians, PoolTerm
from alworkbench.adaptation.prior import Prior
from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.core.sealed_tensors import check_seal, sealed
from alworkbench.core.tensors import floats, integers
from alworkbench.posterior.linearisation import WeightUpdate

FORMAT = "alworkbench-learner-5"
OLDER = tuple(f"alworkbench-learner-{version}" for version in range(1, 5))
"""Formats without, one after the other: a residual head, a class prior, a head that sees embeddings,
the labels."""

_UPDATE_NAMES = ("image", "text", "own", "embedded", "offset")
"""Names in the file of the fields of a `WeightUpdate`, in their order."""
_CLASS_PRIOR_NAME = "log_shares"
_PLACES_NAME, _SHARES_NAME, _LABEL_WEIGHTS_NAME = "label_places", "label_shares", "label_weights"
"""Image and class of each share that is not zero (k 2), the shares (k), and the weights of the labels (n)."""
_POOL_NAMES = ("pool_mean", "pool_directions", "pool_weights", "pool_offsets", "pool_left_out")
"""Names in the file of the tensors of a `PoolTerm`; its numbers are metadata."""


@dataclass(frozen=True, slots=True)
class StoredLearner:
    """What a learner file holds."""

    weights: LearnedWeights
    hashes: tuple[str, ...]
    """Content hashes of the labelled images."""
    labels: tuple[Float[Tensor, "n C"], Float[Tensor, "n"]] | None
    """Targets and weights of the labels, float64. None: an older format, which does not hold them."""


def save_learner(
    path: Path,
    weights: LearnedWeights,
    hashes: Sequence[str],
    targets: Float[Tensor, "n C"],
    label_weights: Float[Tensor, "n"],
    encoder_id: str,
) -> None:
    """Write a learner file, atomically; `hashes`, `targets` and `label_weights` are the n labels."""
    parts = {
        name: getattr(weights.update, field.name)
        for name, field in zip(_UPDATE_NAMES, fields(WeightUpdate), strict=True)
    }
    parts[_CLASS_PRIOR_NAME] = weights.log_class_prior
    parts[_PLACES_NAME] = places = targets.nonzero()
    parts[_SHARES_NAME] = targets[places[:, 0], places[:, 1]].double()
    parts[_LABEL_WEIGHTS_NAME] = label_weights.double()
    term = weights.pool_term
    if term is not None:
        parts.update(zip(_POOL_NAMES, _pool_tensors(term), strict=True))
    tensors = {name: part.cpu().contiguous() for name, part in parts.items() if part is not None}
    metadata = {"format": FORMAT, "encoder_id": encoder_id, "hashes": json.dumps(list(hashes))}
    metadata["classes"] = str(targets.shape[1])
    if weights.prior is not None:
        metadata["prior"] = json.dumps(weights.prior.as_record())
    if term is not None:
        numbers = (term.label_scale, term.pool_scale, term.folds)
        metadata["pool"] = json.dumps(numbers)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, sealed(tensors, metadata))


def load_learner(path: Path) -> StoredLearner:
    """Read a learner file: the update in float32 and the class prior in float64, as learning gives them.

    Raises InvalidPosteriorFile for a file that is no learner of a known format.
    """
    try:
        check_seal(path)
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") not in (FORMAT, *OLDER):
                raise ValueError(f"format {metadata.get('format')!r}, needed {FORMAT!r}")
            held = set(file.keys())
            hashes = tuple(json.loads(metadata["hashes"]))
            labels = None
            if metadata["format"] == FORMAT:
                labels = _read_labels(file, len(hashes), int(metadata["classes"]))
            image, text = (floats(file.get_tensor(name), name) for name in _UPDATE_NAMES[:2])
            own, embedded, offset = (
                floats(file.get_tensor(name), name) if name in held else None
                for name in _UPDATE_NAMES[2:]
            )
            log_class_prior = None
            if _CLASS_PRIOR_NAME in held:
                values = file.get_tensor(_CLASS_PRIOR_NAME)
                log_class_prior = floats(values, _CLASS_PRIOR_NAME, torch.float64)
            pool_term = _read_pool_term(file, metadata, len(hashes))
        if (own is None and embedded is None) != (offset is None):
            raise ValueError("residual head weights and offsets must be given together")
        known = metadata.get("prior")
        if (offset is None) != (known is None):
            raise ValueError("residual head weights and prior must be given together")
        update = WeightUpdate(image, text, own, embedded, offset)
        prior = None if known is None else Prior.from_record(json.loads(known))
        weights = LearnedWeights(update, prior, log_class_prior, pool_term)
        return StoredLearner(weights, hashes, labels)
    except (OSError, SafetensorError, LookupError, TypeError, ValueError) as error:
        raise InvalidPosteriorFile(
            f"{path} is not a readable learner file ({error}). Learn again from the stored labels with "
            f"`alworkbench learn`."
        ) from error


def _pool_tensors(term: PoolTerm) -> tuple[Tensor, ...]:
    gaussians = term.gaussians
    coordinates = gaussians.coordinates
    return (
        *(coordinates.mean, coordinates.directions),
        *(gaussians.weights, gaussians.offsets, term.left_out),
    )


def _read_pool_term(file: safe_open, metadata: Mapping[str, str], count: int) -> PoolTerm | None:
    """What the pool taught, if anything. Raises ValueError or LookupError where it does not fit together."""
    if "pool" not in metadata:
        return None
    label_scale, pool_scale, folds = json.loads(metadata["pool"])
    mean, directions, weights, offsets, left_out = (
        floats(file.get_tensor(name), name) for name in _POOL_NAMES
    )
    if (
        directions.shape != (weights.shape[1], len(mean))
        or len(weights) != len(offsets)
        or left_out.shape != (count, len(offsets))
    ):
        raise ValueError(f"{', '.join(_POOL_NAMES)} do not fit together")
    scales = float(label_scale), float(pool_scale)
    if not all(0 <= scale < inf for scale in scales) or not 0 <= int(folds) <= count:
        raise ValueError(f"pool holds two scales and a number of folds, found {metadata['pool']}")
    gaussians = PoolGaussians(PoolCoordinates(mean, directions), weights, offsets)
    return PoolTerm(gaussians, *scales, left_out, int(folds))


def _read_labels(
    file: safe_open, count: int, classes: int
) -> tuple[Float[Tensor, "n C"], Float[Tensor, "n"]]:
    """Targets and weights. Raises ValueError or LookupError for arrays that are not those of n labels."""
    places = integers(file.get_tensor(_PLACES_NAME), _PLACES_NAME)
    shares = floats(file.get_tensor(_SHARES_NAME), _SHARES_NAME, torch.float64)
    weights = floats(file.get_tensor(_LABEL_WEIGHTS_NAME), _LABEL_WEIGHTS_NAME, torch.float64)
    if places.shape != (len(shares), 2) or bool((places < 0).any()) or len(weights) != count:
        raise ValueError(
            f"{_PLACES_NAME}, {_SHARES_NAME} or {_LABEL_WEIGHTS_NAME} has a wrong shape"
        )
    targets = torch.zeros(count, classes, dtype=torch.float64)
    targets[places[:, 0], places[:, 1]] = shares
    check_labels(targets, weights)
    return targets, weights
