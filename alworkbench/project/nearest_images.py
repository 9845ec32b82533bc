"""The labelled images that are most similar to one image.

Dimensions used in this file
    N  images of the project
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from alworkbench.core.domain import Image
from alworkbench.core.ports import Reader
from alworkbench.project.gallery_page import GalleryImage, describe
from alworkbench.project.image_facts import key_of
from alworkbench.project.image_matching import values_of

if TYPE_CHECKING:
    from alworkbench.project.gallery import Gallery


def nearest_labelled(
    gallery: Gallery, reader: Reader, content: str, count: int, shows: Callable[[Image], bool]
) -> list[GalleryImage]:
    """The `count` images with a class that are most similar to this one, the most similar first.

    Those for which `shows` is false are left out. Raises FeaturesMissing.
    """
    found = gallery.similarity.to_images([content])
    facts, _ = gallery.facts.read(reader)
    at = np.flatnonzero((facts.answer > 0) & (facts.keys != key_of(content)))
    cosine = values_of(found, gallery.similarity.rows(facts.keys[at]), -np.inf)
    chosen: list[tuple[int, float]] = []
    for place in np.argsort(-cosine, kind="stable").tolist():
        if len(chosen) == count or cosine[place] == -np.inf:  # the rest has no features
            break
        image = int(facts.ids[at[place]])
        if shows(reader.images.get(image)):
            chosen.append((image, float(cosine[place])))
    images = describe(reader, facts, [image for image, _ in chosen], None, None)
    return [replace(i, similarity=v) for i, (_, v) in zip(images, chosen, strict=True)]
