"""A project from its making to its labels in a file, and the screens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from alworkbench.api import open_project, stores
from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    escape,
    opened,
    print_json,
    progress_bar,
    tell,
)
from alworkbench.cli.labelling import print_round
from alworkbench.cli.simulating import print_simulation
from alworkbench.core.domain import (
    DEFAULT_TEMPLATES,
    ClassList,
    Goal,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)

PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Of the address that is served.")]
USUAL = ProjectSettings(name="")
"""What a project is set to where nothing is said."""


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench init birds --class 'barn owl' --class 'tawny owl'")(
        init
    )
    app.command("import", epilog="Example: alworkbench import photos/ --project birds")(import_)
    app.command(epilog="Example: alworkbench encode --project birds --device cuda")(encode)
    app.command(epilog="Example: alworkbench status --project birds --json")(status)
    app.command(epilog="Example: alworkbench export labels.csv --project birds")(export)
    app.command(epilog="Example: alworkbench serve --project birds --port 8600")(serve)
    app.command(epilog="Example: alworkbench demo --no-serve")(demo)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make the project in.")],
    classes: Annotated[
        list[str] | None, typer.Option("--class", "-c", help="A class name; at least two.")
    ] = None,
    classes_file: Annotated[
        Path | None, typer.Option("--classes", help="A text file with one class name a line.")
    ] = None,
    templates: Annotated[
        list[str] | None, typer.Option("--template", "-t", help="A prompt with {} for the name.")
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="bundled, ARCH:TAG of open_clip, or ARCH:path/to/weights.")
    ] = USUAL.encoder,
    strategy: Annotated[
        str, typer.Option(help="How batches are chosen; see `alworkbench strategies`.")
    ] = USUAL.strategy,
    adaptation: Annotated[
        str, typer.Option(help="How labels are learned; see `alworkbench adaptations`.")
    ] = USUAL.adaptation,
    goal: Annotated[
        Goal, typer.Option(help="What counts alike: every image, or every class however rare.")
    ] = USUAL.goal,
    batch: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = USUAL.batch_size,
    seed: Annotated[int, typer.Option(help="Everything random comes from it.")] = USUAL.seed,
    as_json: JsonOption = False,
) -> None:
    """Make a project: a folder that holds everything of one labelling effort."""
    import store
    from alworkbench.acquisition.catalogue import find_strategy
    from alworkbench.adaptation.methods import find_method
    from alworkbench.inputs.label_files import read_class_names
    from alworkbench.project.session import utc_now

    names = [*(classes or []), *(read_class_names(classes_file) if classes_file else [])]
    chosen = tuple(templates or DEFAULT_TEMPLATES)
    class_list = ClassList(tuple(LabelClass(name, chosen) for name in names))
    settings = ProjectSettings(
        folder.resolve().name,
        encoder,
        find_strategy(strategy).name,
        batch,
        seed,
        goal,
        find_method(adaptation).name,
    )
    store.create_store(ProjectFolder(folder).database, settings, class_list, utc_now()).close()
    tell(
        as_json,
        {"project": str(folder), **asdict(settings), "classes": names},
        f"Made the project {folder} with {len(names)} classes. "
        f"Next: alworkbench import IMAGES --project {folder}",
    )


def import_(
    location: Annotated[Path, typer.Argument(help="A folder, CSV manifest, zip or tar archive.")],
    project: ProjectOption = HERE,
    audit: Annotated[
        bool,
        typer.Option("--audit", help="The images are an audit set: measured on, never learned."),
    ] = False,
    labels: Annotated[
        bool, typer.Option("--labels", help="Record the labels that come with pool images too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take images into the pool. Broken files are listed and set aside, the rest goes on.

    The files stay where they are and are never changed; archives are unpacked into the project.
    Labels (class folders, or the manifest's column `label`) of an audit set are recorded always.
    """
    with opened(project) as workbench, progress_bar(as_json) as progress:
        summary = workbench.images.add(
            location, role=Role.AUDIT if audit else Role.POOL, pool_labels=labels, progress=progress
        )
    words = (
        f"{summary.files} files: {summary.new} new images, {summary.known} known, "
        f"{summary.duplicates} duplicates, {len(summary.quarantined)} set aside, "
        f"{summary.labelled} labels."
    )
    tell(as_json, summary, words)
    if not as_json:
        for file in summary.quarantined:
            complaints.print(
                f"  set aside ({file.code}): {escape(file.path)}: {escape(file.detail)}"
            )


def encode(
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    features: Annotated[
        Path | None, typer.Option(help="Take features from this .npz instead of encoding.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images the tower sees at once.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """Compute the features of images that have none yet. Interrupted, it goes on where it stopped."""
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if features is not None:
            summary = workbench.features.take(features, progress)
        else:
            summary = workbench.features.encode(
                workers=workers, batch_size=batch, progress=progress
            )
    tell(
        as_json,
        summary,
        f"{summary.encoded} images encoded with {summary.encoder_id} in {summary.seconds:.1f} s, "
        f"{summary.known} had features already, {summary.quarantined} set aside.",
    )


def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Say where the project stands and what comes next."""
    with opened(project) as workbench:
        state = workbench.status()
    if as_json:
        names = [
            {**asdict(each), "share": each.share, "unknown": each.unknown} for each in state.names
        ]
        print_json({**asdict(state), "names": names, "unknown_classes": state.unknown_classes})
        return
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    rows: list[tuple[str, str]] = [
        ("project", state.name),
        ("encoder", state.encoder),
        ("images", f"{state.pool_images} pool, {state.audit_images} audit set"),
        ("encoded", f"{state.encoded}"),
        ("set aside", f"{state.quarantined}"),
        (
            "labels",
            f"{state.labels} in {state.rounds_closed} closed rounds, {state.skipped} skipped",
        ),
    ]
    if state.open_round:
        round_ = state.open_round
        rows.append(
            (
                "open round",
                f"{round_.number}: {state.open_answered} of {round_.batch_size} answered",
            )
        )
    if state.unknown_classes:
        rows.append(
            (
                "names not known",
                f"{', '.join(state.unknown_classes)}: the model was never "
                f"taught these words, so their first labels teach most",
            )
        )
    if state.class_list > 1:
        rows.append(("classes", f"{len(state.classes)}, version {state.class_list} of the list"))
    if state.zero_shot_accuracy is not None:
        rows.append(("zero-shot accuracy", f"{state.zero_shot_accuracy:.3f} on the audit set"))
    if state.audit_accuracy is not None:
        rows.append(("accuracy now", f"{state.audit_accuracy:.3f} on the audit set"))
    if state.leave_one_out is not None:
        rows.append(("leave-one-out", left_out_words(state.leave_one_out)))
    rows.append(("next", state.next_step))
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)


def left_out_words(found: Mapping[str, Any]) -> str:
    """Leave-one-out figures in words: about the labels, never about the pool."""
    return (
        f"{found['accuracy']:.3f} ({found['accuracy_low']:.3f} to {found['accuracy_high']:.3f}), calibration "
        f"error {found['ece']:.3f}, on its own {found['labels']} labels: about the images that were "
        f"asked, which were chosen, and not about the pool; it reads high or low by what was asked"
    )


def export(
    target: Annotated[Path, typer.Argument(help="A .csv or .jsonl file.")],
    project: ProjectOption = HERE,
    history: Annotated[
        bool, typer.Option("--history", help="Every label ever given, not only those that count.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the labels to a file."""
    with opened(project) as workbench:
        rows = workbench.labels.export(target, history=history)
    tell(as_json, {"file": str(target), "rows": rows}, f"Wrote {rows} labels to {target}.")


def serve(
    project: ProjectOption = HERE,
    host: Annotated[str, typer.Option(help="127.0.0.1 is this machine alone.")] = "127.0.0.1",
    port: PortOption = 8501,
    device: DeviceOption = "auto",
) -> None:
    """Label in the browser, until Ctrl-C."""
    with opened(project):
        pass  # a missing or newer project is told here, not in the browser
    run_server(project, host, port, device)


def demo(
    folder: Annotated[Path, typer.Option(help="Where to make the demonstration project.")] = Path(
        "demo"
    ),
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Open the browser screens at the end.")
    ] = True,
    port: PortOption = 8501,
    device: DeviceOption = "auto",
) -> None:
    """The whole loop on the bundled sample with the bundled model. A second run goes on from it."""
    import store
    from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS, prepare_demo
    from alworkbench.core.devices import describe, resolve_device
    from alworkbench.project.session import utc_now

    console.print(f"Computing on {describe(resolve_device(device))}.")
    if not ProjectFolder(folder).database.exists():
        store.create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
    with open_project(folder, device=device) as workbench:
        with progress_bar(False) as progress:
            result = prepare_demo(workbench, stores().memory, progress)
        current = workbench.rounds.current()
        if current is not None:
            print_round(workbench, current.id, False)
        print_simulation(result, False)
    if serve_after:
        run_server(folder, "127.0.0.1", port, device)


def run_server(project: Path, host: str, port: int, device: str) -> None:
    """Serve the screens until Ctrl-C, and print their address."""
    from ui.serve import serve as serve_screens

    address = f"http://{host}:{port}"
    console.print(f"Open [bold]{address}[/] in a browser. Ctrl-C ends it.")
    serve_screens(project, host=host, port=port, device=device)
