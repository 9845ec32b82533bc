"""The public functions that join the parts: a project with its store, a simulation with its stores.

They import what they need when they are called, so that importing this module stays cheap.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alworkbench.core.domain import DEFAULT_TEMPLATES, ProjectSettings
from alworkbench.core.progress import Progress, silent

if TYPE_CHECKING:
    from alworkbench.engines.engine import Engine
    from alworkbench.project.backup import BackupSummary
    from alworkbench.project.job_orders import Orders
    from alworkbench.project.people import People
    from alworkbench.project.workbench import Workbench
    from alworkbench.simulation.load.context import LoadContext, Stores
    from alworkbench.simulation.results import SimulationResult

_log = logging.getLogger(__name__)

_making = threading.Lock()
"""Held while a project is made in a home folder, so that two of one name are told apart."""

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


def create_project(
    folder: str | Path,
    classes: Sequence[str],
    *,
    name: str | None = None,
    templates: Sequence[str] = DEFAULT_TEMPLATES,
    server: str | None = None,
    **settings: Any,
) -> tuple[ProjectSettings, list[str]]:
    """Make a project in this folder; returns its settings and the names of its classes as they are stored.

    The project has the name of its folder unless `name` is given. `settings` are fields of `ProjectSettings`,
    such as `encoder` and `batch_size`; `server` is the URL of an empty PostgreSQL database for the records.
    Raises ProjectExists, InvalidClassList, UnknownEncoder, UnknownStrategy and what the store raises.
    """
    import store
    from alworkbench.acquisition.strategy_cards import strategy_card
    from alworkbench.adaptation.method_cards import method_card
    from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, refuse_twins
    from alworkbench.core.names import tidy_name
    from alworkbench.encoders import check_encoder
    from alworkbench.project.session import utc_now

    path = Path(folder)
    names = [tidy_name(each) for each in classes]
    class_list = ClassList(tuple(LabelClass(each, tuple(templates)) for each in names))
    refuse_twins(names)
    given = ProjectSettings(name or path.resolve().name, **settings)
    check_encoder(given.encoder)
    chosen = replace(
        given,
        strategy=strategy_card(given.strategy).name,
        adaptation=method_card(given.adaptation).name,
    )
    database = ProjectFolder(path).database
    store.create_store(database, chosen, class_list, utc_now(), server=server).close()
    return chosen, names


def create_project_in(
    home: str | Path,
    name: str,
    classes: Sequence[str],
    *,
    maker: tuple[People, str] | None = None,
    **settings: Any,
) -> Path:
    """Make a project with this name below `home`, as `create_project` does; returns its folder.

    `maker` are the people of another project and a name among them: this person becomes the manager of the
    new one, and signs in with the same password. The folder appears when everything is in it. Of several
    people who give one name at the same time, the first gets the project. Raises InvalidProjectName,
    UnknownPerson, OutputUnwritable and what `create_project` raises.
    """
    from alworkbench.core.atomic_files import atomic_folder
    from alworkbench.core.domain import PersonRole
    from alworkbench.project.project_folders import new_folder

    with _making:
        folder = new_folder(Path(home), name)
        with atomic_folder(folder, alone=False) as draft:
            create_project(draft, classes, name=folder.name, **settings)
            if maker is not None:
                people, person = maker
                with open_project(draft) as workbench:
                    workbench.people.take_over(people, person, PersonRole.MANAGER)
    return folder


def model_names() -> list[str]:
    """The bundled model, and published models of open_clip as ARCH:TAG, for `encoder` of a project."""
    from alworkbench.encoders import published_tags

    published = [f"{name}:{tag}" for name, tags in published_tags().items() for tag in tags]
    return [ProjectSettings(name="").encoder, *published]


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
    engine: Engine | None = None,
    progress: Progress = silent,
    tell: Callable[[str], None] = print,
    asked_by: str = "a script",
    **parameters: Any,
) -> list[SimulationResult]:
    """Replay labelling with an oracle in the place of people. Gives one result for each data set.

        (result,) = alworkbench.simulate(
            data="digits", strategies=["random", "coverage"], seeds=10, labels=200
        )
        print(result.summary())

    `parameters` are the fields of `simulation.config.SimulationConfig`: those of `alworkbench simulate`
    and of a plan file. With a `plan`, they replace those of the file. `cache` is a folder for encoded
    images; `tell` receives notes for the user; an `engine` computes the runs. A finished result is read
    again and not computed again. Where a project keeps the results, the simulation is a job of that project,
    which `asked_by` started.
    Raises InvalidPlan, JobRuns where the project is simulated already, JobCancelled, WorkbenchError if a
    process ends early, EngineError, and what reading the data raises.
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
    home = experiment.project_of(config)

    @contextmanager
    def recorded(title: str, told: Progress) -> Iterator[Progress]:
        if home is None:
            yield told
            return
        with (
            open_project(home, asked_by=asked_by) as workbench,
            experiment.recorded_in(workbench)(title, told) as heard,
        ):
            yield heard

    results = experiment.run_experiment(config, context, recorded, engine)
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


def further_orders() -> Orders:
    """What carries out the orders of jobs that need more than a project; see `job_orders.perform`."""
    return {"simulate": _simulate, "report": _report, "replay": _replay}


def _simulate(workbench: Workbench, order: Mapping[str, Any], progress: Progress) -> None:
    """Simulate as `order["words"]` say, keep the results in the project, and write their reports.

    Words without a source mean the images of this project, in which a truth may be named from there.
    """
    from alworkbench.simulation import experiment
    from alworkbench.simulation.config import SAMPLE, SOURCES, SimulationConfig

    here = str(workbench.session.folder.path)
    words = {**order["words"], "out": here}
    if words.keys().isdisjoint(SOURCES):
        words["project"] = here
        if (inside := workbench.session.folder.path / words.get("truth", SAMPLE)).is_file():
            words["truth"] = str(inside)
    config = SimulationConfig.of(words, "The order")
    told, device = experiment.rounds_only(progress), str(workbench.session.device)
    context = load_context(DEFAULT_CACHE.expanduser(), device, told, _log.warning)
    for result in experiment.run_experiment(config, context):
        _write_report(workbench, result, context)


def _report(workbench: Workbench, order: Mapping[str, Any], progress: Progress) -> None:
    """Write the report of the kept result whose key is `order["key"]`."""
    from alworkbench.simulation.results import find_result

    progress("write the report", 0, 0)
    result = find_result(order["key"], [workbench.session.folder.simulations])
    context = load_context(DEFAULT_CACHE.expanduser(), "cpu", progress, _log.warning)
    _write_report(workbench, result, context)


def _write_report(workbench: Workbench, result: SimulationResult, context: LoadContext) -> None:
    from alworkbench.report.thumbnails import thumbnails_of
    from alworkbench.report.writing import write_curve, write_report

    write_curve(result)
    with thumbnails_of(result, workbench.session.folder.path, context) as images:
        write_report(result, images)


def _replay(workbench: Workbench, order: Mapping[str, Any], progress: Progress) -> None:
    from alworkbench.simulation.kept_replay import replay_and_keep

    replay_and_keep(workbench, stores().memory, progress, until=order.get("until"))
