"""Commands that list and search the images of a project, and compute what lists sort by."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    EngineOption,
    JsonOption,
    ProjectOption,
    complaints,
    console,
    counted,
    escape,
    new_table,
    opened,
    opened_engine,
    print_json,
    progress_bar,
    tell,
)
from alworkbench.core.domain import Role
from alworkbench.core.words import percent
from alworkbench.project.image_query import Answered, EvidenceSet, ImageFilter, ImageQuery, Order

if TYPE_CHECKING:
    from alworkbench.project.gallery_page import GalleryPage

SHOWN = 20


class GalleryAction(StrEnum):
    """What to compute for all images."""

    SCORE = "score"
    GROUP = "group"


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    app.command(
        epilog="Example: alworkbench gallery --answered no --sort uncertainty --project birds"
    )(gallery)
    app.command(epilog="Example: alworkbench find 'a bird on a wire' --project birds")(find)


def gallery(
    action: Annotated[
        GalleryAction | None,
        typer.Argument(
            help="`score` predicts all images, `group` compares them with each other (near-copies, "
            "clusters); both are stored. Without it, images are listed."
        ),
    ] = None,
    role: Annotated[Role | None, typer.Option(help="Only images with this role.")] = None,
    answered: Annotated[
        Answered | None, typer.Option(help="Only images with this kind of answer.")
    ] = None,
    label: Annotated[
        list[str] | None, typer.Option("--class", help="Only images with this label (repeatable).")
    ] = None,
    predicted: Annotated[
        list[str] | None, typer.Option(help="Only images with this prediction (repeatable).")
    ] = None,
    round_: Annotated[
        int | None, typer.Option("--round", min=1, help="Only images that this round asked about.")
    ] = None,
    person: Annotated[
        str | None, typer.Option(help="Only images that this person answered.")
    ] = None,
    disagreement: Annotated[
        bool, typer.Option("--disagreement", help="Only images on which people disagree.")
    ] = False,
    near: Annotated[
        float | None,
        typer.Option(
            min=-1, max=1, help="Only images with another one of at least this cosine, such as 0.7."
        ),
    ] = None,
    cluster: Annotated[
        int | None, typer.Option(min=1, help="Only images of this cluster; 1 is the largest.")
    ] = None,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Only images that are flagged.")
    ] = False,
    noted: Annotated[
        bool, typer.Option("--noted", help="Only images about which somebody wrote a note.")
    ] = False,
    evidence: Annotated[
        EvidenceSet | None,
        typer.Option(
            help="Only images of the audit set, or labels left out; --class and --predicted then are the "
            "label and the prediction in `alworkbench errors`."
        ),
    ] = None,
    targets: Annotated[
        str | None, typer.Option(help="Only images of this kept target set (a name, not a folder).")
    ] = None,
    sort: Annotated[
        Order, typer.Option(help="By what they are sorted; `probability` needs --of.")
    ] = Order.IMPORTED,
    of: Annotated[str | None, typer.Option(help="The class whose probability sorts.")] = None,
    reverse: Annotated[bool, typer.Option("--reverse", help="In the opposite order.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="List so many.")] = SHOWN,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            help="With `score`: also the part of the uncertainty that labels remove.",
        ),
    ] = False,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    engine: EngineOption = None,
    as_json: JsonOption = False,
) -> None:
    """List images by what people and model say of them, or compute what such lists need.

    Lists by predictions need `gallery score`, and lists of near-copies and clusters `gallery group`. The
    predictions of images of the audit set without an answer are not listed.
    """
    if engine is not None and action is not GalleryAction.GROUP:
        raise typer.BadParameter("--engine belongs to `gallery group`.")
    if action is not None:
        compute(project, device, action, uncertainty, engine, as_json)
        return
    chosen = ImageFilter(
        role=role,
        answered=answered,
        classes=tuple(label or ()),
        round=round_,
        person=person,
        predicted=tuple(predicted or ()),
        disagreement=disagreement,
        near=near,
        cluster=cluster,
        flagged=flagged,
        noted=noted,
        targets=targets,
        evidence=evidence,
    )
    if sort is Order.SIMILARITY:
        raise typer.BadParameter("`alworkbench find` searches for similar images.")
    with opened(project, device if evidence else "cpu") as workbench:
        page = workbench.gallery.page(ImageQuery(chosen, sort, of, reverse), limit=limit)
        state = workbench.gallery.state()
    print_page(page, as_json)
    if state.older and not as_json:
        complaints.print(
            "The predictions are older than the newest learner: `alworkbench gallery score`."
        )


def find(
    what: Annotated[str, typer.Argument(help="A text, or with --like an image of the project.")],
    like: Annotated[
        bool, typer.Option("--like", help="Search for images like this one (path or hash).")
    ] = False,
    unanswered: Annotated[
        bool, typer.Option("--unanswered", help="Only images without an answer.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="List so many.")] = SHOWN,
    project: ProjectOption = HERE,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Search the images for a text or for images like one of them, most similar first.

    All features are compared, exactly. Texts need the model that encoded the images.
    """
    from alworkbench.project.find_image import find_image

    chosen = ImageFilter(answered=Answered.NO if unanswered else None)
    with opened(project, device) as workbench:
        if like:
            with workbench.session.store.read() as reader:
                image = find_image(reader, what)
            query = ImageQuery(chosen, Order.SIMILARITY, like=(image.hash,))
        else:
            query = ImageQuery(chosen, Order.SIMILARITY, text=what)
        page = workbench.gallery.page(query, limit=limit)
    print_page(page, as_json)


def compute(
    project: Path,
    device: str,
    action: GalleryAction,
    uncertainty: bool,
    engine: str | None,
    as_json: bool,
) -> None:
    """Predict all images, or compare them with each other, and say what was stored."""
    with (
        opened(project, device) as workbench,
        opened_engine(engine) as found_engine,
        progress_bar(as_json) as progress,
    ):
        if action is GalleryAction.SCORE:
            workbench.gallery.score(progress, parts=uncertainty)
        else:
            workbench.gallery.group(progress, engine=found_engine)
        state = workbench.gallery.state()
    if action is GalleryAction.SCORE:
        words = (
            f"Predicted all images after {counted(state.labels, 'label')}. Probabilities: "
            f"{state.calibration}."
        )
    else:
        words = (
            f"Compared {counted(state.compared, 'image')}: {counted(state.clusters, 'cluster')}."
        )
    tell(as_json, state, words)


def print_page(page: GalleryPage, as_json: bool) -> None:
    """Print images of a list, as a table or as JSON."""
    if as_json:
        print_json(page)
        return
    if not page.images:
        console.print("No image meets these conditions.")
        return
    similar = any(each.similarity is not None for each in page.images)
    figures = ("similarity",) if similar else ("entropy", "near")
    table = new_table("image", "role", "label", "prediction", *figures, right=figures)
    for each in page.images:
        said = ""
        if each.predicted_name and each.probability is not None:
            said = f"{each.predicted_name} {percent(each.probability, 0)}"
        values = (each.similarity,) if similar else (each.entropy, each.near)
        table.add_row(
            escape("/".join(Path(each.path).parts[-2:])),
            each.role.value,
            escape(each.class_name or each.answer or ""),
            escape(said),
            *("" if value is None else f"{value:.3f}" for value in values),
        )
    console.print(table)
    if len(page.images) < page.total:
        console.print(f"{len(page.images):,} of {counted(page.total, 'image')}.")
