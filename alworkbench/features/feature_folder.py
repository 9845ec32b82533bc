"""A features folder that other people made: read shard by shard, so that it may be larger than the memory.

It is laid out as the folder `features/<encoder id>/` of a project (`features.store`). Nothing in it is
trusted: every byte of a shard is compared with the SHA-256 of its file before a row of it is used, and every
width with that of the head.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import EncoderRecord
from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.encoders.head import Features, Head
from alworkbench.features.feature_rows import FeatureRows, OnDisk
from alworkbench.features.object_store import ObjectStore
from alworkbench.features.shard import (
    DONE,
    Shard,
    count_rows,
    finished_shards,
    matrices_of,
    read_inputs,
    read_shard,
    verify_shard,
)
from alworkbench.features.store import FeatureStore

LARGEST = 2 << 30
"""Bytes of a file that is copied from an address: 2 x 65,536 rows of 4,096 numbers in fp32. Shards that this
program wrote in one process have 256 MiB and one batch; those of an engine have up to 65,536 rows."""


@runtime_checkable
class ShardPlace(Protocol):
    """Where the shards of a folder lie."""

    def names(self) -> Sequence[str]:
        """The names of the finished shards, in order."""
        ...

    def done(self, name: str) -> Path:
        """A folder of this machine with `DONE.json` of a shard."""
        ...

    def brief(self, name: str) -> Path:
        """A folder of this machine with `DONE.json` and the metadata of a shard, and perhaps its rows."""
        ...

    def whole(self, name: str) -> Path:
        """A folder of this machine with all files of a shard."""
        ...

    def drop(self, name: str) -> None:
        """The shard is not needed any more."""
        ...


@dataclass(frozen=True, slots=True)
class LocalShards:
    """Shards in a folder of this machine, a network disk included."""

    folder: Path

    def names(self) -> Sequence[str]:
        """The names of the finished shards, in order."""
        return [folder.name for folder in finished_shards(self.folder)]

    def brief(self, name: str) -> Path:
        """The folder of a shard."""
        return self.folder / name

    done = brief

    def whole(self, name: str) -> Path:
        """The folder of a shard."""
        return self.folder / name

    def drop(self, name: str) -> None:
        """Nothing: the shard is not a copy."""


@dataclass(frozen=True, slots=True)
class FetchedShards:
    """Shards at an address. Each is copied into a temporary folder, its rows only if they are asked for."""

    store: ObjectStore
    folder: Path
    sizes: Mapping[str, int]
    """The bytes of each file when the folder was opened."""

    def names(self) -> Sequence[str]:
        """The names of the shards that were finished when the folder was opened, in order."""
        places = (name.split("/") for name in self.sizes)
        found = [place[0] for place in places if len(place) == 2 and place[1] == DONE]
        return sorted(name for name in found if name.isdigit())

    def done(self, name: str) -> Path:
        """A folder with `DONE.json` of a shard. This file stays."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / DONE).exists():
            self.copy(f"{name}/{DONE}", folder / DONE)
        return folder

    def brief(self, name: str) -> Path:
        """A folder with `DONE.json` and the metadata of a shard."""
        folder = self.done(name)
        self.copy(f"{name}/meta.parquet", folder / "meta.parquet")
        return folder

    def whole(self, name: str) -> Path:
        """A folder with all files of a shard, of which the metadata were copied before."""
        folder = self.done(name)
        for matrix in sorted(matrices_of(folder)):
            self.copy(f"{name}/{matrix}", folder / matrix)
        return folder

    def copy(self, name: str, target: Path) -> None:
        """Copy a file to this machine. Raises InvalidFeatureFile for one larger than LARGEST."""
        if (size := self.sizes.get(name, 0)) > LARGEST:
            reason = f"{name} has {size} bytes, and at most {LARGEST} are copied"
            raise InvalidFeatureFile(f"{self.store.address}: {reason}.", reason)
        self.store.fetch(name, target)

    def drop(self, name: str) -> None:
        """Delete the copy, but for `DONE.json`."""
        for path in (self.folder / name).glob("[!D]*"):
            path.unlink()


@dataclass(frozen=True, slots=True)
class FeatureFolder:
    """An opened features folder."""

    name: str
    """What it is called in messages."""
    store: FeatureStore
    """The files beside the shards."""
    place: ShardPlace

    @classmethod
    def _local(cls, folder: Path) -> FeatureFolder:
        if not (folder / "encoder.json").exists():
            raise InvalidFeatureFile(
                f"{folder} is not a features folder: it has no encoder.json. Name the folder "
                f"features/ENCODER of a project, or one that `alworkbench publish-features` wrote."
            )
        return cls(folder.name or str(folder), FeatureStore(folder), LocalShards(folder))

    @classmethod
    @contextmanager
    def at(cls, source: Path | str) -> Iterator[FeatureFolder]:
        """A folder of this machine, or one at an address (`features.object_store`).

        Of an address the files beside the shards lie in a temporary folder until the end, and each shard
        until the next one. A file larger than LARGEST is refused before it is copied. Raises
        InvalidFeatureFile, ExtraMissing, StoreUnreachable.
        """
        store = ObjectStore(source) if isinstance(source, str) else None
        if isinstance(source, Path):
            yield cls._local(source)
        elif store is not None and store.folder is not None:
            yield cls._local(store.folder)
        elif store is not None:
            with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
                folder = Path(scratch)
                shards = FetchedShards(store, folder / "shards", store.sizes())
                beside = [name for name in shards.sizes if "/" not in name]
                prompts = [name for name in beside if name.startswith("prompts")]
                for name in ["encoder.json", "head.safetensors", *sorted(prompts)]:
                    shards.copy(name, folder / name)
                yield cls(store.address.rsplit("/", 1)[-1], FeatureStore(folder), shards)

    def encoder(self) -> EncoderRecord:
        """The encoder that made the features. Raises InvalidFeatureFile."""
        with self._told("The description of the encoder"):
            return self.store.encoder()

    def head(self) -> Head:
        """The projections of the encoder. Raises InvalidFeatureFile."""
        with self._told("The head"):
            return self.store.read_head()

    def prompts(self, head: Head) -> tuple[list[str], Float[Tensor, "T Q"]]:
        """All prompts, and their text activations. Raises InvalidFeatureFile, also for another width."""
        with self._told("A file of prompts"):
            known, activations = self.store.prompts()
            needed = head.text_projection.shape[1]
            if known and activations.shape[1] != needed:
                raise _wrong(f"its width is {activations.shape[1]}, and the head has {needed}")
        return list(known), activations

    def rows(self) -> int:
        """Rows of all shards, as they declare them."""
        total = 0
        for name in self.place.names():
            with self._told(f"The shard {name}"):
                total += count_rows(self.place.done(name))
        return total

    def inputs(self) -> Iterator[tuple[str, pa.Table]]:
        """Name and inputs (columns of `features.shard.META`) of every shard, in order; no rows are read.

        A shard can be opened until the next one is asked for. Raises InvalidFeatureFile.
        """
        for name in self.place.names():
            try:
                with self._told(f"The shard {name}"):
                    found = read_inputs(self.place.brief(name))
                yield name, found
            finally:
                self.place.drop(name)

    def opened(self, name: str, head: Head, residuals: bool | None = None) -> Shard:
        """The shard, of which every byte was compared, and the widths with those of the head.

        `residuals` says whether the shards before had some; None where there was none before. Raises
        InvalidFeatureFile.
        """
        with self._told(f"The shard {name}"):
            folder = self.place.whole(name)
            if not verify_shard(folder):
                raise _wrong(f"{DONE} has no SHA-256 of its files")
            shard = read_shard(folder)
            size, width = head.image_projection.shape
            found = shard.widths
            if found[0] != width:
                raise _wrong(f"its activations have {found[0]} numbers, and the head needs {width}")
            if found[1] not in (None, size):
                raise _wrong(f"its residuals have {found[1]} numbers, and the head needs {size}")
            if residuals is not None and residuals != (found[1] is not None):
                has, other = ("has no", "have some") if residuals else ("has", "have none")
                raise _wrong(f"it {has} residuals, and the shards before {other}")
        return shard

    def blocks(self, shard: Shard, rows: np.ndarray, size: int) -> Iterator[Features]:
        """These rows of an opened shard, at most `size` at once. Raises InvalidFeatureFile."""
        every = FeatureRows([OnDisk(shard.activations, shard.residuals)])
        with self._told(f"The shard {shard.name}"):
            for _, block in every.blocks(torch.from_numpy(rows), size):
                yield block

    @contextmanager
    def _told(self, part: str) -> Iterator[None]:
        """Errors in the words of somebody whose folder it is not."""
        try:
            yield
        except InvalidFeatureFile as error:
            raise InvalidFeatureFile(
                f"{part} of {self.name} is damaged: {error.reason}. "
                f"Ask for a sound copy of this folder; shards that were taken stay.",
                error.reason,
            ) from error


def _wrong(reason: str) -> InvalidFeatureFile:
    return InvalidFeatureFile(reason, reason)
