"""Collections as simulations need them: encoded once with the bundled model, then read from a cache.

A cache file is `<collection>-r<recipe>-<encoder id>.safetensors`: features, truth and hashes of all
images, with the model's head and prompts, so that nothing has to be loaded to simulate on it. It
appears whole or not at all. One that cannot be read (cut short, say) is made again.

Dimensions used in this file
    N  images of pool and test part together
    C  classes
    P  image activation size    Q  text activation size    D  embedding size
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from alworkbench.datasets.cards import DatasetCard
from alworkbench.datasets.collections import find_collection
from alworkbench.datasets.labelled_images import (
    NO_CLASS,
    Collection,
    CollectionImages,
    LabelledImages,
)
from alworkbench.disk import write_atomically
from alworkbench.domain import ClassList
from alworkbench.encoders import Encoder, load_encoder
from alworkbench.encoders.feature_file import FeatureFile
from alworkbench.features import FeatureTable
from alworkbench.heads import Features, Head, ensemble_prompts
from alworkbench.posterior.bundled import PATH as POSTERIOR
from alworkbench.posterior.files import load_posterior
from alworkbench.progress import Progress, silent
from alworkbench.simulation.data import OUT_OF_SCOPE, SimulationData

ENCODER = "bundled"
FORMAT = "alworkbench-collection-1"
_DAMAGED = (OSError, SafetensorError, KeyError, ValueError, TypeError)
"""What reading a file raises that is no cache of ours, or not all of one."""
BATCH = 250
"""Images encoded at once. Features change in their last digits with it."""


@dataclass(frozen=True, slots=True)
class EncodedCollection:
    """What a cache file holds."""

    card: DatasetCard
    """With what was measured on it."""
    encoder_id: str
    head: Head
    hashes: tuple[str, ...]
    features: Features
    labels: Int[Tensor, "N"]
    """Class index, or OUT_OF_SCOPE."""
    pool_size: int
    """The first rows are the pool, all others the test part."""
    copy_of: Int[Tensor, "N"]
    """The row that a near-duplicate was made from; -1 for an original."""
    prompt_activations: Float[Tensor, "T Q"]
    prompt_classes: Int[Tensor, "T"]

    @property
    def classes(self) -> ClassList:
        return ClassList(tuple(self.card.classes))

    @property
    def class_activations(self) -> Float[Tensor, "C Q"]:
        return ensemble_prompts(self.head, self.prompt_activations, self.prompt_classes)


def load_collection(name: str, cache: Path, progress: Progress = silent) -> SimulationData:
    """A collection to simulate on, with the bundled model's features and posterior.

    Made, encoded and kept in `cache` the first time (up to a minute or two on two cores), read
    from there afterwards. Raises UnknownCollection, UnreadableSource where its source is missing.
    """
    posterior = load_posterior(POSTERIOR).posterior
    found = encoded(name, cache, progress)
    total = len(found.hashes)
    return SimulationData(
        name=name,
        encoder_id=found.encoder_id,
        head=found.head,
        posterior=posterior,
        classes=found.classes,
        class_activations=found.class_activations,
        table=FeatureTable.from_features(found.hashes, found.features),
        pool=torch.arange(found.pool_size),
        test=torch.arange(found.pool_size, total),
        labels=found.labels,
        role=found.card.role,
        card=asdict(found.card),
    )


def card(name: str, cache: Path) -> DatasetCard:
    """The card of a collection, with the zero-shot accuracies if it was ever encoded into `cache`."""
    collection = find_collection(name)
    facts = _facts(_file(collection, cache), collection)
    return collection.card if facts is None else _with_accuracy(collection.card, facts)


def encoded(name: str, cache: Path, progress: Progress = silent) -> EncodedCollection:
    """The collection's features, from the cache or made now; see `load_collection`."""
    collection = find_collection(name)
    path = _file(collection, cache)
    known = _read(path, collection)
    if known is not None:
        return known
    base = None if collection.base is None else encoded(collection.base, cache, progress)
    made = encode_collection(
        collection.card,
        collection.make(progress=progress),
        load_encoder(ENCODER, torch.device("cpu")),
        base,
        progress,
    )
    _write(path, made)
    return made


def encode_collection(
    promised: DatasetCard,
    images: CollectionImages,
    encoder: Encoder,
    base: EncodedCollection | None = None,
    progress: Progress = silent,
) -> EncodedCollection:
    """Encode images and prompts. What `base` holds of the same content is taken from there."""
    parts = (images.pool, images.test)
    hashes = [content for part in parts for content in part.hashes()]
    known = {content: row for row, content in enumerate(base.hashes)} if base else {}
    fresh = [row for row, content in enumerate(hashes) if content not in known]
    new = _encode(encoder, parts, fresh, progress)
    new_row = {row: k for k, row in enumerate(fresh)}
    together = new if base is None else Features.concatenate([new, base.features])
    rows = [
        new_row[row] if row in new_row else len(fresh) + known[content]
        for row, content in enumerate(hashes)
    ]
    labels = torch.from_numpy(np.concatenate([part.labels for part in parts]))
    prompts = [prompt for label in promised.classes for prompt in label.prompts]
    of_class = [c for c, label in enumerate(promised.classes) for _ in label.prompts]
    result = EncodedCollection(
        card=promised,
        encoder_id=encoder.id,
        head=encoder.head,
        hashes=tuple(hashes),
        features=together[torch.tensor(rows)],
        labels=torch.where(labels == NO_CLASS, OUT_OF_SCOPE, labels),
        pool_size=len(images.pool),
        copy_of=torch.from_numpy(
            np.concatenate([images.pool.copy_of, np.full(len(images.test), -1, np.int64)])
        ),
        prompt_activations=encoder.encode_prompts(prompts).clone(),
        prompt_classes=torch.tensor(of_class),
    )
    return replace(result, card=_measured(result))


def _encode(
    encoder: Encoder, parts: tuple[LabelledImages, ...], rows: list[int], progress: Progress
) -> Features:
    """Features of these rows of all parts, in blocks."""
    ends = np.cumsum([len(part) for part in parts])
    blocks = []
    for start in range(0, len(rows), BATCH):
        pixels = []
        for row in rows[start : start + BATCH]:
            number = int(np.searchsorted(ends, row, side="right"))
            image = parts[number].images[row - (ends[number] - len(parts[number]))]
            pixels.append(encoder.preprocess(PIL.Image.fromarray(image)))
        # Cloned: tensors of inference mode may not be used in computations with gradients.
        found = encoder.encode_images(torch.stack(pixels))
        residuals = None if found.residuals is None else found.residuals.clone()
        blocks.append(Features(found.activations.clone(), residuals))
        progress("encoding images", min(start + BATCH, len(rows)), len(rows))
    if not blocks:
        size = encoder.head.image_projection.shape[1]
        return Features(torch.zeros(0, size))
    return Features.concatenate(blocks)


def _measured(found: EncodedCollection) -> DatasetCard:
    """The card with the accuracy of the model as it is, on the test part."""
    test = torch.arange(found.pool_size, len(found.hashes))
    labels = found.labels[test]
    called = found.head.logits(found.features[test], found.class_activations).argmax(dim=1)
    right = (called == labels).double()
    by_class = [right[labels == c].mean().item() for c in sorted(set(labels.tolist()))]
    return replace(
        found.card,
        zero_shot_accuracy=right.mean().item(),
        zero_shot_balanced=float(np.mean(by_class)),
    )


def as_feature_file(name: str, cache: Path, progress: Progress = silent) -> FeatureFile:
    """A collection as a labelled features file, with its role. Such files carry no posterior."""
    found = encoded(name, cache, progress)
    in_pool = [row < found.pool_size for row in range(len(found.hashes))]
    return FeatureFile(
        encoder=ENCODER,
        head=found.head,
        features=found.features,
        class_names=found.classes.names,
        prompt_activations=found.prompt_activations,
        prompt_classes=found.prompt_classes,
        hashes=found.hashes,
        labels=found.labels,
        split=tuple("pool" if inside else "test" for inside in in_pool),
        role=found.card.role,
    )


# ------------------------------------------------------------------------------------- cache files


def _file(collection: Collection, cache: Path) -> Path:
    return cache / f"{collection.name}-r{collection.recipe}-{_encoder_id()}.safetensors"


@functools.cache
def _encoder_id() -> str:
    """Of the bundled model, as its posterior says, so that the model itself need not be loaded."""
    return load_posterior(POSTERIOR).posterior.encoder_id


def _write(path: Path, found: EncodedCollection) -> None:
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
    """What the file says of itself; None for one that is missing, damaged or of other classes."""
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


def _read(path: Path, collection: Collection) -> EncodedCollection | None:
    """What the file holds; None where it cannot be used, so that it is made again."""
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
    """Raises KeyError, TypeError or ValueError for what does not fit together."""
    scale, bias, loss = facts["head"]
    head = Head(tensors["image_projection"], tensors["text_projection"], scale, bias, loss)
    hashes = tuple(bytes(row).hex() for row in tensors["hashes"].tolist())
    features = Features(tensors["activations"], tensors.get("residuals"))
    total, labels = len(hashes), tensors["labels"]
    promised = collection.card
    if (
        facts["pool_size"] != promised.images("pool") + promised.outside
        or total != facts["pool_size"] + promised.images("test")
        or features.activations.shape != (total, head.image_projection.shape[1])
        or not features.activations.isfinite().all()
        or labels.shape != (total,)
        or tensors["copy_of"].shape != (total,)
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
        copy_of=tensors["copy_of"],
        prompt_activations=tensors["prompt_activations"],
        prompt_classes=tensors["prompt_classes"],
    )


def _classes(promised: DatasetCard) -> list[list[Any]]:
    return [[label.name, list(label.templates)] for label in promised.classes]
