"""Features by row number and by content hash, from finished shards or from memory, with one interface.

Dimensions used in this file
    N  images of the table
    M  rows asked for
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import FeaturesMissing, InvalidFeatureFile
from alworkbench.encoders.head import Features
from alworkbench.features.feature_rows import FeatureRows, InMemory, OnDisk, Part
from alworkbench.features.shard import Shard

FOUND_AT_ONCE = 65_536
"""Hashes whose rows are found at once, so that no second column of hashes is needed."""


class FeatureTable(FeatureRows):
    """Features of many images, by row number. Adding shards keeps the numbers of earlier rows."""

    def __init__(
        self,
        hashes: Sequence[str] | np.ndarray,
        parts: Sequence[Part],
        quarantined: Mapping[str, QuarantineCode] | None = None,
    ) -> None:
        """`hashes` are the hashes of all rows in order; `parts` hold the rows, one part after the other."""
        self._hashes = np.asarray(hashes, dtype=np.bytes_) if len(hashes) else np.zeros(0, "S64")
        super().__init__(parts)
        self._quarantined = dict(quarantined or {})
        self.widths: tuple[int, int | None] | None = None
        """Those of the shards that the rows are in; None without one."""
        if len(self) != len(hashes):
            raise ValueError(f"{len(hashes)} hashes for {len(self)} rows")

    @classmethod
    def from_features(cls, hashes: Sequence[str], features: Features) -> FeatureTable:
        """A table in memory. The hashes may be any distinct ASCII names."""
        if len(set(hashes)) < len(hashes):
            raise ValueError("the same hash stands for several rows")
        cpu = features.to("cpu")
        return cls(hashes, [InMemory(cpu)])

    @classmethod
    def from_shards(cls, shards: Iterable[Shard], rows: int) -> FeatureTable:
        """The rows of these shards, `rows` in total. Only one shard's metadata is in memory at a time."""
        parts: list[Part] = []
        # Bytes in one array: Python strings, or arrays joined at the end, would take twice the memory,
        # and the hashes are the only thing here that grows with the pool.
        names = np.zeros(rows, "S64")
        filled = 0
        refused: dict[str, QuarantineCode] = {}
        kinds: dict[tuple[int, int | None], str] = {}
        for shard in shards:
            refused |= shard.refused()
            if shard.activations.rows:
                kinds.setdefault(shard.widths, shard.name)
                parts.append(OnDisk(shard.activations, shard.residuals))
                stop = filled + shard.activations.rows
                names[filled:stop] = shard.hashes()
                filled = stop
        if len(kinds) > 1:
            raise InvalidFeatureFile(
                f"The shards {' and '.join(kinds.values())} hold features of different sizes: "
                f"{sorted(kinds, key=str)}. Delete the wrong one and run `alworkbench encode`."
            )
        table = cls(names, parts, refused)
        table.widths = next(iter(kinds), None)
        if refused:  # a later try may have worked for some of them
            tried = list(refused)
            worked = dict(zip(tried, table.has(tried), strict=True))
            table._quarantined = {n: code for n, code in refused.items() if not worked[n]}
        return table

    @property
    def hashes(self) -> list[str]:
        """The content hash of every row."""
        return [h.decode() for h in self._hashes.tolist()]

    @property
    def names(self) -> np.ndarray:
        """The content hash of every row as ASCII bytes: a third of the memory of texts."""
        return self._hashes

    def rows_by_hash(self) -> dict[str, int]:
        """Row number by content hash, for the whole table; `rows_of` is cheaper for some hashes."""
        return {content: row for row, content in enumerate(self.hashes)}

    def quarantined(self) -> Mapping[str, QuarantineCode]:
        """Why an image has no row, by content hash; images that were never tried are not in it."""
        return self._quarantined

    @cached_property
    def _order(self) -> Int[np.ndarray, "N"]:
        return np.argsort(self._hashes, kind="stable")

    def has(self, hashes: Sequence[str]) -> list[bool]:
        """For each hash, whether the table has a row for it."""
        return [bool(row >= 0) for row in self.find(hashes)]

    def rows_of(self, hashes: Sequence[str]) -> Int[Tensor, "M"]:
        """The row of each hash. Raises FeaturesMissing if any has none."""
        rows = self.find(hashes)
        if (missing := int((rows < 0).sum())) > 0:
            raise FeaturesMissing(missing, len(hashes))
        return torch.from_numpy(rows)

    def find(self, hashes: Sequence[str] | np.ndarray) -> Int[np.ndarray, "M"]:
        """The row of each hash, -1 for one that the table does not have."""
        if not len(hashes) or not len(self):
            return np.full(len(hashes), -1, np.int64)
        found = np.empty(len(hashes), np.int64)
        for start in range(0, len(hashes), FOUND_AT_ONCE):
            wanted = np.asarray(hashes[start : start + FOUND_AT_ONCE], dtype=np.bytes_)
            at = np.searchsorted(self._hashes, wanted, sorter=self._order)
            rows = self._order[np.minimum(at, len(self) - 1)]
            found[start : start + len(wanted)] = np.where(self._hashes[rows] == wanted, rows, -1)
        return found
