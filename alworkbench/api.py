"""The public functions that join the parts: a project with its store, a simulation with its stores.

They import what they need when they are called, so that importing this module stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench.core.progress import Progress, silent

if TYPE_CHECKING:
    from alworkbench.project.backup import BackupSummary
    from alworkbench.project.workbench import Workbench
    from alworkbench.simulation.load.context import LoadContext, Stores
    from alworkbench.simulation.results import SimulationResult

DEFAULT_CACHE = Path("~/.cache/alworkbench")
"""Where data sets and encoded images of simulations are kept."""


def open_project(path: str | Path, *, device: str = "cpu", asked_by: str = "a script") -> Workbench:
    """Open the project in this folder. Use it in a `with` block, or call `close` at the end.

        with alworkbench.open_project("birds") as workbench:
            print(workbench.status())

    A project of an older version is copied and then upgraded. `device` is `auto`, `cpu`, `cuda`,
    `cuda:N` or `mps`; `asked_by` is who starts computations, as `alworkbench jobs` shows it.
    Raises ProjectMissing, ProjectTooNew, ProjectDamaged, ProjectBusy,
    ProjectUnavailable or DeviceUnavailable.
    """
    import store
    from alworkbench.core.devices import resolve_device
    from alworkbench.core.domain import ProjectFolder
    from alworkbench.project.workbench import Workbench

    chosen = (
        None if device == "cpu" else resolve_device(device)
    )  # the CPU needs no torch to be found
    opened = store.open_store(Path(path))
    return Workbench(ProjectFolder(Path(path)), opened, device=chosen, asked_by=asked_by)


def restore(
    backup: str | Path,
    folder: str | Path,
    *,
    server: str | None = None,
    progress: Progress = silent,
) -> BackupSummary:
    """Make the new folder `folder` the project that `Workbench.backup` wrote to the folder `backup`.

    Every byte is checked before anything is written. `server` is the URL of an empty PostgreSQL database
    for the records, which otherwise lie in the folder. Raises InvalidBackup, FolderNotEmpty,
    OutputUnwritable, ProjectTooNew, InvalidStoreUrl, ServerHoldsProject or ServerUnavailable.
    """
    import store
    from alworkbench.project.backup import restore as restored

    def move(draft: Path) -> None:
        if server is not None:
            store.move_to_server(draft, server)

    return restored(Path(backup), Path(folder), store.open_store, move=move, progress=progress)


def simulate(
    plan: str | Path | None = None,
    *,
    cache: Path | None = None,
    device: str = "cpu",
    progress: Progress = silent,
    tell: Callable[[str], None] = print,
    **parameters: Any,
) -> list[SimulationResult]:
    """Replay labelling with an oracle in the place of people. Gives one result for each data set.

        (result,) = alworkbench.simulate(
            data="digits", strategies=["random", "coverage"], seeds=10, labels=200
        )
        print(result.summary())

    `parameters` are the fields of `simulation.config.SimulationConfig`: those of `alworkbench simulate`
    and of a plan file. With a `plan`, they replace those of the file. `cache` is a folder for encoded
    images; `tell` receives notes for the user. A finished result is read again and not computed again.
    Raises InvalidPlan, WorkbenchError if a process ends early, and what reading the data raises.
    """
    from alworkbench.report.writing import write_curve
    from alworkbench.simulation import experiment
    from alworkbench.simulation.config import SimulationConfig

    config = (
        SimulationConfig.of(parameters)
        if plan is None
        else SimulationConfig.read(Path(plan), parameters)
    )
    context = load_context(cache or DEFAULT_CACHE.expanduser(), device, progress, tell)
    results = experiment.run_experiment(config, context)
    for result in results:
        write_curve(result)
    return results


def load_context(
    cache: Path, device: str, progress: Progress, tell: Callable[[str], None]
) -> LoadContext:
    """What loading data for a simulation needs besides their origin."""
    from alworkbench.core.devices import resolve_device
    from alworkbench.simulation.load.context import LoadContext

    return LoadContext(stores(), cache, resolve_device(device), progress, tell)


def stores() -> Stores:
    """The functions that open the stores of simulations."""
    import store
    from alworkbench.simulation.load.context import Stores

    return Stores(store.memory_store, store.open_store, store.create_store)
