"""Collections as data for simulations: encoded once with the bundled model, then read from a cache.

Dimensions used in this file
    P  image activation size
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from alworkbench.core.assets import BUNDLED_POSTERIOR
from alworkbench.core.domain import NO_CLASS
from alworkbench.core.progress import Progress, silent
from alworkbench.datasets.cards import DatasetCard
from alworkbench.datasets.collections import find_collection
from alworkbench.datasets.labelled_images import (
    CollectionImages,
    LabelledImages,
)
from alworkbench.encoders import Encoder, load_encoder
from alworkbench.encoders.head import Features
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.posterior_file import load_posterior
from alworkbench.simulation.cache import (
    EncodedCollection,
    cache_file,
    read_card,
    read_encoded,
    write_encoded,
)
from alworkbench.simulation.dataset import SimulationData

ENCODER = "bundled"
BATCH = 250
"""Images in one forward pass. Another number changes the last digits of features."""


def load_collection(name: str, cache: Path, progress: Progress = silent) -> SimulationData:
    """A collection with the features and the posterior of the bundled model.

    The first time, it is made, encoded (up to a minute on two cores) and stored in `cache`; afterwards it
    is read from there. Raises UnknownCollection, and UnreadableSource if its source is missing.
    """
    posterior = load_posterior(BUNDLED_POSTERIOR).posterior
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
    return read_card(cache_file(collection, cache), collection) or collection.card


def encoded(name: str, cache: Path, progress: Progress = silent) -> EncodedCollection:
    """The collection's features, from the cache or made now; see `load_collection`."""
    collection = find_collection(name)
    path = cache_file(collection, cache)
    known = read_encoded(path, collection)
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
    write_encoded(path, made)
    return made


def encode_collection(
    promised: DatasetCard,
    images: CollectionImages,
    encoder: Encoder,
    base: EncodedCollection | None = None,
    progress: Progress = silent,
) -> EncodedCollection:
    """Encode images and prompts. Features of equal images in `base` are reused."""
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
        labels=torch.where(labels == NO_CLASS, NO_CLASS, labels),
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
    """Features of some rows, counted over all parts."""
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
    """The card with the zero-shot accuracies on the test part."""
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
    """A collection as a labelled features file with its role, without a posterior."""
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
