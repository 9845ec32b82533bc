"""Collections that a seeded generator draws, with a given number of different pictures of each class."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, UInt8

from alworkbench.core.progress import Progress
from alworkbench.datasets.labelled_images import CollectionImages, LabelledImages

DrawOne = Callable[[np.random.Generator, int], UInt8[np.ndarray, "H W"]]
"""A picture of the class with this index."""


def draw_collection(
    seed: int,
    pool: Sequence[int],
    test: Sequence[int],
    draw: DrawOne,
    progress: Progress,
) -> CollectionImages:
    """As many pictures as `counts` says, shuffled within each part. A repeated picture is drawn again."""
    seen: set[bytes] = set()
    parts = []
    total, done = sum(pool) + sum(test), 0
    for number, counts in enumerate((pool, test)):
        generator = np.random.default_rng([seed, number])
        labels = generator.permutation(np.repeat(np.arange(len(counts)), counts))
        images = []
        for label in labels.tolist():
            image = draw(generator, label)
            while (content := image.tobytes()) in seen:
                image = draw(generator, label)
            seen.add(content)
            images.append(image)
            done += 1
            progress("drawing images", done, total)
        parts.append(LabelledImages.originals(np.stack(images), labels.astype(np.int64)))
    return CollectionImages(*parts)


def expose(
    generator: np.random.Generator,
    picture: Float[np.ndarray, "H W"],
    *,
    least_contrast: float,
    noise: float,
) -> UInt8[np.ndarray, "H W"]:
    """The picture of values 0 to 1 in grey: two random levels, the darker one at either end, and noise.

    `least_contrast` is a share of the range from black to white; `noise` is the largest standard
    deviation in grey levels.
    """
    contrast = generator.uniform(least_contrast, 1.0)
    dark = generator.uniform(0.0, 1.0 - contrast)
    if generator.random() < 0.5:
        picture = 1.0 - picture
    levels = 255.0 * (dark + contrast * picture)
    levels = levels + generator.normal(size=picture.shape) * generator.uniform(0.0, noise)
    return levels.round().clip(0, 255).astype(np.uint8)
