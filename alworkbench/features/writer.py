"""Appending features to a store: batches are collected into shards.

The right to append comes from `FeatureStore.writer`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from alworkbench.core.domain import QuarantineCode
from alworkbench.encoders.head import Features
from alworkbench.features.entry import Entry
from alworkbench.features.shard import MAX_ROWS, finished_shards
from alworkbench.features.shard_writing import write_shard


@dataclass(frozen=True, slots=True)
class ShardBudget:
    """A shard is written when the first of these limits is reached.

    A killed run loses the rows that are not in a shard yet, so shards should be small. Each shard
    costs three files and some milliseconds when a table is opened, so shards should be few. The limit
    of time therefore grows with the run: a kill costs at most 30 s or 1 % of the run, whichever is
    more. 1M images give about 40 shards at 1,000 images/s, and about 500 at 5 images/s (55 hours; a
    fixed limit of 30 s would give 6,700).
    """

    rows: int = MAX_ROWS
    bytes: int = 256 << 20
    seconds: float = 30.0
    share_of_run: float = 0.01


class FeatureWriter:
    """Collects batches; writes a shard when its budget is used up, and at the end."""

    def __init__(
        self, folder: Path, dtype: torch.dtype, budget: ShardBudget, clock: Callable[[], float]
    ) -> None:
        if dtype not in (torch.float16, torch.float32):
            raise ValueError(f"features are kept as fp16 or fp32, not {dtype}")
        self._folder, self._dtype, self._budget, self._clock = folder, dtype, budget, clock
        last = finished_shards(folder)
        self._next = int(last[-1].name) + 1 if last else 0
        self._started = self._since = clock()
        self._entries: list[Entry] = []
        self._features: list[Features] = []
        self._rows = self._bytes = 0

    def add(self, entries: Sequence[Entry], features: Features | None) -> list[Entry]:
        """Append a batch: `features` has one row for each entry without a code, in their order.

        A row that is not finite, or is not after the cast, becomes an entry with the code
        `nonfinite`. Returns the entries as they were recorded.
        """
        good = [k for k, entry in enumerate(entries) if entry.code is None]
        if len(good) != (0 if features is None else len(features)):
            raise ValueError(f"{len(good)} entries without a code, features for others")
        recorded = list(entries)
        if features is not None and good:
            cast = features.to("cpu", self._dtype)
            kind = "fp16" if self._dtype == torch.float16 else "fp32"
            finite = cast.activations.isfinite().all(dim=1)
            if cast.residuals is not None:
                finite &= cast.residuals.isfinite().all(dim=1)
            for k, kept in zip(good, finite.tolist(), strict=True):
                if not kept:
                    recorded[k] = replace(
                        recorded[k],
                        code=QuarantineCode.NONFINITE,
                        detail=f"a feature is not finite as {kind}",
                    )
            if not bool(finite.all()):
                cast = cast[finite.nonzero()[:, 0]]
            if len(cast):
                self._features.append(cast)
                self._rows += len(cast)
                self._bytes += cast.activations.nbytes
                self._bytes += 0 if cast.residuals is None else cast.residuals.nbytes
        self._entries.extend(recorded)
        if self._is_due():
            self.flush()
        return recorded

    @property
    def next_shard(self) -> int:
        """Number of the shard that is written next."""
        return self._next

    def _is_due(self) -> bool:
        now, budget = self._clock(), self._budget
        patience = max(budget.seconds, budget.share_of_run * (now - self._started))
        return (
            self._rows >= budget.rows
            or len(self._entries) >= 4 * budget.rows
            or self._bytes >= budget.bytes
            or now - self._since >= patience
        )

    def flush(self) -> None:
        """Write what was collected as one shard; nothing if there is nothing."""
        if not self._entries:
            return
        write_shard(self._folder / f"{self._next:05d}", self._entries, self._features)
        self._next += 1
        self._since = self._clock()
        self._entries, self._features = [], []
        self._rows = self._bytes = 0
