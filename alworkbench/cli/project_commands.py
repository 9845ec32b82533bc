"""Commands of a project: create, import, encode, and show the status."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from alworkbench.api import create_project
from alworkbench.cli.common import (
    HERE,
    MOST_SEED,
    DeviceOption,
    EngineOption,
    JsonOption,
    ProjectOption,
    RolesOption,
    ServerOption,
    complaints,
    counted,
    escape,
    opened,
    opened_engine,
    print_facts,
    print_json,
    progress_bar,
    tell,
    warn_of_cut_names,
    warn_of_same_names,
    warn_of_unusable,
)
from alworkbench.cli.dry_run import DryRunOption, print_import_preview
from alworkbench.cli.mapping_options import (
    LabelColumnOption,
    PathColumnOption,
    RootOption,
    SplitMapOption,
    read_mapping,
)
from alworkbench.core.domain import (
    DEFAULT_TEMPLATES,
    Goal,
    ProjectSettings,
    RoleMismatch,
)

USUAL = ProjectSettings(name="")
"""Settings of a project by default."""


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(epilog="Example: alworkbench init birds --class 'barn owl' --class 'tawny owl'")(
        init
    )
    app.command("import", epilog="Example: alworkbench import photos/ --project birds")(import_)
    app.command(epilog="Example: alworkbench encode --project birds --device cuda")(encode)
    app.command(
        "publish-features", epilog="Example: alworkbench publish-features s3://bucket/birds"
    )(publish_features)
    app.command(epilog="Example: alworkbench status --project birds --json")(status)


def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the project.")],
    classes: Annotated[
        list[str] | None,
        typer.Option("--class", "-c", help="Name of a class; repeat the option for each class."),
    ] = None,
    classes_file: Annotated[
        Path | None, typer.Option("--classes", help="Text file with one class name per line.")
    ] = None,
    templates: Annotated[
        list[str] | None,
        typer.Option(
            "--template", "-t", help="Prompt in which {} stands for the class name; repeatable."
        ),
    ] = None,
    encoder: Annotated[
        str,
        typer.Option(help="bundled, a model of open_clip as ARCH:TAG, or ARCH:path/to/weights."),
    ] = USUAL.encoder,
    strategy: Annotated[
        str, typer.Option(help="Acquisition strategy; see `alworkbench strategies`.")
    ] = USUAL.strategy,
    adaptation: Annotated[
        str, typer.Option(help="Learning method; see `alworkbench adaptations`.")
    ] = USUAL.adaptation,
    goal: Annotated[
        Goal, typer.Option(help="accuracy: every image has the same weight; balanced: every class.")
    ] = USUAL.goal,
    batch: Annotated[
        int, typer.Option(min=1, help="Number of images in a batch.")
    ] = USUAL.batch_size,
    seed: Annotated[
        int, typer.Option(min=0, max=MOST_SEED, help="Seed of all random numbers.")
    ] = USUAL.seed,
    server: ServerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create a project: a folder with the settings, features and labels of one labelling task."""
    from alworkbench.inputs.class_name_file import read_class_names

    settings, names = create_project(
        folder,
        [*(classes or []), *(read_class_names(classes_file) if classes_file else [])],
        templates=templates or DEFAULT_TEMPLATES,
        server=server,
        encoder=encoder,
        strategy=strategy,
        batch_size=batch,
        seed=seed,
        goal=goal,
        adaptation=adaptation,
    )
    tell(
        as_json,
        {"project": str(folder), **asdict(settings), "classes": names},
        f"Created the project {folder} with {len(names)} classes. "
        f"Next: alworkbench import IMAGES --project {folder}",
    )


def import_(
    location: Annotated[
        Path, typer.Argument(help="Folder, CSV manifest, zip archive or tar archive.")
    ],
    project: ProjectOption = HERE,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit", help="Add the images to the audit set, which measures and never teaches."
        ),
    ] = False,
    labels: Annotated[
        bool, typer.Option("--labels", help="Record the labels of pool images too.")
    ] = False,
    roles: RolesOption = RoleMismatch.REFUSE,
    follow_links: Annotated[
        bool,
        typer.Option(
            "--follow-links",
            help="Read what links lead to outside of the folder, as in folders of DVC or DataLad.",
        ),
    ] = False,
    white_point: Annotated[
        int | None,
        typer.Option(
            min=255,
            max=65535,
            help="The value that is white in files of 16 bits that do not say so: 4095 for 12 bits.",
            show_default="that of the project, or 65535",
        ),
    ] = None,
    path_column: PathColumnOption = None,
    label_column: LabelColumnOption = None,
    split_map: SplitMapOption = None,
    root: RootOption = None,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Add images to the pool. Unreadable files are listed and left out.

    The command never moves or changes a file; it unpacks archives into the project. Labels are the
    names of class folders, or the column `label` of a manifest. Labels of an audit set are always
    recorded. All files are checked before anything is stored.
    """
    from alworkbench.project.import_orders import Brought, ImportOrder
    from alworkbench.project.import_words import import_notes, import_words, unreadable
    from alworkbench.project.incoming import image_options

    mapping = read_mapping(path_column, label_column, split_map, root, audit=audit)
    order = ImportOrder(
        what=Brought.IMAGES,
        location=location,
        audit=audit,
        pool_labels=labels,
        roles=roles,
        follow_links=follow_links,
        white_point=white_point,
        path_column=mapping.path_column,
        label_column=mapping.label_column,
        split_map=dict(mapping.split_map),
        root=mapping.root,
    )
    with opened(project) as workbench, progress_bar(as_json) as progress:
        if dry_run:
            preview = workbench.images.preview(location, **image_options(order), progress=progress)
            print_import_preview(preview, as_json)
            return
        summary = workbench.incoming.import_images(order, progress)
    tell(as_json, summary, import_words(summary))
    if not as_json:
        for note in import_notes(summary):
            complaints.print(escape(note), soft_wrap=True)
        for path, code, detail in unreadable(summary):
            complaints.print(f"  unreadable ({code}): {escape(path)}: {escape(detail)}")


def encode(
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    features: Annotated[
        str | None,
        typer.Option(
            help="Read features instead of encoding: from a .npz file, from a features folder "
            "(`features/ENCODER` of a project, or a published one), or from an address such as "
            "`s3://bucket/folder`."
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=0, help="Processes that decode images. Default: by the number of cores."),
    ] = None,
    batch: Annotated[
        int, typer.Option(min=1, help="Images that the encoder processes at once.")
    ] = 64,
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute the features of images without features. After an interruption, it resumes.

    With `--engine` several processes or machines encode; all need the images and the project under the same
    paths. If most images cannot be encoded (a disk is not mounted), it says why and ends with exit code 4.
    """
    from alworkbench.features.object_store import is_address
    from alworkbench.project.import_orders import Brought, ImportOrder
    from alworkbench.project.import_words import encoding_words, taken_words
    from alworkbench.project.mass_refusal import reasons_in_words

    if engine is not None and (features is not None or workers is not None):
        raise typer.BadParameter("--engine goes neither with --features nor with --workers.")
    with (
        opened(project, device) as workbench,
        opened_engine(engine) as found,
        progress_bar(as_json) as progress,
    ):
        if features is not None and is_address(features):
            summary = workbench.incoming.take_published(features, progress)
        elif features is not None:
            order = ImportOrder(what=Brought.FEATURES, location=Path(features))
            summary = workbench.incoming.take_features(order, progress)
        else:
            summary = workbench.incoming.encode(
                workers=workers, batch_size=batch, engine=found, progress=progress
            )
        cut, same = workbench.classes.cut_names(), workbench.classes.same_names()
    warn_of_cut_names(cut)
    warn_of_same_names(same)
    if summary.reasons:
        complaints.print(
            f"Unreadable: {escape(reasons_in_words(summary.reasons))}.", soft_wrap=True
        )
    tell(
        as_json,
        {**asdict(summary), "cut_names": cut, "same_names": same},
        encoding_words(summary) if features is None else taken_words(summary, Path(features).name),
    )
    warn_of_unusable(summary.unusable)


def publish_features(
    address: Annotated[
        str,
        typer.Argument(help="An address: s3://bucket/folder, or file:///folder on a network disk."),
    ],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Put the features of the project under an address, for `encode --features ADDRESS` of other projects.

    Nothing is overwritten. Run it again after an interruption or after more images: it adds what is missing.
    """
    with opened(project) as workbench, progress_bar(as_json) as progress:
        done = workbench.features.publish(address, progress)
    tell(
        as_json,
        asdict(done),
        f"Published {counted(done.written, 'shard')} of features under {done.address}; "
        f"{done.known} were there already.",
    )


def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show the state of the project and the next step.

    Looks at the size and time of every image file: missing and changed files are counted.
    """
    with opened(project) as workbench:
        state = workbench.status(check_files=True)
    if as_json:
        names = [
            {**asdict(each), "share": each.share, "unknown": each.unknown} for each in state.names
        ]
        print_json({**asdict(state), "names": names, "unknown_classes": state.unknown_classes})
        return
    print_facts(state.facts())
