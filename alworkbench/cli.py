"""The command line: `alworkbench COMMAND`. With `ui/app.py`, the one place that joins the parts.

Exit codes: 0 done, 2 the command was not understood, and those of `alworkbench.errors` otherwise.
Heavy parts are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from alworkbench import __version__
from alworkbench.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.errors import WorkbenchError
from alworkbench.progress import Progress

if TYPE_CHECKING:
    from alworkbench.workbench import Workbench

app = typer.Typer(
    name="alworkbench",
    help="Label the images that teach most: active learning with a vision-language model's posterior.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
# Where nobody watches (a pipe, a log) lines are as long as tables need them.
WIDTH = None if sys.stdout.isatty() else 140
console = Console(highlight=False, width=WIDTH)
complaints = Console(stderr=True, highlight=False)

ProjectOption = Annotated[
    Path,
    typer.Option("--project", "-p", envvar="ALWORKBENCH_PROJECT", help="The project's folder."),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps. auto takes an accelerator if there is one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
HERE = Path()


def main() -> None:
    """Entry point of the console command."""
    try:
        app()
    except WorkbenchError as error:
        complaints.print(f"[bold red]Error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        complaints.print(
            "Interrupted. What was finished is kept; the same command goes on from there."
        )
        sys.exit(130)


def escape(text: str) -> str:
    """Names of users are no markup."""
    from rich.markup import escape as escaped

    return escaped(text)


@app.callback()
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Print the version and end.")] = False,
) -> None:
    if version:
        console.print(__version__)
        raise typer.Exit


# ------------------------------------------------------------------------------------ the project


@app.command(epilog="Example: alworkbench init birds --class 'barn owl' --class 'tawny owl'")
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
    ] = "bundled",
    strategy: Annotated[str, typer.Option(help="How batches are chosen.")] = "epig",
    batch: Annotated[int, typer.Option(min=1, help="Images in a batch.")] = 10,
    seed: Annotated[int, typer.Option(help="Everything random comes from it.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Make a project: a folder that holds everything of one labelling effort."""
    import store
    from alworkbench.acquisition.registry import find_strategy
    from alworkbench.domain import DEFAULT_TEMPLATES
    from alworkbench.labelfiles import read_class_names
    from alworkbench.workbench import utc_now

    find_strategy(strategy)
    names = [*(classes or []), *(read_class_names(classes_file) if classes_file else [])]
    chosen = tuple(templates or DEFAULT_TEMPLATES)
    class_list = ClassList(tuple(LabelClass(name, chosen) for name in names))
    settings = ProjectSettings(folder.resolve().name, encoder, strategy, batch, seed)
    store.create_store(ProjectFolder(folder).database, settings, class_list, utc_now()).close()
    tell(
        as_json,
        {"project": str(folder), **asdict(settings), "classes": names},
        f"Made the project {folder} with {len(names)} classes. "
        f"Next: alworkbench import IMAGES --project {folder}",
    )


@app.command("import", epilog="Example: alworkbench import photos/ --project birds")
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
        summary = workbench.import_images(
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


@app.command(epilog="Example: alworkbench encode --project birds --device cuda")
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
            summary = workbench.take_features(features, progress)
        else:
            summary = workbench.encode(workers=workers, batch_size=batch, progress=progress)
    tell(
        as_json,
        summary,
        f"{summary.encoded} images encoded with {summary.encoder_id} in {summary.seconds:.1f} s, "
        f"{summary.known} had features already, {summary.quarantined} set aside.",
    )


@app.command(epilog="Example: alworkbench fit --pairs captions.csv --project birds")
def fit(
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="A CSV or Parquet file with the columns image and caption, or webdataset tars: one, "
            "a folder of them, or a pattern such as 'shards/*.tar'."
        ),
    ] = None,
    from_pool: Annotated[
        bool,
        typer.Option(
            "--from-pool",
            help="Without captions: the pool's images against prompts of the classes and of a general "
            "vocabulary. An approximation.",
        ),
    ] = False,
    project: ProjectOption = HERE,
    batch: Annotated[
        int, typer.Option(min=2, help="Pairs that the contrastive loss compares at once.")
    ] = 1024,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Fit the posterior of the project's encoder, from image-caption pairs or from the pool.

    `--batch` is the denominator of the contrastive loss: of the order used to train the model. Pairs
    are shuffled by the project's seed; a fit that was interrupted goes on where it stopped.

    `--from-pool` ranks images much as a fit from pairs does, but says nothing on which class names
    the model knows. Take pairs of the kind that the model was trained on where you have some.
    """
    if (pairs is None) != from_pool:
        raise typer.BadParameter("Give either --pairs FILE or --from-pool.")
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        if pairs is None:
            record = workbench.fit_from_pool(batch=batch, progress=progress)
        else:
            record = workbench.fit(pairs, batch=batch, progress=progress)
    found = record.provenance
    counted = (
        f"approximately, from {found['images']} images of the pool and {found['prompts']} prompts"
        if pairs is None
        else f"from {found['pairs']} pairs ({found['unreadable']} with an unreadable image, "
        f"{found['ignored']} entries that were no pair)"
    )
    tell(
        as_json,
        record,
        f"Fitted a posterior {counted}; prior precision {found['prior_precision_image']:.4g} (image), "
        f"{found['prior_precision_text']:.4g} (text).",
    )


@app.command(epilog="Example: alworkbench status --project birds --json")
def status(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Say where the project stands and what comes next."""
    with opened(project) as workbench:
        state = workbench.status()
    if as_json:
        print_json(state)
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
    if state.zero_shot_accuracy is not None:
        rows.append(("zero-shot accuracy", f"{state.zero_shot_accuracy:.3f} on the audit set"))
    if state.audit_accuracy is not None:
        rows.append(("accuracy now", f"{state.audit_accuracy:.3f} on the audit set"))
    rows.append(("next", state.next_step))
    for name, value in rows:
        table.add_row(name, escape(value))
    console.print(table)


# --------------------------------------------------------------------------------------- the loop


@app.command(epilog="Example: alworkbench propose --strategy epig --batch 20 --project birds")
def propose(
    project: ProjectOption = HERE,
    strategy: Annotated[str | None, typer.Option(help="See `alworkbench strategies`.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Images in the batch.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of this round.")] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Rank the pool and open a round with the images that a label would teach most about."""
    with opened(project, device) as workbench:
        round_ = workbench.propose(strategy, batch, seed)
        print_round(workbench, round_.id, as_json)


@app.command(epilog="Example: alworkbench label answers.csv --project birds --annotator ada")
def label(
    answers: Annotated[Path, typer.Argument(help="A CSV with the columns image and label.")],
    project: ProjectOption = HERE,
    annotator: Annotated[str, typer.Option(help="Who gave the labels.")] = "csv",
    as_json: JsonOption = False,
) -> None:
    """Record labels from a CSV. `image` is a path or content hash. All rows are recorded, or none."""
    with opened(project) as workbench:
        done = workbench.import_labels(answers, annotator)
    tell(as_json, done, f"{done.recorded} labels recorded, {done.known} were known already.")


@app.command(epilog="Example: alworkbench close --project birds")
def close(
    project: ProjectOption = HERE, device: DeviceOption = "auto", as_json: JsonOption = False
) -> None:
    """Learn from the labels so far, measure on the audit set, and close the open round."""
    with opened(project, device) as workbench:
        metrics = workbench.close_round()
    print_metrics(metrics, as_json)


@app.command(epilog="Example: alworkbench learn --project birds")
def learn(
    project: ProjectOption = HERE, device: DeviceOption = "auto", as_json: JsonOption = False
) -> None:
    """Learn again from every label, without closing a round (after labels came from a file)."""
    with opened(project, device) as workbench:
        metrics = workbench.learn()
    print_metrics(metrics, as_json)


@app.command(epilog="Example: alworkbench strategies")
def strategies(as_json: JsonOption = False) -> None:
    """List the strategies, one line each."""
    from alworkbench.acquisition.registry import strategies as known

    if as_json:
        print_json([{"name": s.name, "summary": s.summary, "unit": s.unit} for s in known()])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("strategy", "what it asks", "scores in"):
        table.add_column(heading, header_style="bold", no_wrap=heading == "strategy")
    for s in known():
        table.add_row(s.name, s.summary, s.unit)
    console.print(table)


@app.command(epilog="Example: alworkbench models SigLIP2")
def models(
    part: Annotated[
        str | None, typer.Argument(help="Only architectures with this in their name.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List open_clip's architectures: which can be used, and why not the others. Fetches nothing."""
    from alworkbench.encoders.catalogue import architectures, as_row, supported_models
    from alworkbench.encoders.model_table import verdict

    with progress_bar(as_json) as progress:
        found = supported_models(architectures(part or ""), progress)
    if as_json:
        print_json([as_row(model) for model in found])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("model", "image tower", "text tower", "P", "D", "Q", "loss", "supported"):
        table.add_column(
            heading,
            header_style="bold",
            justify="right" if len(heading) == 1 else "left",
            min_width=max(len(m.name) for m in found) if heading == "model" else None,
            overflow="fold",
        )
    for model in found:
        sizes = (model.image.size, model.embedding_size, model.text.size)
        table.add_row(
            model.name,
            model.image.tower,
            model.text.tower,
            *("" if size is None else str(size) for size in sizes),
            model.loss,
            escape(verdict(model)),
        )
    console.print(table)
    console.print(f"{sum(model.supported for model in found)} of {len(found)} are supported.")


@app.command(epilog="Example: alworkbench export labels.csv --project birds")
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
        rows = workbench.export(target, history=history)
    tell(as_json, {"file": str(target), "rows": rows}, f"Wrote {rows} labels to {target}.")


@app.command(epilog="Example: alworkbench explain photos/0042.png --project birds")
def explain(
    image: Annotated[str, typer.Argument(help="A path, the end of one, or a content hash.")],
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Say why the model is uncertain about an image, and where that ranks in the pool."""
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        found = workbench.explain(image, progress)
    if as_json:
        print_json(found)
    else:
        print_explanation(found)


# ------------------------------------------------------------------------------------- posteriors

posteriors = typer.Typer(
    help="The posterior of the project's encoder: show it, or exchange it as a factor folder.",
    no_args_is_help=True,
)
app.add_typer(posteriors, name="posterior")


@posteriors.command("show", epilog="Example: alworkbench posterior show --project birds")
def posterior_show(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show the newest posterior: where it came from, its sizes, its prior precisions."""
    with opened(project) as workbench:
        summary = workbench.describe_posterior()
    if as_json:
        print_json(summary)
    else:
        print_posterior(summary)


class PriorChoice(StrEnum):
    """Where the prior precisions of an imported posterior come from."""

    STORED = "stored"
    EVIDENCE = "evidence"


@posteriors.command(
    "import", epilog="Example: alworkbench posterior import hessians/ --prior stored"
)
def posterior_import(
    folder: Annotated[
        Path, typer.Argument(help="With A_img_analytic.pt and the rest of a BayesVLM folder.")
    ],
    project: ProjectOption = HERE,
    prior: Annotated[
        PriorChoice, typer.Option(help="The folder's prior precisions, or those of most evidence.")
    ] = PriorChoice.EVIDENCE,
    weight: Annotated[
        float, typer.Option(min=1e-6, max=1e9, help="Pseudo-data weight; the paper's is 10.")
    ] = 10.0,
    as_json: JsonOption = False,
) -> None:
    """Take published factors as the posterior. Only sizes can be checked: it must be the same model."""
    with opened(project) as workbench:
        found = workbench.import_posterior(folder, prior=prior.value, weight=weight)
        summary = workbench.describe_posterior()
    if as_json:
        print_json({"posterior": summary, "stored": found.stored, "rounding": found.rounding})
        return
    print_posterior(summary)
    for name, rounding in found.rounding.items():
        if rounding.clipped:
            console.print(
                f"{name}: {rounding.clipped} eigenvalues below zero were cut off, the worst "
                f"{rounding.worst:.1e} of the largest."
            )
    for side, stored in found.stored.items():
        if prior is PriorChoice.STORED and stored.pseudo_data_weight != weight:
            console.print(
                f"The {side} side's stored prior precision was found at a pseudo-data weight of "
                f"{stored.pseudo_data_weight:g}, not {weight:g}."
            )


@posteriors.command("export", epilog="Example: alworkbench posterior export factors/")
def posterior_export(
    folder: Annotated[Path, typer.Argument(help="Where to write the five files.")],
    project: ProjectOption = HERE,
    as_json: JsonOption = False,
) -> None:
    """Write the newest posterior as a factor folder that BayesVLM's own code reads."""
    with opened(project) as workbench:
        summary = workbench.export_posterior(folder)
    tell(
        as_json,
        {"folder": str(folder), "posterior": summary},
        f"Wrote the posterior of {summary.encoder_id} to {folder}. Read it again with "
        f"`alworkbench posterior import {folder} --prior stored "
        f"--weight {summary.image.pseudo_data_weight:g}`.",
    )


# ------------------------------------------------------------------------------------- simulation


@app.command(epilog="Example: alworkbench simulate --project demo -s random -s epig --seeds 10")
def simulate(
    project: ProjectOption = HERE,
    features: Annotated[
        Path | None, typer.Option(help="Simulate on a labelled .npz instead of a project.")
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(
            help="A manifest (label, split, sha256) of the project's images; or `sample`."
        ),
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option("--strategy", "-s", help="May be given several times.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Paired over the strategies.")] = 3,
    labels: Annotated[int, typer.Option(min=1, help="Labels that each run may ask.")] = 100,
    batch: Annotated[int, typer.Option(min=1, help="Labels asked at once.")] = 10,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
    processes: Annotated[
        int | None, typer.Option(min=1, help="Runs at once; by default one for each core.")
    ] = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Replay the loop with an oracle, and show what each strategy's labels buy.

    The truth is the project's own labels (pool against audit set), those of a manifest, or those of
    a features file. Test images are never asked and never learned from.
    """
    from alworkbench.demo import sample_truth
    from alworkbench.simulation.plan import Plan
    from alworkbench.simulation.replays import (
        simulate_features,
        simulate_project,
        truth_of_manifest,
    )

    plan = Plan(tuple(strategy or ("random", "entropy", "epig")), seeds, batch, labels)
    at_once = processes or os.cpu_count() or 1
    with progress_bar(as_json) as progress:
        if features is not None:
            result = simulate_features(
                features, plan, open_memory_store, out, progress, at_once, complaints.print
            )
        else:
            with opened(project, device) as workbench:
                known = None
                if truth is not None:
                    is_sample = str(truth) == "sample"
                    known = sample_truth(workbench) if is_sample else truth_of_manifest(truth)
                result = simulate_project(
                    workbench, plan, open_memory_store, known, out, progress, at_once
                )
    print_simulation(result, as_json)


# -------------------------------------------------------------------------------- screen and demo


@app.command(epilog="Example: alworkbench serve --project birds --port 8600")
def serve(
    project: ProjectOption = HERE,
    host: Annotated[str, typer.Option(help="127.0.0.1 is this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    device: DeviceOption = "auto",
) -> None:
    """Label in the browser, until Ctrl-C."""
    with opened(project):
        pass  # a missing or newer project is told here, not in the browser
    run_server(project, host, port, device)


@app.command(epilog="Example: alworkbench demo --no-serve")
def demo(
    folder: Annotated[Path, typer.Option(help="Where to make the demonstration project.")] = Path(
        "demo"
    ),
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Open the browser screens at the end.")
    ] = True,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8501,
    device: DeviceOption = "auto",
) -> None:
    """The whole loop on the bundled sample with the bundled model. A second run goes on from it."""
    from alworkbench.demo import prepare_demo
    from alworkbench.devices import describe, resolve_device

    chosen = resolve_device(device)
    console.print(f"Computing on {describe(chosen)}.")
    with joined(folder, chosen, create=True) as workbench:
        with progress_bar(False) as progress:
            result = prepare_demo(workbench, open_memory_store, progress)
        current = workbench.open_round()
        if current is not None:
            print_round(workbench, current.id, False)
        print_simulation(result, False)
    if serve_after:
        run_server(folder, "127.0.0.1", port, device)


# ------------------------------------------------------------------------------------------ inside


@contextmanager
def opened(project: Path, device: str = "cpu") -> Iterator[Workbench]:
    """The project's service, closed at the end."""
    from alworkbench.devices import describe, resolve_device

    chosen = resolve_device(device)
    if chosen.type != "cpu":
        complaints.print(f"Computing on {describe(chosen)}.")
    with joined(project, chosen) as workbench:
        yield workbench


@contextmanager
def joined(project: Path, device: Any, create: bool = False) -> Iterator[Workbench]:
    """Join store and service. With `create`, a missing project is made as the demonstration."""
    import store
    from alworkbench.demo import DEMO_CLASSES, DEMO_SETTINGS
    from alworkbench.workbench import Workbench, utc_now

    folder = ProjectFolder(project)
    if create and not folder.database.exists():
        opened_store = store.create_store(project, DEMO_SETTINGS, DEMO_CLASSES, utc_now())
    else:
        opened_store = store.open_store(project)
    try:
        yield Workbench(folder, opened_store, device=device)
    finally:
        opened_store.close()


def open_memory_store(settings: ProjectSettings, classes: ClassList, now: datetime) -> Any:
    """A store that lasts as long as a simulated run."""
    import store

    return store.memory_store(settings, classes, now)


def run_server(project: Path, host: str, port: int, device: str) -> None:
    from ui.serve import serve as serve_screens

    address = f"http://{host}:{port}"
    console.print(f"Open [bold]{address}[/] in a browser. Ctrl-C ends it.")
    serve_screens(project, host=host, port=port, device=device)


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Bars on standard error with what remains; nothing when the output is for a program."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    if quiet:
        yield lambda what, done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=complaints) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield progress


def tell(as_json: bool, value: Any, words: str) -> None:
    if as_json:
        print_json(value)
    else:
        console.print(escape(words), soft_wrap=True)


def print_json(value: Any) -> None:
    print(json.dumps(value, default=_plain, indent=2))  # noqa: T201


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return dict(value)


def print_explanation(found: Any, most: int = 10) -> None:
    """An explanation in words, with the classes in conflict first."""
    image, parts = found.image, found.uncertainty
    role = "of the pool" if found.in_pool else "of the audit set, ranked against the pool"
    label = f"labelled {found.label!r}" if found.label else "without a label"
    place = "/".join(Path(image.paths[0]).parts[-2:])
    console.print(f"[bold]{escape(place)}[/], {role}, {escape(label)}", soft_wrap=True)
    console.print(
        f"uncertain by {parts.total:.4f} nats: {parts.epistemic:.4f} that a label would remove "
        f"(epistemic), {parts.aleatoric:.4f} that stays (aleatoric)",
        soft_wrap=True,
    )
    standings = (("predictive entropy", found.by_entropy), ("what a label teaches", found.by_bald))
    for name, place_in_pool in standings:
        console.print(
            f"by {name}: rank {place_in_pool.rank} of {place_in_pool.of}, "
            f"percentile {place_in_pool.percentile:.1f}"
        )
    if len(found.conflict) > 1:
        shown = ", ".join(found.conflict[:most]) + (" ..." if len(found.conflict) > most else "")
        console.print(f"undecided between {escape(shown)}", soft_wrap=True)
    table = Table(box=None, padding=(0, 2, 0, 0))
    headings = ("class", "probability", "moderated", "mean logit", "deviation", "wins draws")
    for heading in headings:
        justify: Any = "left" if heading == "class" else "right"
        table.add_column(heading, header_style="bold", justify=justify)
    torn = [belief for belief in found.classes if belief.name in found.conflict]
    calm = [belief for belief in found.classes if belief.name not in found.conflict]
    for belief in [*torn, *calm][:most]:
        table.add_row(
            escape(belief.name),
            f"{belief.probability:.1%}",
            f"{belief.moderated:.1%}",
            f"{belief.mean:.2f}",
            f"{belief.deviation:.2f}",
            f"{belief.wins:.0%}",
        )
    console.print(table)
    if len(found.classes) > most:
        console.print(f"and {len(found.classes) - most} more classes (--json shows all)")


def print_posterior(summary: Any) -> None:
    """A posterior, side by side."""
    console.print(
        f"{escape(summary.file)}: posterior of {escape(summary.encoder_id)}, "
        f"made {summary.created_at:%Y-%m-%d %H:%M}, format {summary.format}",
        soft_wrap=True,
    )
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "image", "text"):
        justify: Any = "right" if heading else "left"
        table.add_column(heading, header_style="bold", justify=justify)
    rows = (
        ("activation size", "activation_size"),
        ("embedding size", "embedding_size"),
        ("pairs", "pairs"),
        ("pseudo-data weight", "pseudo_data_weight"),
        ("prior precision", "prior_precision"),
        ("that of most evidence", "prior_of_most_evidence"),
        ("|W|^2", "square"),
        ("log evidence (nats)", "log_evidence"),
    )
    for name, field in rows:
        values = (getattr(side, field) for side in (summary.image, summary.text))
        shown = (f"{v:,}" if isinstance(v, int) else f"{v:.6g}" for v in values)
        table.add_row(name, *shown)
    console.print(table)
    for key, value in summary.provenance.items():
        if not isinstance(value, dict):
            console.print(f"  {escape(str(key))}: {escape(str(value))}", soft_wrap=True)


def print_round(workbench: Workbench, round_id: int, as_json: bool, most: int = 10) -> None:
    """The images of a round as it was ranked, the first of them in words."""
    from alworkbench.acquisition.registry import find_strategy

    round_ = next(r for r in workbench.rounds() if r.id == round_id)
    items = workbench.items(round_id)
    classes = {c.id: c.name for c in workbench.classes().classes}
    if as_json:
        print_json({"round": round_, "items": items})
        return
    unit = find_strategy(round_.strategy).unit
    title = f"Round {round_.number}: {len(items)} images by {round_.strategy}"
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in ("", "image", f"score ({unit})", "the model says", "sure"):
        right = heading in ("", "sure") or heading.startswith("score")
        table.add_column(heading, header_style="bold", justify="right" if right else "left")
    for item in items[:most]:
        said = item.suggestion
        table.add_row(
            str(item.position + 1),
            escape("/".join(Path(workbench.image(item.image_id).paths[0]).parts[-2:])),
            "" if item.score is None else f"{item.score:.4f}",
            escape(classes.get(said.class_id, "?")) if said else "",
            f"{said.probability:.0%}" if said else "",
        )
    console.print(table)


def print_metrics(metrics: Any, as_json: bool) -> None:
    if metrics is None:
        tell(as_json, {}, "Learned. There is no audit set, so nothing was measured.")
        return
    values = metrics.values
    tell(
        as_json,
        metrics,
        f"Learned from {metrics.labels} labels. Accuracy on the audit set "
        f"({metrics.audit_images} images): {values['accuracy']:.3f} "
        f"[{values['accuracy_low']:.3f}, {values['accuracy_high']:.3f}].",
    )


def print_simulation(result: Any, as_json: bool) -> None:
    from alworkbench.simulation.report import table_lines

    rows = result.table()
    if as_json:
        print_json({"summary": result.summary(), "key": result.key, "rows": rows})
        return
    header, *lines = table_lines(rows)
    table = Table(title=result.summary(), title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in header:
        table.add_column(heading, header_style="bold", justify="left", no_wrap=True)
    for line in lines:
        table.add_row(*line)
    console.print(table)
    console.print(f"Learning curve: {escape(str(result.picture))}", soft_wrap=True)
