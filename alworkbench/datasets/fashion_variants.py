"""`fashion` and three variants with a difficult pool: rare classes, near-duplicates, images of no class.

All four share their test part and most of their pool. Their pool comes from rows that the bundled model
was not trained on, and they share no picture with the bundled sample: methods that were chosen on the
sample were not chosen on these.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import replace

import numpy as np
from jaxtyping import Int64, UInt8
from PIL import Image

from alworkbench.core.domain import NO_CLASS
from alworkbench.core.progress import Progress
from alworkbench.datasets.cards import DatasetCard, imbalance_of
from alworkbench.datasets.fashion_mnist import CLASS_NAMES, DEFAULT_FOLDER, load_fashion_mnist
from alworkbench.datasets.glyphs import CLASSES as GLYPH_CLASSES
from alworkbench.datasets.glyphs import draw_glyph
from alworkbench.datasets.labelled_images import (
    POOL,
    TEST,
    Collection,
    CollectionImages,
    LabelledImages,
)
from alworkbench.datasets.package_images import all_digits
from alworkbench.datasets.sample import (
    BY_FREQUENCY,
    SAMPLE,
    UNKNOWN_TO_BUNDLED_MODEL,
    bundled_sample,
)

SIDE = 28
POOL_ROWS = 30_000
"""The bundled model was trained on the rows from this one on."""
POOL_PER_CLASS = 2000
TEST_PER_CLASS = 900
"""Test images of each class: the published 1,000 without the 100 of the bundled sample."""
RARE_PER_CLASS = POOL_PER_CLASS // 100
COPIES_PER_CLASS = POOL_PER_CLASS * 3 // 10
OUTSIDE_DIGITS, OUTSIDE_GLYPHS = 1500, 2500
INSIDE_PER_CLASS = POOL_PER_CLASS - (OUTSIDE_DIGITS + OUTSIDE_GLYPHS) // len(CLASS_NAMES)
COPY_NOISE = 4.0
"""Standard deviation of the noise in grey levels, on pixels that are not black."""
NUMBERS = range(len(CLASS_NAMES))


# ------------------------------------------------------------------------------------- the sample


def sample_images() -> CollectionImages:
    """The bundled sample, in the order of its manifest."""
    number_of = {name: k for k, name in enumerate(CLASS_NAMES)}
    images: dict[str, list[UInt8[np.ndarray, "28 28"]]] = {POOL: [], TEST: []}
    labels: dict[str, list[int]] = {POOL: [], TEST: []}
    with zipfile.ZipFile(bundled_sample()) as archive:
        manifest = io.StringIO(archive.read("manifest.csv").decode())
        for row in csv.DictReader(manifest):
            with Image.open(io.BytesIO(archive.read(row["path"]))) as picture:
                images[row["split"]].append(np.array(picture))
            labels[row["split"]].append(number_of[row["label"]])
    pool, test = (
        LabelledImages.originals(np.stack(images[part]), np.array(labels[part], np.int64))
        for part in (POOL, TEST)
    )
    return CollectionImages(pool, test)


# ----------------------------------------------------------------------------------- the variants


def _balanced(seed: int, progress: Progress) -> CollectionImages:
    data = load_fashion_mnist()
    sample = sample_images()
    seen = {image.tobytes() for part in (sample.pool, sample.test) for image in part.images}
    generator = np.random.default_rng(seed)
    parts = []
    # The test part first: a picture that is in both files belongs to it, for every seed.
    for images, labels, rows, wanted in (
        (data.test_images, data.test_labels, len(data.test_images), TEST_PER_CLASS),
        (data.train_images, data.train_labels, POOL_ROWS, POOL_PER_CLASS),
    ):
        left = dict.fromkeys(NUMBERS, wanted)
        taken = []
        for row in generator.permutation(rows).tolist():
            content, label = images[row].tobytes(), int(labels[row])
            if left[label] and content not in seen:
                left[label] -= 1
                seen.add(content)
                taken.append(row)
        chosen = np.array(taken)[generator.permutation(len(taken))]
        parts.append(LabelledImages.originals(images[chosen], labels[chosen].astype(np.int64)))
    test, pool = parts
    return CollectionImages(pool, test)


def _rare(seed: int, progress: Progress) -> CollectionImages:
    balanced = _balanced(seed, progress)
    rare = [CLASS_NAMES.index(name) for name in UNKNOWN_TO_BUNDLED_MODEL]
    wanted = [RARE_PER_CLASS if k in rare else POOL_PER_CLASS for k in NUMBERS]
    pool = balanced.pool.take(_first_of_each(balanced.pool.labels, wanted))
    return CollectionImages(pool, balanced.test)


def _duplicates(seed: int, progress: Progress) -> CollectionImages:
    balanced = _balanced(seed, progress)
    kept = balanced.pool.take(
        _first_of_each(balanced.pool.labels, [POOL_PER_CLASS - COPIES_PER_CLASS] * len(NUMBERS))
    )
    generator = np.random.default_rng([seed, 1])
    sources = np.sort(_first_of_each(kept.labels, [COPIES_PER_CLASS] * len(NUMBERS)))
    copies = np.stack([near_copy(generator, kept.images[row]) for row in sources])
    together = LabelledImages(
        np.concatenate([kept.images, copies]),
        np.concatenate([kept.labels, kept.labels[sources]]),
        np.concatenate([kept.copy_of, sources]),
    )
    return CollectionImages(together.take(generator.permutation(len(together))), balanced.test)


def near_copy(
    generator: np.random.Generator, image: UInt8[np.ndarray, "28 28"]
) -> UInt8[np.ndarray, "28 28"]:
    """The picture shifted by one pixel in one of eight directions, with a little noise on the object."""
    shifts = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1) if (y, x) != (0, 0)]
    y, x = shifts[generator.integers(len(shifts))]
    moved = np.pad(image, 1)[1 - y : SIDE + 1 - y, 1 - x : SIDE + 1 - x].astype(np.float64)
    noisy = moved + generator.normal(size=moved.shape) * COPY_NOISE * (moved > 0)
    return noisy.round().clip(0, 255).astype(np.uint8)


def _outside(seed: int, progress: Progress) -> CollectionImages:
    balanced = _balanced(seed, progress)
    inside = balanced.pool.take(
        _first_of_each(balanced.pool.labels, [INSIDE_PER_CLASS] * len(NUMBERS))
    )
    generator = np.random.default_rng([seed, 2])
    digits = all_digits().images
    chosen = generator.permutation(len(digits))[:OUTSIDE_DIGITS]
    size = (SIDE, SIDE)
    strangers = [
        np.asarray(Image.fromarray(digits[row]).resize(size, Image.Resampling.BICUBIC))
        for row in chosen
    ]
    strangers += [
        draw_glyph(generator, int(generator.integers(len(GLYPH_CLASSES))))
        for _ in range(OUTSIDE_GLYPHS)
    ]
    together = LabelledImages.originals(
        np.concatenate([inside.images, np.stack(strangers)]),
        np.concatenate([inside.labels, np.full(len(strangers), NO_CLASS, np.int64)]),
    )
    return CollectionImages(together.take(generator.permutation(len(together))), balanced.test)


def _first_of_each(labels: Int64[np.ndarray, "N"], wanted: list[int]) -> Int64[np.ndarray, "M"]:
    """Rows of the first `wanted[c]` of each class c, in their order."""
    rows = [np.flatnonzero(labels == c)[:count] for c, count in enumerate(wanted)]
    return np.sort(np.concatenate(rows))


# ------------------------------------------------------------------------------------- the cards


def _missing() -> str | None:
    files = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    if all((DEFAULT_FOLDER / f"{name}-ubyte.gz").is_file() for name in files):
        return None
    return f"install dataset-fashion-mnist (Debian), which puts Fashion-MNIST into {DEFAULT_FOLDER}"


_CARD = DatasetCard(
    name="fashion",
    source=(
        "Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747): pool from rows 0 to "
        "29,999 of the training files, test part from the test files, without the bundled sample"
    ),
    licence="MIT, copyright 2017 Zalando SE",
    classes=SAMPLE.classes,
    sizes={
        POOL: dict.fromkeys(CLASS_NAMES, POOL_PER_CLASS),
        TEST: dict.fromkeys(CLASS_NAMES, TEST_PER_CLASS),
    },
    imbalance=1.0,
    purpose="A large balanced pool of what the bundled model knows for the most part",
    role="report",
)
_RARE_POOL = {
    name: RARE_PER_CLASS if name in UNKNOWN_TO_BUNDLED_MODEL else POOL_PER_CLASS
    for name in CLASS_NAMES
}

SAMPLE_COLLECTION = Collection(
    replace(
        SAMPLE,
        name="sample",
        sizes={
            POOL: {name: SAMPLE.sizes[POOL][name] for name in CLASS_NAMES},
            TEST: SAMPLE.sizes[TEST],
        },
    ),
    summary=f"The bundled sample of clothes, long-tailed from {BY_FREQUENCY[0]} to {BY_FREQUENCY[-1]}",
    recipe=1,
    draw=lambda seed, progress: sample_images(),
)
FASHION = Collection(
    _CARD,
    summary="Clothes in a large balanced pool",
    recipe=1,
    draw=_balanced,
    missing=_missing,
)
FASHION_RARE = Collection(
    replace(
        _CARD,
        name="fashion-rare",
        sizes={**_CARD.sizes, POOL: _RARE_POOL},
        imbalance=imbalance_of(_RARE_POOL),
        purpose="Whether the classes that the bundled model does not know are found when rare",
    ),
    summary="The same with 1 in 100 of the four classes that the bundled model does not know",
    recipe=1,
    draw=_rare,
    missing=_missing,
    base="fashion",
)
FASHION_DUPLICATES = Collection(
    replace(
        _CARD,
        name="fashion-duplicates",
        near_duplicates=COPIES_PER_CLASS * len(CLASS_NAMES),
        purpose="What near-duplicates cost: copies one pixel further and a little noisy",
    ),
    summary="The same pool, 30 % of it near-duplicates of the rest",
    recipe=1,
    draw=_duplicates,
    missing=_missing,
    base="fashion",
)
FASHION_OUTSIDE = Collection(
    replace(
        _CARD,
        name="fashion-outside",
        source=f"{_CARD.source}; digits of scikit-learn and drawn letters as images of no class",
        sizes={**_CARD.sizes, POOL: dict.fromkeys(CLASS_NAMES, INSIDE_PER_CLASS)},
        outside=OUTSIDE_DIGITS + OUTSIDE_GLYPHS,
        purpose="What images that no class fits cost; the test part has none of them",
    ),
    summary="The same pool, 20 % of it digits and letters, which no class fits",
    recipe=1,
    draw=_outside,
    missing=_missing,
    base="fashion",
)
