"""Encoded collections as files of a cache: features, labels, hashes, and the model's head and prompts.

A file is named `<collection>-r<recipe>-<encoder id>.safetensors`. It appears whole or not at all. A file
that cannot be read, or that contradicts the collection's card, counts as missing.

Dimensions used in this file
    N  images of pool and test part together
    C  classes
    T  prompts
    Q  text activation size
"""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from alworkbench.core.assets import BUNDLED_POSTERIOR
from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ClassList
from alworkbench.core.tensors import floats, integers
from alworkbench.datasets.cards import DatasetCard
from alworkbench.datasets.labelled_images import Collection
from alworkbench.encoders.head import Features, Head, ensemble_prompts
from alworkbench.posterior.posterior_file import load_posterior

FORMAT = "alworkbench-collection-1"
_FLOATS = ("activations", "residuals", "image_projection", "text_projection", "prompt_activations")
_INTEGERS = ("labels", "copy_of", "prompt_classes")
_DAMAGED = (OSError, SafetensorError, KeyError, ValueError, TypeError)
"""Raised when a file is damaged or of another kind."""


@dataclass(frozen=True, slots=True)
class EncodedCollection:
    """The contents of a cache file."""

    card: DatasetCard
    """The card, with the measured zero-shot accuracies."""
    encoder_id: str
    head: Head
    hashes: tuple[str, ...]
    features: Features
    labels: Int[Tensor, "N"]
    """Class index, or NO_CLASS."""
    pool_size: int
    """The first rows are the pool, the others the test part."""
    copy_of: Int[Tensor, "N"]
    """Row of the original of a near-duplicate; -1 for an original."""
    prompt_activations: Float[Tensor, "T Q"]
    prompt_classes: Int[Tensor, "T"]

    @property
    def classes(self) -> ClassList:
        """Its classes with their prompts."""
        return ClassList(tuple(self.card.classes))

    @property
    def class_activations(self) -> Float[Tensor, "C Q"]:
        """Mean prompt activation (C, Q) of each class."""
        return ensemble_prompts(self.head, self.prompt_activations, self.prompt_classes)


def cache_file(collection: Collection, cache: Path) -> Path:
    """The path of a collection's file; it need not exist."""
    return cache / f"{collection.name}-r{collection.recipe}-{_encoder_id()}.safetensors"


@functools.cache
def _encoder_id() -> str:
    """Id of the bundled model, read from its posterior, so that the model need not be loaded."""
    return load_posterior(BUNDLED_POSTERIOR).posterior.encoder_id


def write_encoded(path: Path, found: EncodedCollection) -> None:
    """Write the file, whole or not at all. Missing folders are made."""
    tensors = {
        "activations": found.features.activations,
        "labels": found.labels,
        "copy_of": found.copy_of,
        "hashes": torch.tensor([list(bytes.fromhex(h)) for h in found.hashes], dtype=torch.uint8),
        "image_projection": found.head.image_projection,
        "text_projection": found.head.text_projection,
        "prompt_activations": found.prompt_activations,
        "prompt_classes": found.prompt_classes,
    }
    if found.features.residuals is not None:
        tensors["residuals"] = found.features.residuals
    facts = {
        "encoder_id": found.encoder_id,
        "classes": _classes(found.card),
        "pool_size": found.pool_size,
        "zero_shot": [found.card.zero_shot_accuracy, found.card.zero_shot_balanced],
        "head": [found.head.logit_scale, found.head.logit_bias, found.head.loss],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(contiguous, {"format": FORMAT, "facts": json.dumps(facts)}))


def _facts(path: Path, collection: Collection) -> dict[str, Any] | None:
    """The facts in the file; None if it is missing, damaged or of other classes."""
    if not path.is_file():
        return None
    try:
        # Opening compares the file's length with what its tensors need: a short one is refused.
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        facts = json.loads(metadata["facts"])
        fits = metadata["format"] == FORMAT and facts["classes"] == _classes(collection.card)
        _with_accuracy(collection.card, facts)
    except _DAMAGED:
        return None
    return facts if fits else None


def read_card(path: Path, collection: Collection) -> DatasetCard | None:
    """The card with the measured accuracies; None if the file cannot be used. Reads no features."""
    facts = _facts(path, collection)
    return None if facts is None else _with_accuracy(collection.card, facts)


def read_encoded(path: Path, collection: Collection) -> EncodedCollection | None:
    """The contents of the file; None if it cannot be used."""
    facts = _facts(path, collection)
    if facts is None:
        return None
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return _checked(facts, tensors, collection)
    except _DAMAGED:
        return None


def _with_accuracy(promised: DatasetCard, facts: dict[str, Any]) -> DatasetCard:
    accuracy, balanced = (float(value) for value in facts["zero_shot"])
    return replace(promised, zero_shot_accuracy=accuracy, zero_shot_balanced=balanced)


def _checked(
    facts: dict[str, Any], tensors: dict[str, Tensor], collection: Collection
) -> EncodedCollection:
    """Raises KeyError, TypeError or ValueError if the contents do not fit together."""
    scale, bias, loss = facts["head"]
    given = [name for name in _FLOATS if name != "residuals" or name in tensors]
    numbers = {name: floats(tensors[name], name) for name in given}
    labels, copy_of, prompt_classes = (integers(tensors[name], name) for name in _INTEGERS)
    head = Head(numbers["image_projection"], numbers["text_projection"], scale, bias, loss)
    hashes = tuple(bytes(row).hex() for row in tensors["hashes"].tolist())
    features = Features(numbers["activations"], numbers.get("residuals"))
    total = len(hashes)
    promised = collection.card
    if (
        facts["pool_size"] != promised.images("pool") + promised.outside
        or total != facts["pool_size"] + promised.images("test")
        or features.activations.shape != (total, head.image_projection.shape[1])
        or labels.shape != (total,)
        or copy_of.shape != (total,)
        or int(labels.max()) >= len(promised.classes)
    ):
        raise ValueError("it does not hold what the card says")
    return EncodedCollection(
        card=_with_accuracy(promised, facts),
        encoder_id=facts["encoder_id"],
        head=head,
        hashes=hashes,
        features=features,
        labels=labels,
        pool_size=facts["pool_size"],
        copy_of=copy_of,
        prompt_activations=numbers["prompt_activations"],
        prompt_classes=prompt_classes,
    )


def _classes(promised: DatasetCard) -> list[list[Any]]:
    return [[label.name, list(label.templates)] for label in promised.classes]
