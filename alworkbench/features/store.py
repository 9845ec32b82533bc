"""The folder `features/<encoder id>/` of a project: features of images and prompts.

After encoding, nothing else of the encoder is needed: neither its weights nor the library that runs it.

    encoder.json           id, spec, and versions of the libraries
    head.safetensors       the two projections, logit scale and bias, with their SHA-256
    prompts.safetensors    text activations by the prompt's text: a cache, with its SHA-256
    00000/, 00001/, ...    finished shards (`shard.py`)
    writer.lock            the process that may write
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import EncoderRecord, QuarantineCode, QuarantinedFile
from alworkbench.core.errors import EncoderMismatch, FeaturesLocked, InvalidFeatureFile
from alworkbench.core.sealed_tensors import check_seal, sealed
from alworkbench.core.tensors import floats
from alworkbench.encoders.head import Head
from alworkbench.features.shard import (
    DONE,
    Shard,
    count_rows,
    finished_shards,
    read_shard,
    refused_files,
    remove_unfinished,
)
from alworkbench.features.table import FeatureTable
from alworkbench.features.writer import FeatureWriter, ShardBudget

_FOLDER_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")


class FeatureStore:
    """Features of one encoder on disk. Any number of readers, one writer."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._opened: tuple[list[tuple[str, int]], FeatureTable] | None = None

    # ------------------------------------------------------------------------------- the encoder

    def describe(self, record: EncoderRecord, head: Head, made_with: Mapping[str, Any]) -> None:
        """Record the encoder of these features; recording the same encoder again changes nothing.

        Raises EncoderMismatch if the folder belongs to another encoder.
        """
        if (self.folder / "encoder.json").exists():
            known = self.encoder()
            if known.id != record.id:
                raise EncoderMismatch(str(self.folder), known.id, record.id)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / "head.safetensors", _head_bytes(head))
        description = {"id": record.id, "spec": record.spec, "made_with": dict(made_with)}
        text = json.dumps(description, indent=1, sort_keys=True)
        write_atomically(self.folder / "encoder.json", text.encode())

    def encoder(self) -> EncoderRecord:
        """The encoder that made these features."""
        try:
            found = json.loads((self.folder / "encoder.json").read_bytes())
            encoder_id, spec = found["id"], found["spec"]
            if not (isinstance(encoder_id, str) and isinstance(spec, str)):
                raise TypeError("id and spec must be text")
            # A folder has this name, and what was received is not trusted.
            if not _FOLDER_NAME.fullmatch(encoder_id):
                raise ValueError(f"the id {encoder_id!r} is no name of a folder")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise _unreadable(self.folder / "encoder.json", error) from error
        return EncoderRecord(encoder_id, spec)

    def read_head(self) -> Head:
        """The encoder's projections, in fp32 on the CPU."""
        path = self.folder / "head.safetensors"
        try:
            check_seal(path)
            with safe_open(path, framework="pt") as file:
                facts = json.loads((file.metadata() or {})["head"])
                image, text = (
                    floats(file.get_tensor(name), name)
                    for name in ("image_projection", "text_projection")
                )
            if image.ndim != 2 or text.ndim != 2 or image.shape[0] != text.shape[0]:
                raise ValueError(f"projections of shapes {image.shape} and {text.shape}")
            if facts["loss"] not in ("infonce", "siglip"):
                raise ValueError(f"the loss {facts['loss']!r}")
            scale, bias = float(facts["logit_scale"]), float(facts["logit_bias"])
        except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
            raise _unreadable(path, error) from error
        return Head(image, text, scale, bias, facts["loss"])

    # ------------------------------------------------------------------------------- the prompts

    def prompt_activations(self, prompts: Sequence[str]) -> Float[Tensor, "T Q"] | None:
        """The text activations of these prompts, or None if any was never encoded."""
        known, activations = self.prompts()
        if not prompts or any(prompt not in known for prompt in prompts):
            return None
        return activations[torch.tensor([known[prompt] for prompt in prompts])]

    def missing_prompts(self, prompts: Sequence[str]) -> list[str]:
        """The prompts that were never encoded, each once, in order."""
        known, _ = self.prompts()
        return [prompt for prompt in dict.fromkeys(prompts) if prompt not in known]

    def add_prompts(self, prompts: Sequence[str], activations: Float[Tensor, "T Q"]) -> None:
        """Remember the text activations of these prompts.

        The file is replaced as a whole. If two processes add at the same moment, the prompts of one may
        be lost. The file is a cache: they are encoded again when they are needed.
        """
        known, old = self.prompts()
        fresh = {
            p: k for k, p in enumerate(prompts) if p not in known
        }  # the last row of a repeated prompt
        if not fresh:
            return
        new = activations[torch.tensor(list(fresh.values()))].to("cpu", torch.float32)
        joined = torch.cat([old, new]) if known else new
        metadata = {"prompts": json.dumps([*known, *fresh])}
        self.folder.mkdir(parents=True, exist_ok=True)
        data = sealed({"activations": joined.contiguous()}, metadata)
        write_atomically(self.folder / "prompts.safetensors", data)

    def prompts(self) -> tuple[dict[str, int], Float[Tensor, "T Q"]]:
        """Row by prompt, and the text activations of all prompts that were ever encoded."""
        found = [(path, *_read_prompts(path)) for path in self._prompt_files()]
        if not found:
            return {}, torch.zeros(0, 0)
        joined: dict[str, int] = {}
        start = 0
        for path, known, activations in found:
            if activations.shape[1] != found[0][2].shape[1]:
                raise _unreadable(path, ValueError("its width is not that of the other prompts"))
            joined |= {prompt: start + row for prompt, row in known.items() if prompt not in joined}
            start += len(activations)
        if len(found) == 1:
            return joined, found[0][2]
        rows = torch.tensor(list(joined.values()))
        every = torch.cat([activations for _, _, activations in found])[rows]
        return {prompt: row for row, prompt in enumerate(joined)}, every

    def prompts_mark(self) -> tuple[tuple[str, int, int, int], ...]:
        """Changes with the files of the prompts: place, time, size and number of each."""
        found = [(path, path.stat()) for path in self._prompt_files()]
        return tuple((str(p), s.st_mtime_ns, s.st_size, s.st_ino) for p, s in found)

    def _prompt_files(self) -> list[Path]:
        # A published folder has a file for each time that it was published with other prompts.
        own = self.folder / "prompts.safetensors"
        published = sorted(self.folder.glob("prompts-*.safetensors"))
        return [path for path in (own, *published) if path.exists()]

    # -------------------------------------------------------------------------------- the images

    def shards(self) -> Iterator[Shard]:
        """Every finished shard, checked. Raises InvalidFeatureFile for a damaged one."""
        for folder in finished_shards(self.folder):
            yield read_shard(folder)

    def open_table(self) -> FeatureTable:
        """All rows that exist now; the table does not see shards that are finished later."""
        # A finished shard never changes, but a deleted one may be written again.
        folders = finished_shards(self.folder)
        found = [(folder.name, (folder / DONE).stat().st_mtime_ns) for folder in folders]
        if self._opened is None or self._opened[0] != found:
            rows = sum(count_rows(folder) for folder in folders)
            table = FeatureTable.from_shards((read_shard(folder) for folder in folders), rows)
            self._opened = found, table
        return self._opened[1]

    def settled(self) -> set[str]:
        """Hashes that need no encoding: they have a row, or a code that another try will not change."""
        found: set[str] = set()
        for shard in self.shards():
            again = pc.equal(shard.meta["code"], QuarantineCode.IO.value)
            kept = shard.meta.filter(pc.invert(pc.fill_null(again, False)))
            found.update(kept["hash"].to_pylist())
        return found

    def quarantined(self) -> list[QuarantinedFile]:
        """Every input that has no features, with its newest reason, in the order of the inputs."""
        return list(self.refused().values())

    def refused(self) -> dict[str, QuarantinedFile]:
        """Content hash -> newest reason, of every input that has no features."""
        return refused_files(self.folder)

    @contextmanager
    def writer(
        self,
        *,
        dtype: torch.dtype = torch.float16,
        budget: ShardBudget | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Iterator[FeatureWriter]:
        """The right to append. Removes unfinished shards of killed runs. Raises FeaturesLocked while
        another process, or another writer of this process, has the right."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "writer.lock").open("a+") as lock:
            try:
                # The open file holds the lock: the system frees it when the process ends in any way.
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                holder = lock.read(20).strip() or "(unknown)"
                raise FeaturesLocked(self.folder, holder) from None
            lock.truncate(0)
            lock.write(f"{os.getpid()}\n")
            lock.flush()
            remove_unfinished(self.folder)
            writer = FeatureWriter(self.folder, dtype, budget or ShardBudget(), clock)
            try:
                yield writer
            finally:  # an interrupted run keeps the complete batches
                writer.flush()


def _head_bytes(head: Head) -> bytes:
    facts = {"logit_scale": head.logit_scale, "logit_bias": head.logit_bias, "loss": head.loss}
    cpu = head.to("cpu", torch.float32)
    tensors = {
        "image_projection": cpu.image_projection.detach().contiguous(),
        "text_projection": cpu.text_projection.detach().contiguous(),
    }
    return sealed(tensors, {"head": json.dumps(facts)})


def _unreadable(path: Path, error: Exception) -> InvalidFeatureFile:
    return InvalidFeatureFile(
        f"{path} cannot be read: {error}. Delete this file and run `alworkbench encode`, which writes it "
        f"again. Keep the other files in the folder.",
        f"{path.name}: {error}",
    )


def _read_prompts(path: Path) -> tuple[dict[str, int], Float[Tensor, "T Q"]]:
    """Row by prompt, and the rows, of one file. Raises InvalidFeatureFile."""
    try:
        check_seal(path)
        with safe_open(path, framework="pt") as file:
            prompts = json.loads((file.metadata() or {})["prompts"])
            activations = floats(file.get_tensor("activations"), "activations")
        if activations.ndim != 2 or len(prompts) != len(activations):
            raise ValueError(f"{len(prompts)} prompts for {tuple(activations.shape)}")
        if not all(isinstance(prompt, str) for prompt in prompts):
            raise TypeError("a prompt must be text")
        known = {prompt: k for k, prompt in enumerate(prompts)}
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise _unreadable(path, error) from error
    return known, activations
