"""The bundled sample: 3,000 pool and 1,000 test pictures of clothing, in one small archive.

The pool has a long tail, as real collections have; the test part is balanced. The reader of users'
archives reads this archive too. `make_sample.py` makes it.
"""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.assets import SAMPLE_FOLDER
from alworkbench.core.domain import LabelClass
from alworkbench.datasets.cards import DatasetCard, long_tail
from alworkbench.datasets.fashion_mnist import CLASS_NAMES

POOL, TEST = "pool", "test"
"""The two values of the column `split` in the sample's manifest."""

TEMPLATES = ("a photo of a {}.", "a picture of a {}.", "an image of a {}.")

UNKNOWN_TO_BUNDLED_MODEL = ("pullover", "coat", "sandal", "bag")
"""The bundled model was trained without these classes: it does not know them."""

# From the most frequent class of the pool to the rarest. The classes that the model does not know have
# ranks 6, 7, 8 and 10: models have seen least of rare things. One class that the model knows is rarer
# than most of them, so rarity alone does not tell which classes are unknown.
BY_FREQUENCY = (
    "sneaker",
    "T-shirt",
    "trousers",
    "ankle boot",
    "dress",
    "bag",
    "coat",
    "sandal",
    "shirt",
    "pullover",
)
POOL_IMAGES = 3000
POOL_IMBALANCE = 20.0
TEST_PER_CLASS = 100

_POOL_SIZES = long_tail(POOL_IMAGES, len(BY_FREQUENCY), POOL_IMBALANCE)

SAMPLE = DatasetCard(
    name="fashion-sample",
    source=(
        "Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747), "
        "https://github.com/zalandoresearch/fashion-mnist: pool from rows 0 to 29,999 of the "
        "training files, test part from the test files"
    ),
    licence="MIT, copyright 2017 Zalando SE (LICENSE-Fashion-MNIST.txt)",
    classes=tuple(LabelClass(name, TEMPLATES) for name in CLASS_NAMES),
    sizes={
        POOL: dict(zip(BY_FREQUENCY, _POOL_SIZES, strict=True)),
        TEST: dict.fromkeys(CLASS_NAMES, TEST_PER_CLASS),
    },
    imbalance=_POOL_SIZES[0] / _POOL_SIZES[-1],
    purpose="To show and to test the workbench on real pictures without a download",
    role="dev",
)


def bundled_sample() -> Path:
    """The archive in the package."""
    return SAMPLE_FOLDER / "fashion-sample.zip"
