"""Captions of clothing pictures, and the test which caption is true of which picture.

A caption names the class and up to three facts that are measured on the pixels: the brightness of the
object, the busyness of its surface, its height. Captions of one class therefore differ, and the image
tower must learn more than class names. A caption without a fact is true of every picture of its class,
so a batch has many true pairs and not only one in each row.

Dimensions used in this file
    N  pictures (and captions: one each)
    F  kinds of facts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int8, Int64, UInt8

TEMPLATES = (
    "a photo of a {}.",
    "a picture of a {}.",
    "an image of a {}.",
    "a photo of the {}.",
    "a grey photo of a {}.",
    "a small picture of one {}.",
    "{}",
)
ADJECTIVES = (
    ("dark", "medium", "bright"),
    ("plain", "mottled", "patterned"),
    ("low", "normal", "tall"),
)
"""Words for each kind of fact (brightness, busyness, height): lower, middle and upper third."""
MENTION = 0.4
"""Probability that a caption mentions a fact. It never mentions the middle third: that is hard to see."""
UNMENTIONED = -1


@dataclass(frozen=True, slots=True)
class Facts:
    """The third of the training pictures that each picture belongs to, for each kind of fact."""

    thirds: Int8[np.ndarray, "N F"]

    def __getitem__(self, rows: Int64[np.ndarray, "M"]) -> Facts:
        return Facts(self.thirds[rows])


@dataclass(frozen=True, slots=True)
class Captions:
    """Captions of N images as numbers: class, facts mentioned, sentence template."""

    classes: Int64[np.ndarray, "N"]
    mentioned: Int8[np.ndarray, "N F"]
    """The third that the caption claims, or UNMENTIONED."""
    templates: Int64[np.ndarray, "N"]

    def texts(self, names: Sequence[str]) -> list[str]:
        """The captions in words; `names` holds the class names by number."""
        return [
            TEMPLATES[template].format(
                " ".join(
                    [
                        *(ADJECTIVES[kind][t] for kind, t in enumerate(claims) if t != UNMENTIONED),
                        names[label],
                    ]
                )
            )
            for label, claims, template in zip(
                self.classes, self.mentioned, self.templates, strict=True
            )
        ]


def measure(images: UInt8[np.ndarray, "N 28 28"]) -> Float[np.ndarray, "N F"]:
    """Brightness of each object (0 to 1), mean step between its neighbouring pixels, height in rows."""
    values = images.astype(np.float32) / 255
    inside = images > 0  # N 28 28
    area = np.maximum(inside.sum(axis=(1, 2)), 1)
    brightness = values.sum(axis=(1, 2)) / area
    steps = np.abs(np.diff(values, axis=1)).sum(axis=(1, 2))
    steps += np.abs(np.diff(values, axis=2)).sum(axis=(1, 2))
    height = inside.any(axis=2).sum(axis=1) / images.shape[1]
    return np.stack([brightness, steps / area, height], axis=1).astype(np.float32)  # N F


def facts_of(images: UInt8[np.ndarray, "N 28 28"]) -> Facts:
    """The third of the collection that each image belongs to, for each measured fact."""
    measures = measure(images)
    bounds = np.quantile(measures, [1 / 3, 2 / 3], axis=0)  # 2 F
    return Facts((measures > bounds[0]).astype(np.int8) + (measures > bounds[1]).astype(np.int8))


def write_captions(
    classes: Int64[np.ndarray, "N"], facts: Facts, generator: np.random.Generator
) -> Captions:
    """One caption for each picture: a random template, and a random choice of its facts."""
    mention = generator.random(facts.thirds.shape) < MENTION
    claims = np.where(mention & (facts.thirds != 1), facts.thirds, UNMENTIONED).astype(np.int8)
    return Captions(classes, claims, generator.integers(len(TEMPLATES), size=len(classes)))


def truth(
    classes: Int64[np.ndarray, "N"], facts: Facts, captions: Captions
) -> Bool[np.ndarray, "N M"]:
    """[i, j]: whether caption j is true of picture i: the class and all its facts agree."""
    claims = captions.mentioned[None]  # 1 M F
    agree = (claims == UNMENTIONED) | (claims == facts.thirds[:, None])  # N M F
    return agree.all(axis=2) & (classes[:, None] == captions.classes[None])
