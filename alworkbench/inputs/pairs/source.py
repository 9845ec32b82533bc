"""What a source of image-caption pairs is, and which rows and pictures it accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from alworkbench.core.errors import UnreadableSource
from alworkbench.core.reasons import why_unreadable

MAX_IMAGE_BYTES = 64 << 20
MAX_CAPTION_BYTES = 64 << 10

NEEDED = (
    "Give a CSV file in UTF-8 or a Parquet file with the columns image and caption, or webdataset "
    "tar files with members KEY.jpg and KEY.txt."
)


@dataclass(frozen=True, slots=True)
class Pair:
    """An image with its caption."""

    image: Path | bytes
    """A file, or the content of one."""
    caption: str


@runtime_checkable
class PairSource(Protocol):
    """Pairs that can be read again and again, in the same order for the same seed."""

    name: str
    ignored: int
    """Entries that were no pairs, as far as `read` has come."""

    @property
    def files(self) -> Sequence[Path]:
        """The files that the pairs come from."""
        ...

    def count(self) -> int:
        """How many pairs there are, at most. Cheap against reading the pictures."""
        ...

    def read(self, seed: int) -> Iterator[Pair]:
        """All pairs in a random order. Raises UnreadableSource where the source is damaged."""
        ...


def unreadable(path: Path, error: Exception) -> UnreadableSource:
    """The error for a file that is not what it should be."""
    return UnreadableSource(
        f"{path} cannot be read as image-caption pairs ({why_unreadable(error)}). {NEEDED}"
    )


def columns(path: Path, found: Sequence[str]) -> tuple[int, int]:
    """Positions of the columns image and caption. Raises UnreadableSource if one is missing."""
    if missing := {"image", "caption"} - set(found):
        raise UnreadableSource(
            f"{path} has no column {' or '.join(sorted(missing))}; found {list(found)[:20]}. {NEEDED}"
        )
    return found.index("image"), found.index("caption")


def usable(image: object, caption: object) -> bool:
    """Whether an image (a path or bytes) and a caption are present and not too large."""
    return (
        isinstance(image, str | bytes)
        and 0 < len(image) <= MAX_IMAGE_BYTES
        and isinstance(caption, str)
        and bool(caption.strip())
        and len(caption) <= MAX_CAPTION_BYTES
    )


def row_is_usable(row: Sequence[str], image: int, caption: int) -> bool:
    """Whether a row of texts has a usable path and caption in these columns."""
    return (
        len(row) > max(image, caption)
        and usable(row[image].strip(), row[caption])
        and "\0" not in row[image]
    )
