"""Commands that list, rank, try and use prompt templates; `tuning_command.py` tunes them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from alworkbench.cli.common import (
    HERE,
    DeviceOption,
    JsonOption,
    ProjectOption,
    console,
    counted,
    escape,
    new_table,
    opened,
    print_json,
    progress_bar,
    tell,
    warn_of_cut_names,
    warn_of_same_names,
)
from alworkbench.cli.tuning_command import tune
from alworkbench.core.words import percent

if TYPE_CHECKING:
    from alworkbench.prompts.audit_figures import AuditFigures
    from alworkbench.prompts.effect import Effect
    from alworkbench.prompts.ranking import Ranking

MOST_TEMPLATES = 20
"""Templates of a ranking that are printed."""
AUDIT_HEADINGS = ("accuracy", "ECE", "NLPD")

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Set of templates, see `alworkbench prompts list`; repeatable."),
]
FileOption = Annotated[
    list[Path] | None,
    typer.Option("--templates", help="Text file with one template per line; repeatable."),
]
TemplateOption = Annotated[
    list[str] | None,
    typer.Option(
        "--template", "-t", help="Template in which {} stands for the class name; repeatable."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this group to the application."""
    group = typer.Typer(
        help="Compare the prompt templates of the classes, replace them, and tune prompts.",
        no_args_is_help=True,
    )
    group.command("list", epilog="Example: alworkbench prompts list")(list_)
    group.command(epilog="Example: alworkbench prompts rank --set imagenet --project birds")(rank)
    group.command("try", epilog="Example: alworkbench prompts try --set nature --project birds")(
        try_
    )
    group.command(
        epilog="Example: alworkbench prompts use -t 'a photo of a {}, a bird.' --project birds"
    )(use)
    group.command(
        epilog="Example: alworkbench prompts tune answers.csv --images 100 --project birds"
    )(tune)
    app.add_typer(group, name="prompts")


def list_(
    name: Annotated[
        str | None, typer.Argument(help="Set whose templates are printed. Default: all sets.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the sets of templates, or the templates of one set."""
    from alworkbench.prompts.library import find_set, template_sets

    if name is not None:
        found = find_set(name)
        tell(as_json, found, "\n".join(found.templates))
        return
    if as_json:
        print_json(template_sets())
        return
    table = new_table("set", "templates", "what it is for", right=("templates",))
    for each in template_sets():
        table.add_row(escape(each.name), str(len(each.templates)), escape(each.summary))
    console.print(table)


def rank(
    project: ProjectOption = HERE,
    sets: SetOption = None,
    files: FileOption = None,
    templates: TemplateOption = None,
    by: Annotated[
        Literal["atfd", "nlpd"],
        typer.Option(help="atfd: without labels; nlpd: by the labels of the audit set."),
    ] = "atfd",
    most: Annotated[
        int, typer.Option(min=1, help="Templates that are printed; --json prints all.")
    ] = MOST_TEMPLATES,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Rank templates on the images of the pool, without labels. Default: the set imagenet.

    Templates that often disagree with all templates together come last. The others are ranked by ATFD, the
    dispersion of the text embeddings. A larger ATFD often goes with a better calibration if the model knows
    the class names. It is a hint and no guarantee; with an audit set, accuracy, ECE and NLPD are shown too.
    Changes nothing.
    """
    from alworkbench.project.prompt_templates import DEFAULT_SET
    from alworkbench.prompts.library import collected

    if not (sets or files or templates):
        sets = [DEFAULT_SET]
    given = collected(sets or (), files or (), templates or ())
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        cut = workbench.prompts.cut_names(given)
        found = workbench.prompts.rank(given, by, progress)
    if as_json:
        print_json({"ranking": found, "cut_names": cut})
        return
    warn_of_cut_names(cut)
    print_ranking(found, most)


def try_(
    project: ProjectOption = HERE,
    sets: SetOption = None,
    files: FileOption = None,
    templates: TemplateOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Compare templates with the present prompts on the pool: how many predictions change. Changes nothing.

    The predictions are those of names and prompts alone, without labels. With an audit set, accuracy, ECE
    and NLPD are compared too.
    """
    from alworkbench.prompts.library import collected

    given = collected(sets or (), files or (), templates or ())
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        cut = workbench.prompts.cut_names(given)
        found = workbench.prompts.effect(given, progress)
    if as_json:
        print_json({"templates": given, "effect": found, "cut_names": cut})
        return
    warn_of_cut_names(cut)
    print_effect(found, len(given))


def use(
    project: ProjectOption = HERE,
    sets: SetOption = None,
    files: FileOption = None,
    templates: TemplateOption = None,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Give every class these templates, between two rounds, and learn again from all labels.

    Makes a new version of the class list. Labels do not change, and earlier versions are kept.
    """
    from alworkbench.prompts.library import collected

    given = collected(sets or (), files or (), templates or ())
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        before = workbench.classes.current()
        cut = workbench.prompts.cut_names(given)
        classes = workbench.prompts.use(given, progress)
        same = workbench.classes.same_names()
    warn_of_cut_names(cut)
    warn_of_same_names(same)
    words = (
        f"All classes have these templates already (version {classes.id} of the class list)."
        if classes.id == before.id
        else f"Version {classes.id} of the class list: {len(classes)} classes with "
        f"{counted(len(given), 'template')} each. If the model had learned from labels, it learned "
        f"again from all of them."
    )
    tell(as_json, {"class_list": classes, "cut_names": cut, "same_names": same}, words)


def print_ranking(found: Ranking, most: int) -> None:
    """Print the best templates, and all of them together."""
    measured = found.audit_images > 0
    headings = ("rank", "template", "ATFD", "agreement", "confidence")
    table = new_table(
        *headings,
        *(AUDIT_HEADINGS if measured else ()),
        right=(headings[0], *headings[2:], *AUDIT_HEADINGS),
    )
    for place, each in enumerate(found.templates[:most], start=1):
        shown = str(place) if each.kept or found.by == "nlpd" else "-"
        table.add_row(
            shown, escape(each.template), f"{each.atfd:.3f}", percent(each.agreement),
            f"{each.confidence:.3f}", *audit_cells(each.audit),
        )  # fmt: skip
    together = found.ensemble
    table.add_row(
        "", f"all {len(found.templates)} together", f"{together.atfd:.3f}", "",
        f"{together.confidence:.3f}", *audit_cells(together.audit),
    )  # fmt: skip
    console.print(table)
    kept = sum(each.kept for each in found.templates)
    words = f"Compared on {counted(found.images, 'image')} of the pool"
    words += f" and {counted(found.audit_images, 'image')} of the audit set. " if measured else ". "
    if found.by == "nlpd":
        words += (
            "Ranked by the labels of the audit set: the first of many templates looks better on these "
            "labels than it is."
        )
    else:
        words += (
            f"{kept} of {len(found.templates)} templates agree with all together nearly as often as the "
            f"best one; the others (-) are not ranked. The rank is a hint: compare templates with "
            f"`alworkbench prompts try`."
        )
    console.print(escape(words), soft_wrap=True)


def print_effect(found: Effect, templates: int) -> None:
    """Print the present prompts and the given templates, one line for each kind of average."""
    measured = found.audit_images > 0
    headings = ("prompts", "changed", "confidence", "ATFD")
    table = new_table(
        *headings, *(AUDIT_HEADINGS if measured else ()), right=(*headings[1:], *AUDIT_HEADINGS)
    )
    lines = [("present", found.now)]
    lines += [(f"given, averaged {space}", each) for space, each in found.given.items()]
    for name, each in lines[:2] if templates == 1 else lines:
        changed = "" if each is found.now else percent(each.changed / found.images)
        atfd = "" if each.atfd is None else f"{each.atfd:.3f}"
        name = "given" if templates == 1 and each is not found.now else name
        table.add_row(name, changed, f"{each.confidence:.3f}", atfd, *audit_cells(each.audit))
    console.print(table)
    words = (
        f"The given templates change the predictions of {found.given['features'].changed} of "
        f"{counted(found.images, 'image')} in the pool (by names and prompts alone)."
    )
    if templates > 1:
        words += " `alworkbench prompts use` averages features."
    console.print(escape(words), soft_wrap=True)


def audit_cells(figures: AuditFigures | None) -> tuple[str, ...]:
    """Cells of AUDIT_HEADINGS; none without audit labels."""
    if figures is None:
        return ()
    return (f"{figures.accuracy:.3f}", f"{figures.ece:.3f}", f"{figures.nlpd:.3f}")
