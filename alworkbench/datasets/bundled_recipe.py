"""The recipe of the bundled model, and the pictures and captions that it is trained on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8

from alworkbench.datasets.captions import Facts, facts_of, write_captions
from alworkbench.datasets.fashion_mnist import (
    CLASS_NAMES,
    DEFAULT_FOLDER,
    FashionMnist,
    load_fashion_mnist,
)
from alworkbench.datasets.sample import UNKNOWN_TO_BUNDLED_MODEL

FIRST_ROW = 30_000


@dataclass(frozen=True, slots=True)
class Recipe:
    """How the bundled model is trained."""

    seed: int = 0
    epochs: float = 12.0
    batch: int = 256
    learning_rate: float = 2e-3
    warm_up: int = 50
    """Steps of linear warm-up; a cosine decay to zero follows."""
    weight_decay: float = 0.1
    """Applied to matrices and kernels, not to embeddings, norms and biases."""
    shift: int = 4
    """Pictures are mirrored at random and shifted by up to this many of their 64 pixels."""
    start_scale: float = 10.0
    """The logit scale at the start; it is learned, with a maximum of 100 as in CLIP."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What the bundled model is trained on."""

    images: UInt8[np.ndarray, "N 28 28"]
    labels: Int64[np.ndarray, "N"]
    facts: Facts
    repeated: int
    """Pictures left out because the same pixels occur in the sources of the sample."""


class TrainingPairs(NamedTuple):
    """Pictures, each with a true caption: a posterior is fitted from them."""

    images: UInt8[np.ndarray, "N 28 28"]
    captions: list[str]


def training_data(data: FashionMnist) -> TrainingData:
    """The last 30,000 rows, without the four classes that the model must not know."""
    images, labels = data.train_images[FIRST_ROW:], data.train_labels[FIRST_ROW:].astype(np.int64)
    known = [i for i, name in enumerate(CLASS_NAMES) if name not in UNKNOWN_TO_BUNDLED_MODEL]
    images, labels = images[np.isin(labels, known)], labels[np.isin(labels, known)]
    sources = (data.train_images[:FIRST_ROW], data.test_images)
    forbidden = {image.tobytes() for source in sources for image in source}
    new = np.array([image.tobytes() not in forbidden for image in images])
    return TrainingData(images[new], labels[new], facts_of(images[new]), int((~new).sum()))


def training_pairs(
    count: int = 3000, seed: int = 0, folder: Path = DEFAULT_FOLDER
) -> TrainingPairs:
    """`count` different pictures that the model was trained on, each with a caption as in training.

    The same arguments give the same pairs. Raises UnreadableSource without Fashion-MNIST's files.
    """
    data, generator = training_data(load_fashion_mnist(folder)), np.random.default_rng(seed)
    rows = generator.choice(len(data.images), size=count, replace=False)
    captions = write_captions(data.labels[rows], data.facts[rows], generator)
    return TrainingPairs(data.images[rows], captions.texts(CLASS_NAMES))
