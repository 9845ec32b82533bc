"""Runs in several processes: sent what they share once, stopped together, gone with their parent.

Features travel in a file that every process maps, so they lie in memory once; all else is small.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, fields, is_dataclass
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from alworkbench.core.domain import SimulationPoint
from alworkbench.core.errors import WorkbenchError
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import Bench, OpenStore

TICK = 0.5
"""Seconds between two looks at how far the workers are."""
FEATURES, SMALL = "features.safetensors", "small.safetensors"
"""The features of all images, and every other tensor."""


class Stopped(Exception):
    """A worker was told to end before its run was done."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A data set on its way to another process of this program: plain values, and files of tensors."""

    rest: Any
    """All but the table, taken apart."""
    hashes: tuple[str, ...]
    """Of the table's rows."""
    folder: Path

    @classmethod
    def pack(cls, data: SimulationData, folder: Path) -> Parcel:
        """Write the data into a folder, once for all worker processes."""
        everything = data.table.gather(torch.arange(len(data.table)))
        features = {"activations": everything.activations.contiguous()}
        if everything.residuals is not None:
            features["residuals"] = everything.residuals.contiguous()
        save_file(features, folder / FEATURES)
        small: dict[str, Tensor] = {}
        rest = {
            part.name: _taken_apart(getattr(data, part.name), part.name, small)
            for part in fields(data)
            if part.name != "table"
        }
        save_file(small, folder / SMALL)
        return cls(rest, tuple(data.table.hashes), folder)

    def open(self) -> SimulationData:
        """The data, read from the folder."""
        tensors = load_file(self.folder / FEATURES)
        features = Features(tensors["activations"], tensors.get("residuals"))
        small = load_file(self.folder / SMALL)
        rest = {name: _put_together(part, small) for name, part in self.rest.items()}
        return SimulationData(table=FeatureTable.from_features(self.hashes, features), **rest)


@dataclass(frozen=True, slots=True)
class _Stored:
    """Stands for a tensor that lies in the file under this name, its axes by descending stride.

    Products of matrices that lie otherwise in memory round otherwise, and runs in several processes
    give the figures of runs in one.
    """

    name: str
    order: tuple[int, ...]

    @classmethod
    def store(cls, tensor: Tensor, name: str, tensors: dict[str, Tensor]) -> _Stored:
        order = sorted(range(tensor.ndim), key=tensor.stride, reverse=True)
        # Copied, for two names may share one memory, which such a file cannot hold.
        lying = tensor.detach().cpu().permute(order)
        tensors[name] = lying.clone(memory_format=torch.contiguous_format)
        return cls(name, tuple(order))

    def open(self, tensors: dict[str, Tensor]) -> Tensor:
        # Copied into memory that is aligned as torch aligns it, for the same reason.
        lying = tensors[self.name].clone()
        return lying.permute([self.order.index(axis) for axis in range(lying.ndim)])


@dataclass(frozen=True, slots=True)
class _Parts:
    """Stands for a dataclass that holds tensors, or may."""

    kind: type
    fields: dict[str, Any]


def _taken_apart(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The value without its tensors, which are put into `tensors` under names that begin with this."""
    if isinstance(value, Tensor):
        return _Stored.store(value, name, tensors)
    if is_dataclass(value) and not isinstance(value, type):
        inside = {
            part.name: _taken_apart(getattr(value, part.name), f"{name}.{part.name}", tensors)
            for part in fields(value)
        }
        return _Parts(type(value), inside)
    return value


def _put_together(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, _Stored):
        return value.open(tensors)
    if isinstance(value, _Parts):
        return value.kind(**{n: _put_together(v, tensors) for n, v in value.fields.items()})
    return value


def in_processes(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    runs: Sequence[Run],
    processes: int,
    tick: Callable[[int], None],
) -> Iterator[tuple[Run, list[SimulationPoint]]]:
    """Each run with its points, as they finish; `tick` hears of rounds. Closing ends the workers."""
    # Fresh interpreters: a fork would copy torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    rounds, stop = context.Value("q", 0), context.Event()
    with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
        shared = (Parcel.pack(data, Path(scratch)), plan, open_store, rounds, stop)
        pool = ProcessPoolExecutor(processes, context, _prepare, shared)
        try:
            waiting: dict[Future[list[SimulationPoint]], Run] = {
                pool.submit(_run_prepared, each): each for each in runs
            }
            while waiting:
                done, _ = wait(waiting, TICK, FIRST_COMPLETED)
                tick(rounds.value)
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)


_prepared: tuple[Bench, Any, Any] | None = None
"""What a worker process was started with: sent once, used for all of its runs."""


def _prepare(parcel: Parcel, plan: Plan, open_store: OpenStore, rounds: Any, stop: Any) -> None:
    global _prepared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, which tells us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    _prepared = Bench(parcel.open(), plan, open_store), rounds, stop


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its workers to stop."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait_for_end([parent.sentinel])
        os._exit(1)


def _run_prepared(run: Run) -> list[SimulationPoint]:
    if _prepared is None:
        raise RuntimeError("a worker ran before it was prepared")
    bench, rounds, stop = _prepared
    points = []
    try:
        for point in bench.run(run):
            points.append(point)
            if point.round > 0:
                with rounds.get_lock():
                    rounds.value += 1
            if stop.is_set():
                raise Stopped
    except WorkbenchError as error:
        # Errors that build their own message do not survive the way between processes.
        raise WorkbenchError(str(error)) from None
    return points
