"""Images of the package scikit-learn: `digits`, and `patches` of its two photographs."""

from __future__ import annotations

import numpy as np

from alworkbench.core.domain import LabelClass
from alworkbench.core.progress import Progress
from alworkbench.datasets.cards import DatasetCard, imbalance_of
from alworkbench.datasets.glyphs import DIGIT_NAMES
from alworkbench.datasets.labelled_images import (
    POOL,
    TEST,
    Collection,
    CollectionImages,
    LabelledImages,
)

# ------------------------------------------------------------------------------------------ digits

LARGEST_DIGIT_LEVEL = 16
DIGITS_BY_CLASS = (178, 182, 177, 183, 181, 182, 181, 179, 174, 180)
"""Class names in the published order."""
DIGITS_TEST_PER_CLASS = 50


def all_digits() -> LabelledImages:
    """The 1,797 pictures in the published order, 8 x 8 pixels, white on black."""
    from sklearn.datasets import load_digits

    found = load_digits()
    images = (found.images * (255 / LARGEST_DIGIT_LEVEL)).round().astype(np.uint8)
    return LabelledImages.originals(images, found.target.astype(np.int64))


def _draw_digits(seed: int, progress: Progress) -> CollectionImages:
    everything = all_digits()
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(everything))
    rank = np.zeros(len(everything), np.int64)  # within the class, along the shuffled order
    for label in range(len(DIGIT_NAMES)):
        mine = order[everything.labels[order] == label]
        rank[mine] = np.arange(len(mine))
    is_test = rank[order] < DIGITS_TEST_PER_CLASS
    return CollectionImages(everything.take(order[~is_test]), everything.take(order[is_test]))


_DIGITS_POOL = {
    name: count - DIGITS_TEST_PER_CLASS
    for name, count in zip(DIGIT_NAMES, DIGITS_BY_CLASS, strict=True)
}
DIGITS = Collection(
    DatasetCard(
        name="digits",
        source=(
            "Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998, UCI Machine "
            "Learning Repository, doi:10.24432/C50P49), its test part as scikit-learn brings it"
        ),
        licence="CC BY 4.0",
        classes=tuple(
            LabelClass(name, ("a photo of the digit {}.", "a picture of the number {}."))
            for name in DIGIT_NAMES
        ),
        sizes={POOL: _DIGITS_POOL, TEST: dict.fromkeys(DIGIT_NAMES, DIGITS_TEST_PER_CLASS)},
        imbalance=imbalance_of(_DIGITS_POOL),
        purpose="A small pool of a domain that the bundled model never saw",
        role="dev",
    ),
    summary="Handwritten digits of 8 x 8 pixels, from scikit-learn",
    recipe=1,
    draw=_draw_digits,
)

# ----------------------------------------------------------------------------------------- patches

PATCH_SIDE = 32
BLOCK_ROWS, BLOCK_COLUMNS = 5, 8
PATCHES_PER_BLOCK = 50
PHOTOGRAPHS = {"Chinese temple": "china.jpg", "flower": "flower.jpg"}
"""Class -> the photograph that its patches come from."""


def is_test_block(row: int, column: int) -> bool:
    """Every fourth block of each row and diagonal is test: the test part covers the whole picture."""
    return (row + column) % 4 == 0


_TEST_BLOCKS = sum(is_test_block(r, c) for r in range(BLOCK_ROWS) for c in range(BLOCK_COLUMNS))
_PATCHES = {
    POOL: (BLOCK_ROWS * BLOCK_COLUMNS - _TEST_BLOCKS) * PATCHES_PER_BLOCK,
    TEST: _TEST_BLOCKS * PATCHES_PER_BLOCK,
}


def _draw_patches(seed: int, progress: Progress) -> CollectionImages:
    """Patches of one photograph. Each lies inside one block of the grid, so the parts share no pixel."""
    from sklearn.datasets import load_sample_image

    generator = np.random.default_rng(seed)
    images: dict[bool, list[np.ndarray]] = {False: [], True: []}
    labels: dict[bool, list[int]] = {False: [], True: []}
    seen: set[bytes] = set()
    for label, file in enumerate(PHOTOGRAPHS.values()):
        photograph = load_sample_image(file)  # H W 3
        height, width = photograph.shape[0] // BLOCK_ROWS, photograph.shape[1] // BLOCK_COLUMNS
        for row, column in np.ndindex(BLOCK_ROWS, BLOCK_COLUMNS):
            block = photograph[row * height :, column * width :][:height, :width]
            down, right = height - PATCH_SIDE + 1, width - PATCH_SIDE + 1
            taken = 0
            for corner in generator.permutation(down * right).tolist():
                y, x = divmod(corner, right)
                patch = np.ascontiguousarray(block[y : y + PATCH_SIDE, x : x + PATCH_SIDE])
                if taken < PATCHES_PER_BLOCK and patch.tobytes() not in seen:
                    seen.add(patch.tobytes())
                    part = is_test_block(row, column)
                    images[part].append(patch)
                    labels[part].append(label)
                    taken += 1
    parts = []
    for part in (False, True):
        order = generator.permutation(len(labels[part]))
        found = np.array(labels[part], np.int64)
        parts.append(LabelledImages.originals(np.stack(images[part])[order], found[order]))
    return CollectionImages(*parts)


PATCHES = Collection(
    DatasetCard(
        name="patches",
        source=(
            "scikit-learn's two photographs: china.jpg (flickr.com/photos/danielbuechele) and flower.jpg "
            "(flickr.com/photos/vultilion)"
        ),
        licence="CC BY 2.0",
        classes=tuple(
            LabelClass(name, ("a photo of a {}.", "a piece of a photo of a {}."))
            for name in PHOTOGRAPHS
        ),
        sizes={part: dict.fromkeys(PHOTOGRAPHS, _PATCHES[part]) for part in (POOL, TEST)},
        imbalance=1.0,
        purpose=(
            "Two classes in colour, from photographs. Patches of one part overlap each other; "
            "pool and test part are of different blocks of the pictures"
        ),
        role="report",
    ),
    summary="Which of two photographs a patch of 32 x 32 pixels is of",
    recipe=1,
    draw=_draw_patches,
)
