"""Images as columns: their ids, their content hashes, and the rows of their features.

The id and the hash of an image take 72 bytes in two arrays, and 230 as a pair of Python objects. What is
computed of a whole pool uses these columns.

Dimensions used in this file
    N  images
    M  images, hashes or rows asked for
    K  known keys
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, Shaped

from alworkbench.core.domain import Role
from alworkbench.core.errors import NotInProject
from alworkbench.core.ports import Reader

HASH = np.dtype("S64")
"""A content hash as ASCII bytes, as a table of features has them."""
BLOCK = 65_536
"""Images whose hashes are compared at once, so that no second column of hashes is needed."""


@dataclass(frozen=True, slots=True)
class ImageColumns:
    """Images of one role, in the order of their ids."""

    ids: Int[np.ndarray, "N"]
    """Increasing."""
    hashes: Shaped[np.ndarray, "N"]
    """The content hash of each image, of the type HASH."""

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def read(cls, reader: Reader, role: Role) -> ImageColumns:
        """All images with this role; only one part of them is in memory as Python objects."""
        count = reader.images.count(role)
        ids, hashes = np.empty(count, np.int64), np.empty(count, HASH)
        start = 0
        for part in reader.images.ids_and_hashes_in_parts(role):
            stop = start + len(part)
            # A tuple of texts would become an array of wide characters first.
            ids[start:stop] = np.fromiter((image for image, _ in part), np.int64, len(part))
            hashes[start:stop] = np.fromiter((content for _, content in part), HASH, len(part))
            start = stop
        return cls(ids, hashes)

    def hashes_of(self, images: Sequence[int]) -> list[str]:
        """The content hash of each of these images. Raises NotInProject for an unknown id."""
        at, there = find_keys(self.ids, np.array(images, np.int64))
        if not there.all():
            raise NotInProject("image", images[int(np.flatnonzero(~there)[0])])
        return [content.decode() for content in self.hashes[at].tolist()]

    def ids_with(self, hashes: Collection[str]) -> Int[np.ndarray, "M"]:
        """The ids of the images with one of these content hashes; unknown hashes are left out."""
        wanted = np.sort(np.array(list(hashes), HASH))
        found = [np.zeros(0, np.int64)]
        for start in range(0, len(self), BLOCK):
            part = slice(start, start + BLOCK)
            found.append(self.ids[part][find_keys(wanted, self.hashes[part])[1]])
        return np.concatenate(found)


@dataclass(frozen=True, slots=True)
class EncodedImages:
    """Images that have features, in the order of their ids, and where these are."""

    ids: Int[np.ndarray, "N"]
    """Increasing."""
    rows: Int[np.ndarray, "N"]
    """Of the table of features: no two images have the same row."""

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, images: Iterable[int] | np.ndarray) -> Int[np.ndarray, "M"]:
        """The row of each of these image ids, -1 for an image without features."""
        wanted = images if isinstance(images, np.ndarray) else np.fromiter(images, np.int64)
        at, there = find_keys(self.ids, wanted)
        found = np.full(len(at), -1, np.int64)
        found[there] = self.rows[at[there]]
        return found

    def images_of(self, rows: Sequence[int]) -> list[int]:
        """The image id of each of these rows, which are few. Raises KeyError for a row of no image."""
        at = np.flatnonzero(np.isin(self.rows, np.array(rows, np.int64)))
        image_of_row = dict(zip(self.rows[at].tolist(), self.ids[at].tolist(), strict=True))
        return [image_of_row[row] for row in rows]


def find_keys(
    known: Shaped[np.ndarray, "K"], keys: Shaped[np.ndarray, "N"]
) -> tuple[Int[np.ndarray, "N"], Bool[np.ndarray, "N"]]:
    """Where each key stands among the known ones, which increase, and whether it is there."""
    at = np.searchsorted(known, keys)
    there = at < len(known)
    there[there] = known[at[there]] == keys[there]
    return at, there
