"""Simulation runs in several processes.

Each process receives once what all runs share. Features lie in a file that every process maps, so that
they are in memory once; everything else is small. All processes end together, and with their parent.
"""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, fields
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from alworkbench.core.domain import SimulationPoint
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.worker_process import READY, WorkerEnded, WorkerPool, WorkerProcess
from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.run import OpenStore, Simulator

TICK = 0.5
"""Seconds between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """A data set on its way to another process: its features in a file, everything else pickled.

    A pickle keeps the strides of a tensor. Products of matrices with other strides are rounded
    otherwise, and runs in several processes must give the figures of runs in one.
    """

    rest: dict[str, Any]
    """All fields of the data set except its table."""
    hashes: tuple[str, ...]
    """Of the table's rows."""
    file: Path

    @classmethod
    def pack(cls, data: SimulationData, folder: Path) -> Parcel:
        """Write the features into a folder, once for all worker processes."""
        file = folder / "features.safetensors"
        everything = data.table.gather(torch.arange(len(data.table)))
        features = {"activations": everything.activations.contiguous()}
        if everything.residuals is not None:
            features["residuals"] = everything.residuals.contiguous()
        save_file(features, file)
        names = [part.name for part in fields(data) if part.name != "table"]
        rest = {name: getattr(data, name) for name in names}
        return cls(rest, tuple(data.table.hashes), file)

    def open(self) -> SimulationData:
        """The data set, its features mapped from the file."""
        tensors = load_file(self.file)
        features = Features(tensors["activations"], tensors.get("residuals"))
        return SimulationData(table=FeatureTable.from_features(self.hashes, features), **self.rest)


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
    simulator = Simulator(parcel.open(), plan, open_store)
    line.send_bytes(READY)
    while True:
        try:
            run = line.recv()
        except EOFError:
            return
        try:
            for point in simulator.run(run):
                line.send(point)
            line.send(None)
        except WorkbenchError as error:
            # Errors that build their own message do not survive the way between processes.
            line.send(WorkbenchError(str(error)))
        except Exception:
            line.send(RuntimeError(f"the run {run.name} failed:\n{traceback.format_exc()}"))
