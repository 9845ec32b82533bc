"""The labelled collections that simulations can be run on, and their roles.

dev: methods are chosen on it. report: used only for final tables.
"""

from __future__ import annotations

from alworkbench.core.errors import UnknownCollection
from alworkbench.datasets.fashion_variants import (
    FASHION,
    FASHION_DUPLICATES,
    FASHION_OUTSIDE,
    FASHION_RARE,
    SAMPLE_COLLECTION,
)
from alworkbench.datasets.glyphs import GLYPHS
from alworkbench.datasets.labelled_images import Collection
from alworkbench.datasets.package_images import DIGITS, PATCHES
from alworkbench.datasets.shapes import SHAPES
from alworkbench.datasets.textures import TEXTURES

_COLLECTIONS = (
    SAMPLE_COLLECTION,
    DIGITS,
    GLYPHS,
    FASHION,
    FASHION_RARE,
    FASHION_DUPLICATES,
    FASHION_OUTSIDE,
    PATCHES,
    TEXTURES,
    SHAPES,
)


def collections() -> list[Collection]:
    """All collections, dev before report; also those that cannot be made on this machine."""
    return list(_COLLECTIONS)


def find_collection(name: str) -> Collection:
    """The collection of this name. Raises UnknownCollection, with the nearest name."""
    for collection in _COLLECTIONS:
        if collection.name == name:
            return collection
    raise UnknownCollection(name, [collection.name for collection in _COLLECTIONS])
