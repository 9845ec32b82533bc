"""One shard of features: an immutable folder of at most 65,536 rows.

    00000/act.npy        activations, rows x P, fp16 or fp32
    00000/res.npy        residuals, rows x D, if the model has them
    00000/meta.parquet   every input in order: its row, or why it was refused
    00000/DONE.json      sizes and SHA-256 of these files; written last: a shard without it does not exist

A table is the concatenation of the shards in order of their names. A shard never changes: more images
give more shards. Opening a shard checks sizes, headers, row numbers and the SHA-256 of the metadata, and
names a damaged shard; `verify_shard` reads every byte. Shards of older versions have no SHA-256. Reading
loads neither torch nor pandas, which `pyarrow.parquet.read_table` and `to_numpy` of Arrow would load: the
status of a project reads which images have features, and nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from alworkbench.core.domain import QuarantineCode, QuarantinedFile
from alworkbench.core.errors import InvalidFeatureFile

MAX_ROWS = 65_536
DONE = "DONE.json"
FORMAT = 1
KEYS = {"format", "rows", "inputs", "bytes", "sha256"}
"""Of DONE.json; `sha256` is missing in shards of older versions."""
DTYPES = ("<f2", "<f4")

META = pa.schema(
    [
        pa.field("hash", pa.string(), nullable=False),
        pa.field("path", pa.string(), nullable=False),
        pa.field("bytes", pa.int64()),
        pa.field("modified_ns", pa.int64()),
        pa.field("width", pa.int32()),
        pa.field("height", pa.int32()),
        pa.field("row", pa.int32()),
        pa.field("code", pa.string()),
        pa.field("detail", pa.string()),
    ]
)


_UNSOUND = (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException)
"""What reading a damaged shard raises."""


@dataclass(frozen=True, slots=True)
class Matrix:
    """The place of a matrix in a file, for reading rows by position."""

    path: Path
    offset: int
    """Bytes before the first row."""
    rows: int
    columns: int
    dtype: np.dtype

    @property
    def row_bytes(self) -> int:
        """Bytes of one row."""
        return self.columns * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Shard:
    """A finished shard: its matrices, and its inputs as columns of `META`."""

    name: str
    activations: Matrix
    residuals: Matrix | None
    meta: pa.Table

    @property
    def widths(self) -> tuple[int, int | None]:
        """Numbers of an activation and of a residual; None without residuals."""
        return self.activations.columns, self.residuals.columns if self.residuals else None

    def hashes(self) -> np.ndarray:
        """The content hash of each row, in row order: ASCII bytes, 64 a row."""
        rows = self.meta.filter(pc.is_valid(self.meta["row"])).sort_by("row")
        return np.asarray(rows["hash"].to_pylist(), np.bytes_)

    def refused(self) -> dict[str, QuarantineCode]:
        """The reason of each input without a row, by content hash."""
        rows = self.meta.filter(pc.is_valid(self.meta["code"]))
        codes = map(QuarantineCode, rows["code"].to_pylist())
        return dict(zip(rows["hash"].to_pylist(), codes, strict=True))


def finished_shards(folder: Path) -> list[Path]:
    """The shards that exist, in order."""
    if not folder.is_dir():
        return []
    return sorted(path.parent for path in folder.glob(f"[0-9]*/{DONE}"))


def shards_mark(folder: Path) -> tuple[tuple[str, int], ...]:
    """Changes with the shards that exist: name, and when each was finished."""
    return tuple(
        (shard.name, (shard / DONE).stat().st_mtime_ns) for shard in finished_shards(folder)
    )


def remove_unfinished(folder: Path) -> None:
    """Delete unfinished shards of killed runs. Only the one writer may call it."""
    for path in folder.glob("[0-9]*"):
        if path.is_dir() and not (path / DONE).exists():
            shutil.rmtree(path)


def read_shard(folder: Path) -> Shard:
    """Open one shard and check it.

    Raises InvalidFeatureFile, with the name of the shard and how to mend it, if a file is missing, has
    another size than when it was finished, or has wrong content.
    """
    try:
        done, meta = _described(folder)
        for name, size in done["bytes"].items():
            if (found := (folder / name).stat().st_size) != size:
                raise ValueError(f"{name} has {found} bytes, expected {size}")
        has_rows = bool(done["rows"])
        activations = _open_matrix(folder / "act.npy", done) if has_rows else _no_rows(folder)
        residuals = _open_matrix(folder / "res.npy", done) if "res.npy" in done["bytes"] else None
    except _UNSOUND as error:
        raise _damaged(folder, error) from error
    return Shard(folder.name, activations, residuals, meta)


def read_inputs(folder: Path) -> pa.Table:
    """The inputs of a shard as columns of `META`, checked; the matrices need not be there.

    Raises InvalidFeatureFile, as `read_shard` does.
    """
    try:
        return _described(folder)[1]
    except _UNSOUND as error:
        raise _damaged(folder, error) from error


def _described(folder: Path) -> tuple[dict[str, Any], pa.Table]:
    """DONE.json and the metadata of a shard. Raises one of `_UNSOUND`."""
    done = json.loads((folder / DONE).read_bytes())
    if done["format"] != FORMAT:
        raise ValueError(f"it has the format {done['format']!r}, expected {FORMAT}")
    if unknown := set(done) - KEYS:
        raise ValueError(f"{DONE} holds {sorted(unknown)}")
    if set(done.get("sha256", done["bytes"])) != set(done["bytes"]):
        raise ValueError(f"{DONE} does not give the SHA-256 of every file")
    for name in done["bytes"]:
        if Path(name).name != name:
            raise ValueError(f"{DONE} names the file {name!r}")
    _check_sha256(folder, done, "meta.parquet")
    with pq.ParquetFile(folder / "meta.parquet") as file:
        meta = file.read()
    if not meta.schema.equals(META) or len(meta) != done["inputs"]:
        raise ValueError("meta.parquet has wrong columns or a wrong number of rows")
    rows = np.asarray(meta["row"].drop_null().to_pylist(), np.int64)
    if not np.array_equal(np.sort(rows), np.arange(done["rows"])):
        raise ValueError(f"meta.parquet does not number the rows 0 to {done['rows'] - 1}")
    if unknown := set(pc.unique(meta["code"].drop_null()).to_pylist()) - set(QuarantineCode):
        raise ValueError(f"meta.parquet has the unknown codes {sorted(unknown)}")
    return done, meta


def encoded_hashes(folder: Path) -> set[str]:
    """The content hashes of all rows in a folder of shards, without loading torch.

    Raises InvalidFeatureFile, as `read_shard` does.
    """
    shards = map(read_shard, finished_shards(folder))
    return {content.decode() for shard in shards for content in shard.hashes().tolist()}


def refused_files(folder: Path) -> dict[str, QuarantinedFile]:
    """Content hash -> newest reason, of every input without a row in a folder of shards."""
    reasons: dict[str, QuarantinedFile] = {}
    for shard in map(read_shard, finished_shards(folder)):
        if reasons:  # a later try may have worked for some of them
            for content in shard.hashes().tolist():
                reasons.pop(content.decode(), None)
        refused = shard.meta.filter(pc.is_valid(shard.meta["code"]))
        for row in refused.select(["hash", "path", "code", "detail"]).to_pylist():
            code = QuarantineCode(row["code"])
            reasons[row["hash"]] = QuarantinedFile(row["path"], code, row["detail"] or "")
    return reasons


def verify_shard(folder: Path) -> bool:
    """Read every byte of a shard: whether it has the SHA-256 of each file, False for an older one.

    Raises InvalidFeatureFile, as `read_shard` does, for a shard that is damaged anywhere.
    """
    read_shard(folder)
    try:
        done = json.loads((folder / DONE).read_bytes())
        for name in done["bytes"]:
            _check_sha256(folder, done, name)
    except (OSError, ValueError) as error:
        raise _damaged(folder, error) from error
    return "sha256" in done


def _check_sha256(folder: Path, done: dict[str, Any], name: str) -> None:
    """Raises ValueError if a file has another SHA-256 than when it was finished."""
    if "sha256" in done and sha256_of(folder / name) != done["sha256"][name]:
        raise ValueError(f"{name} has changed since it was written: its SHA-256 is another")


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def count_rows(folder: Path) -> int:
    """Number of rows that a finished shard declares. Raises InvalidFeatureFile if it declares none."""
    try:
        return int(json.loads((folder / DONE).read_bytes())["rows"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error


def matrices_of(folder: Path) -> list[str]:
    """The files of a shard that hold numbers, as its `DONE.json` names them. Raises InvalidFeatureFile."""
    try:
        names = set(json.loads((folder / DONE).read_bytes())["bytes"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from error
    return [name for name in ("act.npy", "res.npy") if name in names]


def _damaged(folder: Path, error: Exception) -> InvalidFeatureFile:
    return InvalidFeatureFile(
        f"The features in {folder} are damaged: {error}. Delete that folder and run "
        f"`alworkbench encode`: it encodes the images of this shard again.",
        str(error),
    )


def _open_matrix(path: Path, done: dict[str, Any]) -> Matrix:
    with path.open("rb") as stream:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError(f"{path.name} is not a .npy file of version 1.0")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        offset = stream.tell()
        size = os.fstat(stream.fileno()).st_size
    if fortran or dtype.str not in DTYPES or len(shape) != 2 or shape[0] != done["rows"]:
        raise ValueError(
            f"{path.name} holds {dtype} of shape {shape}, expected {done['rows']} rows of "
            f"fp16 or fp32"
        )
    matrix = Matrix(path, offset, shape[0], shape[1], dtype)
    if size != offset + matrix.rows * matrix.row_bytes:
        raise ValueError(f"{path.name} has {size} bytes, which is not its header and {shape}")
    return matrix


def _no_rows(folder: Path) -> Matrix:
    return Matrix(folder / "act.npy", 0, 0, 0, np.dtype(np.float16))
