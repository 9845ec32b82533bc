"""Writing a shard: its files first, and `DONE.json` last. `features.shard` has the layout."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.core.atomic_files import sync, sync_folder, write_atomically
from alworkbench.features.entry import Entry
from alworkbench.features.shard import DONE, FORMAT, META, sha256_of

if TYPE_CHECKING:
    from torch import Tensor

    from alworkbench.encoders.head import Features


def write_shard(folder: Path, entries: Sequence[Entry], features: Sequence[Features]) -> None:
    """Write a new shard. `features` are batches on the CPU with one dtype and width; their rows are in
    the order of the entries without a code."""
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
    folder.mkdir(parents=True)
    sizes = {}
    if features:
        sizes["act.npy"] = _write_matrix(folder / "act.npy", [f.activations for f in features])
        residuals = [f.residuals for f in features if f.residuals is not None]
        if residuals:
            sizes["res.npy"] = _write_matrix(folder / "res.npy", residuals)
    sizes["meta.parquet"] = _write_meta(folder / "meta.parquet", entries)
    sync_folder(folder)
    done = {
        "format": FORMAT,
        "rows": sum(len(f) for f in features),
        "inputs": len(entries),
        "bytes": sizes,
        "sha256": {name: sha256_of(folder / name) for name in sizes},
    }
    write_atomically(folder / DONE, json.dumps(done, indent=1).encode())
    sync_folder(folder.parent)


def _write_matrix(path: Path, parts: Sequence[Tensor]) -> int:
    header = {
        "descr": np.lib.format.dtype_to_descr(parts[0].numpy().dtype),
        "fortran_order": False,
        "shape": (sum(len(part) for part in parts), parts[0].shape[1]),
    }
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, header)
        for part in parts:
            stream.write(part.contiguous().numpy().data)
        return _finish(stream)


def _write_meta(path: Path, entries: Sequence[Entry]) -> int:
    counter = itertools.count()
    columns = [
        [next(counter) if entry.code is None else None for entry in entries]
        if name == "row"
        else [getattr(entry, name) for entry in entries]
        for name in META.names
    ]
    arrays = [pa.array(column, kind) for column, kind in zip(columns, META.types, strict=True)]
    with path.open("wb") as stream:
        pq.write_table(pa.Table.from_arrays(arrays, schema=META), stream, compression="zstd")
        return _finish(stream)


def _finish(stream: IO[bytes]) -> int:
    stream.flush()
    sync(stream.fileno())
    return stream.tell()
