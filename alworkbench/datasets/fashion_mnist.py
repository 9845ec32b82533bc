"""Fashion-MNIST from its published IDX files: 28 x 28 grey pictures of ten kinds of clothing.

Xiao, Rasul and Vollgraf, 2017, arXiv:1708.07747. MIT licence, Zalando SE. Only the makers of the
bundled sample and of the bundled model read these files; a running workbench does not need them.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from alworkbench.core.errors import UnreadableSource

DEFAULT_FOLDER = Path("/usr/share/datasets/fashion-mnist")

CLASS_NAMES = (
    "T-shirt",
    "trousers",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
"""Class names by label, 0 to 9."""

UNSIGNED_BYTE = 0x08  # the IDX code of the element type


@dataclass(frozen=True, slots=True)
class FashionMnist:
    """All pictures in memory (55 MB), in the published order. 255 is the brightest pixel of the object."""

    train_images: UInt8[np.ndarray, "60000 28 28"]
    train_labels: UInt8[np.ndarray, "60000"]
    test_images: UInt8[np.ndarray, "10000 28 28"]
    test_labels: UInt8[np.ndarray, "10000"]


def load_fashion_mnist(folder: Path = DEFAULT_FOLDER) -> FashionMnist:
    """Read the four files; check magic numbers, sizes and label range.

    Raises UnreadableSource if a file is missing, too short, too long or has other content.
    """
    return FashionMnist(
        train_images=_read_idx(folder / "train-images-idx3-ubyte.gz", (60_000, 28, 28)),
        train_labels=_read_labels(folder / "train-labels-idx1-ubyte.gz", 60_000),
        test_images=_read_idx(folder / "t10k-images-idx3-ubyte.gz", (10_000, 28, 28)),
        test_labels=_read_labels(folder / "t10k-labels-idx1-ubyte.gz", 10_000),
    )


def _read_labels(path: Path, count: int) -> UInt8[np.ndarray, "N"]:
    labels = _read_idx(path, (count,))
    if labels.max() >= len(CLASS_NAMES):
        raise _unreadable(path, f"it holds the label {labels.max()}, but labels are 0 to 9")
    return labels


def _read_idx(path: Path, shape: tuple[int, ...]) -> UInt8[np.ndarray, "..."]:
    """One array of unsigned bytes. IDX: 00 00 type rank, the sizes (big endian), the values."""
    header = struct.pack(f">BBBB{len(shape)}I", 0, 0, UNSIGNED_BYTE, len(shape), *shape)
    size = math.prod(shape)
    try:
        with gzip.open(path, "rb") as stream:
            found = stream.read(len(header))
            # One byte more than needed shows that a file is too long, without reading all of it.
            values = stream.read(size + 1)
    except FileNotFoundError:
        raise _unreadable(path, "the file does not exist") from None
    except (OSError, EOFError, zlib.error) as error:
        raise _unreadable(path, str(error)) from error
    if found != header:
        raise _unreadable(path, f"its header is {found.hex()}, expected {header.hex()}")
    if len(values) != size:
        more_or_less = "more" if len(values) > size else "less"
        raise _unreadable(path, f"it holds {more_or_less} than the {size} values of its header")
    return np.frombuffer(values, np.uint8).reshape(shape)


def _unreadable(path: Path, reason: str) -> UnreadableSource:
    return UnreadableSource(
        f"{path} is not a readable file of Fashion-MNIST: {reason}. The collection needs the four "
        f".gz files as published; on Debian, `apt-get install dataset-fashion-mnist` puts them into "
        f"{DEFAULT_FOLDER}."
    )
