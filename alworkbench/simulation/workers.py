"""Runs in several processes: sent what they share once, stopped together, gone with their parent.

Features travel in a file that every process maps, so they lie in memory once; all else is small.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass, replace
from multiprocessing.connection import wait as wait_for_end
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

from alworkbench.errors import WorkbenchError
from alworkbench.feature_table import FeatureTable
from alworkbench.heads import Features
from alworkbench.simulation.data import SimulationData
from alworkbench.simulation.plan import Plan, Point, Run

if TYPE_CHECKING:
    from alworkbench.simulation.runner import Bench, OpenStore

TICK = 0.5
"""Seconds between two looks at how far the workers are."""


class Stopped(Exception):
    """A worker was told to end before its run was done."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A data set on its way to another process of this program."""

    rest: bytes
    """All but the features; made here for our own workers, never read from a file."""
    features: Path

    @classmethod
    def pack(cls, data: SimulationData, folder: Path) -> Parcel:
        everything = data.table.gather(torch.arange(len(data.table)))
        tensors = {"activations": everything.activations.contiguous()}
        if everything.residuals is not None:
            tensors["residuals"] = everything.residuals.contiguous()
        path = folder / "features.safetensors"
        save_file(tensors, path)
        # A table of the same images without numbers: what a data set checks of itself still holds.
        empty = Features(torch.zeros(len(data.table), 0))
        light = replace(data, table=FeatureTable.from_features(data.table.hashes, empty))
        return cls(pickle.dumps(light), path)

    def open(self) -> SimulationData:
        data: SimulationData = pickle.loads(self.rest)
        tensors = load_file(self.features)
        features = Features(tensors["activations"], tensors.get("residuals"))
        return replace(data, table=FeatureTable.from_features(data.table.hashes, features))


def in_processes(
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    runs: Sequence[Run],
    processes: int,
    tick: Callable[[int], None],
) -> Iterator[tuple[Run, list[Point]]]:
    """Each run with its points, as they finish; `tick` hears of rounds. Closing ends the workers."""
    # Fresh interpreters: a fork would copy torch's threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    rounds, stop = context.Value("q", 0), context.Event()
    with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
        shared = (Parcel.pack(data, Path(scratch)), plan, open_store, rounds, stop)
        pool = ProcessPoolExecutor(processes, context, _prepare, shared)
        try:
            waiting: dict[Future[list[Point]], Run] = {
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
    from alworkbench.simulation.runner import Bench

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


def _run_prepared(run: Run) -> list[Point]:
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
