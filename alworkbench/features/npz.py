"""Reading an untrusted .npz file: nothing is unpickled, and memory is bounded.

`numpy.load` trusts two sizes: it allocates the size in an array's header before it reads a byte, and it
does not check the unpacked size of the archive. This reader compares both with each other and with a
budget before it reads.
"""

from __future__ import annotations

import io
import math
import sys
import zipfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import cast

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.lib import format as npy
from torch import Tensor

from alworkbench.core.errors import InvalidFeatureFile, did_you_mean
from alworkbench.core.names import fault_of_name
from alworkbench.core.reasons import why_unreadable

MAX_CHARACTERS = 4096
"""Of a path or a name."""
HOW_IT_IS_LAID_OUT = (
    "`python -m pydoc alworkbench.features.feature_file` shows the layout that is needed."
)
HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    OSError,
    ValueError,
    KeyError,
    RuntimeError,  # an encrypted member
    NotImplementedError,  # a compression that Python does not know
)


class NpzReader:
    """The arrays of one file, by name; a context manager.

    Raises InvalidFeatureFile if the file is not an archive of plain arrays with known names, or if it
    would unpack to more than `max_bytes`.
    """

    def __init__(self, path: Path, max_bytes: int, known: Collection[str]) -> None:
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise invalid(path, "there is no such file") from None
        except _BROKEN as error:
            raise invalid(path, f"it is not a .npz file ({why_unreadable(error)})") from error
        try:
            self._check(max_bytes, known)
        except InvalidFeatureFile:
            self._zip.close()
            raise

    def _check(self, max_bytes: int, known: Collection[str]) -> None:
        members = self._zip.infolist()
        self.names = [member.filename.removesuffix(".npy") for member in members]
        for member, name in zip(members, self.names, strict=True):
            if name not in known or name == member.filename:
                raise invalid(
                    self._path, f"it holds {member.filename!r}.{did_you_mean(name, known)}"
                )
        if repeated := {name for name in self.names if self.names.count(name) > 1}:
            raise invalid(self._path, f"it holds {', '.join(sorted(repeated))} more than once")
        declared = sum(member.file_size for member in members)
        if declared > max_bytes:
            raise invalid(
                self._path,
                f"it unpacks to {declared:,} bytes, and the limit is {max_bytes:,}",
            )

    def __enter__(self) -> NpzReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._zip.close()

    def read(self, name: str) -> np.ndarray:
        """One array. The size in its header must equal the size in the archive."""
        member = self._zip.getinfo(f"{name}.npy")
        try:
            with self._zip.open(member) as stream:
                version = npy.read_magic(stream)
                if version not in HEADERS:  # 3.0 is for named fields alone
                    raise ValueError(f"version {version} of the array format is not supported")
                shape, fortran, dtype = HEADERS[version](stream)
                if dtype.hasobject or dtype.names is not None:
                    raise ValueError(f"its elements are of type {dtype}")
                promised, held = math.prod(shape) * dtype.itemsize, member.file_size - stream.tell()
                if promised != held:
                    raise ValueError(f"its header promises {promised:,} bytes, it holds {held:,}")
                data = bytearray(held)
                view, position = memoryview(data), 0
                body = cast(io.BufferedIOBase, stream)
                while position < held and (got := body.readinto(view[position:])):
                    position += got
                # Reading past the end makes zipfile check the checksum.
                if position < held or body.read(1):
                    raise ValueError("it is cut short or too long")
        except _BROKEN as error:
            raise invalid(
                self._path, f"the array {name!r} cannot be read ({why_unreadable(error)})"
            ) from error
        array: np.ndarray = np.frombuffer(data, dtype=dtype)
        return array.reshape(shape, order="F" if fortran else "C")


@dataclass(frozen=True, slots=True)
class Arrays:
    """Untrusted arrays. Each method returns one of them with its type and sizes checked.

    All raise InvalidFeatureFile, which says what was found and what is needed.
    """

    path: Path
    by_name: Mapping[str, np.ndarray]

    def __contains__(self, name: str) -> bool:
        return name in self.by_name

    def shape(self, name: str) -> tuple[int, int]:
        """Rows and columns of a table that is not empty."""
        shape = self.by_name[name].shape
        if len(shape) != 2 or 0 in shape:
            raise self._wrong(name, "a table of numbers, at least one row and one column")
        return shape

    def is_half(self, name: str) -> bool:
        """Whether an array holds float16."""
        found = self.by_name[name].dtype
        return found.kind == "f" and found.itemsize == 2

    def numbers(
        self, name: str, shape: tuple[int, ...], *, half: bool = False, finite: bool = True
    ) -> Float[Tensor, "*shape"]:
        """Floating-point numbers of any width as float32; with `half`, those of float16 stay so.

        With `finite`, every number must be finite in float32. Without, the caller looks at the rows.
        """
        found = self.by_name[name]
        if found.dtype.kind != "f" or found.dtype.itemsize > 8 or found.shape != shape:
            raise self._wrong(name, f"floating-point numbers of shape {shape}")
        native = found.astype(found.dtype.newbyteorder("="), order="C", copy=False)
        # Larger numbers than float32 holds become infinite here.
        with np.errstate(over="ignore"):
            values = torch.from_numpy(native if half else native.astype(np.float32))
        if finite and not values.isfinite().all():
            raise invalid(self.path, f"{name} holds values that are not finite in float32")
        return values

    def scalar(self, name: str) -> float:
        """One floating-point number, in full precision."""
        self.numbers(name, ())
        return float(self.by_name[name].item())

    def integers(self, name: str, count: int, low: int, high: int) -> Int64[Tensor, "N"]:
        """`count` integers in [low, high]."""
        found = self.by_name[name]
        if found.dtype.kind not in "iu" or found.shape != (count,):
            raise self._wrong(name, f"integers of shape {(count,)}")
        if found.min() < low or found.max() > high:
            raise invalid(
                self.path,
                f"{name} holds {found.min()} to {found.max()}, and {low} to {high} is possible",
            )
        return torch.from_numpy(found.astype(np.int64))

    def text(self, name: str, default: str) -> str:
        """A text of 1 to 200 characters without control characters; the default if it is absent."""
        if name not in self.by_name:
            return default
        text = str(self.strings(name, ()).item())
        if not text or fault_of_name(text) is not None or len(text) > 200:
            raise invalid(
                self.path,
                f"{name} is {text!r}, expected 1 to 200 characters and no control characters",
            )
        return text

    def texts(self, name: str, count: int | None) -> tuple[str, ...] | None:
        """`count` different texts; None when the file does not give them."""
        if name not in self.by_name:
            return None
        shape = (self.by_name[name].size if count is None else count,)
        values = self.strings(name, shape).tolist()
        if any(not value or fault_of_name(value) is not None for value in values):
            raise invalid(self.path, f"{name} holds an empty text or control characters")
        if len(set(values)) < len(values):
            raise invalid(self.path, f"{name} holds the same text more than once")
        return tuple(values)

    def strings(self, name: str, shape: tuple[int, ...]) -> np.ndarray:
        """Texts of this shape."""
        found = self.by_name[name]
        fits = found.dtype.kind == "U" and 0 < found.dtype.itemsize <= 4 * MAX_CHARACTERS
        if not fits or found.shape != shape:
            raise self._wrong(
                name, f"unicode texts of at most {MAX_CHARACTERS} characters and shape {shape}"
            )
        codes = np.frombuffer(
            found.tobytes(), np.dtype(np.uint32).newbyteorder(found.dtype.byteorder)
        )
        if codes.size and codes.max() > sys.maxunicode:  # CPython fails badly on these
            raise invalid(self.path, f"{name} holds numbers that are not characters")
        return found

    def _wrong(self, name: str, needed: str) -> InvalidFeatureFile:
        found = self.by_name[name]
        # numpy has no bfloat16: packages that add one are saved as raw bytes, two for each number.
        hint = (
            " (numpy saves bfloat16 so: save it as float32)" if found.dtype.str[1:] == "V2" else ""
        )
        return invalid(
            self.path, f"{name} is {found.dtype}{hint} of shape {found.shape}; expected {needed}"
        )


def invalid(path: Path, found: str) -> InvalidFeatureFile:
    """The error for this file, with the documented layout."""
    return InvalidFeatureFile(
        f"{path} is not a valid features file: {found.rstrip('.')}. {HOW_IT_IS_LAID_OUT}"
    )
