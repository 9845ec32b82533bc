"""Simulation runs on an engine: one run of a plan is one group.

Workers read the features from a file in the folder of the result, and keep each finished run there, so that
nothing that is finished is lost. All of them must see this folder under the same path.
"""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.atomic_files import move_aside
from alworkbench.core.domain import SimulationPoint
from alworkbench.core.errors import EngineError
from alworkbench.engines.engine import Engine, GroupFailed
from alworkbench.simulation.begun import file_of_run
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.results import save_points
from alworkbench.simulation.run import OpenStore, Simulator
from alworkbench.simulation.workers import Parcel

SCRATCH = "features-"
"""The names of folders with features begin so."""
LOCK = "in-use.lock"


@dataclass(frozen=True, slots=True)
class Replaying:
    """What every run needs."""

    parcel: Parcel
    plan: Plan
    open_store: OpenStore
    folder: Path
    """Of the result."""


def on_engine(
    engine: Engine,
    data: SimulationData,
    plan: Plan,
    open_store: OpenStore,
    runs: Sequence[Run],
    folder: Path,
    tick: Callable[[int], None],
) -> Iterator[tuple[Run, list[SimulationPoint]]]:
    """Each run with its points, in the order of the runs; `tick` hears of the rounds of finished ones.

    Raises EngineError at the end where runs failed, and names them; the others are kept.
    """
    failed: list[str] = []
    rounds = 0
    with _scratch(folder.absolute()) as scratch:
        work = Replaying(Parcel.pack(data, scratch), plan, open_store, folder.absolute())
        with closing(engine.map_groups(replay_run, engine.broadcast(work), runs)) as found:
            for run, points in zip(runs, found, strict=True):
                if isinstance(points, GroupFailed):
                    failed.append(f"{run.name}: {points.detail}")
                    continue
                rounds += sum(point.round > 0 for point in points)
                tick(rounds)
                yield run, points
    if failed:
        raise EngineError(
            f"{len(failed)} of {len(runs)} runs failed, and the others are kept. The first is {failed[0]}"
        )


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder for the features, in the folder of the result. Those of killed programs are removed first.

    A program locks its own while it computes; the system frees the lock when the program ends in any way.
    """
    for left in folder.glob(f"{SCRATCH}*"):
        with suppress(FileNotFoundError, BlockingIOError), (left / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left, ignore_errors=True)
    name = f"{SCRATCH}{uuid.uuid4().hex}"
    draft, scratch = folder / f".{name}.part", folder / name
    draft.mkdir()
    try:
        with (draft / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            move_aside(draft, scratch)  # it has its lock when it gets its name
            yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


_simulators: dict[Path, Simulator] = {}
"""The simulator of this worker, by the file of its features: what runs share is computed once."""


def replay_run(work: Replaying, run: Run) -> list[SimulationPoint]:
    """The points of a run, which are kept in the folder of the result as well."""
    place = work.parcel.file
    if place not in _simulators:
        _simulators.clear()
        _simulators[place] = Simulator(work.parcel.open(), work.plan, work.open_store)
    points = list(_simulators[place].run(run))
    save_points(file_of_run(work.folder, run), points)
    return points
