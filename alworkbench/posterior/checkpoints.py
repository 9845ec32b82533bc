"""Partial sums of curvature: the finished part of a long fit, kept shard by shard.

    partial-<key>/00000.safetensors, 00001.safetensors, ...

A shard is the sum over some consecutive batches. The key is a hash of everything that the sums depend on,
so that only the same fit continues from them. The total is the sum of the shards in their order. It has
the same bits whether the fit was interrupted or not, on the same device with as many threads.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from alworkbench.core.atomic_files import move_aside, write_atomically
from alworkbench.core.sealed_tensors import check_seal, sealed
from alworkbench.encoders.head import Head
from alworkbench.posterior.curvature import KroneckerFactors, PairFactors

FORMAT = "alworkbench-partial-sums-1"


@dataclass(frozen=True, slots=True)
class Shard:
    """The sums over consecutive pairs, and the number of pairs that were read for them."""

    factors: PairFactors | None
    """None if no pair of the shard could be used."""
    seen: int
    unreadable: int
    problem: str = ""
    """What was wrong with the first unreadable pair."""


def key_of(encoder_id: str, files: Sequence[Path], batch: int, seed: int) -> str:
    """16 hexadecimal digits for these arguments; files count by path, size and modification time."""
    facts = [FORMAT, encoder_id, batch, seed]
    for path in files:
        found = path.stat()
        facts.append([str(path.resolve()), found.st_size, found.st_mtime_ns])
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]


class PartialSums:
    """The folder of one fit that is not finished."""

    def __init__(self, folder: Path, head: Head) -> None:
        self.folder = folder
        d, p = head.image_projection.shape
        _, q = head.text_projection.shape
        self._sizes = {
            "image.activation": p,
            "image.embedding": d,
            "text.activation": q,
            "text.embedding": d,
        }

    def finished(self) -> Iterator[Shard]:
        """The finished shards in their order, up to the first that is missing or damaged."""
        index = 0
        while (shard := self._read(index)) is not None:
            yield shard
            index += 1

    def missing(self, count: int) -> list[int]:
        """Which of the first `count` shards are missing or damaged."""
        return [index for index in range(count) if self._read(index) is None]

    def has(self, index: int) -> bool:
        """Whether this shard is here and sound."""
        return self._read(index) is not None

    def save(self, index: int, shard: Shard) -> None:
        """Write a shard, atomically. Two machines may write the same one at once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        metadata = {
            "format": FORMAT,
            "seen": str(shard.seen),
            "unreadable": str(shard.unreadable),
            "problem": shard.problem,
        }
        tensors = {"none": torch.zeros(1)}
        if shard.factors is not None:
            sides = {"image": shard.factors.image, "text": shard.factors.text}
            tensors = {}
            for name, side in sides.items():
                tensors[f"{name}.activation"] = side.activation.cpu().contiguous()
                tensors[f"{name}.embedding"] = side.embedding.cpu().contiguous()
                metadata[f"{name}.pairs"] = str(side.pairs)
        attempt = self.folder / f"attempt-{uuid.uuid4().hex}"
        write_atomically(attempt, sealed(tensors, metadata))
        move_aside(attempt, self._path(index))

    def remove(self) -> None:
        """Delete the partial sums."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _path(self, index: int) -> Path:
        return self.folder / f"{index:05d}.safetensors"

    def _read(self, index: int) -> Shard | None:
        """None for a shard that is missing or damaged: it is then computed again."""
        path = self._path(index)
        if not path.is_file():
            return None
        try:
            check_seal(path)
            with safe_open(path, framework="pt") as file:
                facts = file.metadata() or {}
                if facts.get("format") != FORMAT:
                    return None
                seen, unreadable = int(facts["seen"]), int(facts["unreadable"])
                factors = None
                if "image.pairs" in facts:
                    tensors = {name: file.get_tensor(name) for name in self._sizes}
                    for name, size in self._sizes.items():
                        found = tensors[name]
                        sound = found.shape == (size, size) and found.dtype == torch.float64
                        if not (sound and bool(found.isfinite().all())):
                            return None
                    factors = PairFactors(
                        *(
                            KroneckerFactors(
                                tensors[f"{side}.activation"],
                                tensors[f"{side}.embedding"],
                                int(facts[f"{side}.pairs"]),
                            )
                            for side in ("image", "text")
                        )
                    )
        except (OSError, SafetensorError, KeyError, ValueError):
            return None
        problem = facts.get("problem", "")
        return Shard(factors, seen, unreadable, problem) if seen > 0 else None
