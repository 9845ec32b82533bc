"""Runs in several processes: sent what they share once, stopped together, gone with their parent.

Features travel in a file that every process maps, so they lie in memory once; all else is small.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from alworkbench.core.domain import SimulationPoint
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerPool, WorkerProcess
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import Bench, OpenStore

TICK = 0.5
"""Seconds between two looks at how far the workers are."""
FEATURES, SMALL = "features.safetensors", "small.safetensors"
"""The features of all images, and every other tensor."""


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
    """Each run with its points, as they finish; `tick` hears of rounds. Closing ends the workers.

    Raises WorkbenchError for a worker that cannot start or that ends before its run is done.
    """
    with tempfile.TemporaryDirectory(prefix="alworkbench-") as scratch:
        shared = Parcel.pack(data, Path(scratch)), plan, open_store
        # A worker that is killed leaves the files of its run behind: in this folder.
        start = partial(WorkerProcess, serve, variables={"TMPDIR": scratch})
        workers = WorkerPool(start, shared)
        threads = ThreadPoolExecutor(processes)
        rounds: list[SimulationPoint] = []
        try:
            waiting = {threads.submit(_run, workers, each, rounds): each for each in runs}
            while waiting:
                done, _ = wait(waiting, TICK, FIRST_COMPLETED)
                tick(len(rounds))
                for future in done:
                    yield waiting.pop(future), future.result()
        finally:
            workers.kill()
            threads.shutdown(cancel_futures=True)
            workers.close()


def _run(
    workers: WorkerPool[WorkerProcess], run: Run, rounds: list[SimulationPoint]
) -> list[SimulationPoint]:
    """Have the worker of this thread do a run. Every round that is done is added to `rounds`."""
    try:
        worker = workers.worker()
    except WorkerEnded as error:
        raise WorkbenchError(
            f"A process for the simulation {error}. It had not begun to work. `--processes 1` (from "
            f"Python: `processes=1`) runs without one; stores must be opened by a function that "
            f"another process can import."
        ) from error
    points: list[SimulationPoint] = []
    try:
        worker.line.send(run)
        while (found := worker.line.recv()) is not None:
            if isinstance(found, Exception):
                raise found
            points.append(found)
            if found.round > 0:
                rounds.append(found)
    except (EOFError, ConnectionError) as error:
        raise WorkbenchError(
            f"The process that computed the run {run.name} {worker.ended()}. If memory ran out, use "
            f"fewer processes at once (`--processes 1`). A simulation that is kept in a folder goes on "
            f"after the runs that were done."
        ) from error
    return points


def serve(line: Connection, shared: tuple[Parcel, Plan, OpenStore]) -> None:
    """What a worker does until the line is closed: it sends the points of each run, and then None."""
    parcel, plan, open_store = shared
    torch.set_num_threads(1)
    bench = Bench(parcel.open(), plan, open_store)
    line.send_bytes(READY)
    while True:
        try:
            run = line.recv()
        except EOFError:
            return
        try:
            for point in bench.run(run):
                line.send(point)
            line.send(None)
        except WorkbenchError as error:
            # Errors that build their own message do not survive the way between processes.
            line.send(WorkbenchError(str(error)))
        except Exception:
            line.send(RuntimeError(f"the run {run.name} failed:\n{traceback.format_exc()}"))
