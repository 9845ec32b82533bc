"""Commands for people who work together: agreement, pace, and the cases for a reviewer."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from alworkbench.cli.common import (
    HERE,
    JsonOption,
    ProjectOption,
    counted,
    opened,
    print_json,
    print_lines,
    tell,
)
from alworkbench.core.domain import Label, TakeBack
from alworkbench.core.words import percent
from alworkbench.project.review_cases import ReviewCase
from alworkbench.project.reviews import ODDS

CaseArgument = Annotated[int, typer.Argument(help="Number of the case; `review list` shows it.")]
ByOption = Annotated[
    str | None, typer.Option("--by", help="Who decides.", show_default="your name on this machine")
]
NoteOption = Annotated[str | None, typer.Option(help="Why; it is kept with the case.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command(epilog="Example: alworkbench agreement --project birds")(agreement)
    app.command(epilog="Example: alworkbench pace --project birds")(pace)
    group = typer.Typer(help="Settle labels that people disagree about.", no_args_is_help=True)
    group.command("list", epilog="Example: alworkbench review list --errors -p birds")(list_)
    group.command(epilog="Example: alworkbench review resolve 3 'barn owl' -p birds")(resolve)
    group.command(epilog="Example: alworkbench review dismiss 3 -p birds")(dismiss)
    group.command("pass-on", epilog="Example: alworkbench review pass-on 3 'tawny owl' -p birds")(
        pass_on
    )
    app.add_typer(group, name="review")


def agreement(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show how far people agree who answered the same images, and whether suggestions pull answers.

    1 is full agreement, 0 is as much as chance gives. `set --overlap 2` asks two people about an image.
    """
    with opened(project) as workbench:
        found, bias = workbench.team.agreement(), workbench.team.suggestions()
    if as_json:
        print_json({"agreement": found, "suggestions": bias})
        return
    if found.images == 0:
        tell(
            False,
            found,
            "No image has classes of two people. Ask several people about each image: "
            "alworkbench set --overlap 2",
        )
    else:
        value = "not defined" if found.alpha is None else f"{found.alpha:.3f}"
        if found.low is not None and found.high is not None:
            value += f" [{found.low:.3f}, {found.high:.3f}]"
        print_lines(
            [
                ("people", "images", "same class", "Cohen's kappa"),
                *(
                    (
                        f"{each.first}, {each.second}",
                        str(each.images),
                        percent(each.share, 0),
                        "not defined" if each.kappa is None else f"{each.kappa:.3f}",
                    )
                    for each in found.pairs
                ),
            ],
            title=f"Krippendorff's alpha {value}, {counted(found.images, 'image')}",
        )
    tell(False, bias, bias.words)


def pace(project: ProjectOption = HERE, as_json: JsonOption = False) -> None:
    """Show how fast and how well each person answers.

    Agreement is with the most common class that the others gave, with its 95 % interval. `holds` counts
    images of the open round that wait for an answer of this person.
    """
    with opened(project) as workbench:
        people, held = workbench.team.pace(), workbench.team.held()
    if as_json:
        print_json(people)
        return
    if not people:
        tell(False, people, "Nobody has answered yet.")
        return
    print_lines(
        [
            ("person", "answers", "seconds", "no class", "late", "holds", "agrees with the others"),
            *(
                (
                    each.person,
                    str(each.answers),
                    "" if each.median_seconds is None else f"{each.median_seconds:.1f}",
                    percent(each.no_class, 0),
                    str(each.late),
                    str(held.get(each.person, 0)),
                    ""
                    if each.agreement is None or each.low is None or each.high is None
                    else f"{percent(each.agreement, 0)} [{100 * each.low:.0f}, {100 * each.high:.0f}] "
                    f"of {each.compared}",
                )
                for each in people
            ),
        ]
    )


def list_(
    project: ProjectOption = HERE,
    errors: Annotated[
        bool, typer.Option("--errors", help="Also look for labels that are probably wrong.")
    ] = False,
    odds: Annotated[
        float,
        typer.Option(
            min=1.0,
            help="With --errors: how many times as likely another class must be. Higher: fewer false alarms.",
        ),
    ] = ODDS,
    every: Annotated[
        bool, typer.Option("--all", help="Closed cases, too, with what became of them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Open a case for each image that people disagree about, and list the open cases.

    With --errors also for labels that the model, without having seen them, thinks are wrong, the most
    doubtful first, and say whether a review or a new label is worth more.
    """
    with opened(project) as workbench:
        reviews = workbench.team.reviews
        reviews.open_disagreements()
        advice = None
        if errors:
            reviews.open_label_errors(odds)
            advice = workbench.team.advice()
        cases = reviews.cases(closed=every)
        names = dict(workbench.classes.current().given_names)
        with workbench.session.store.read() as reader:
            gone = reader.labels.take_backs()
    if as_json:
        print_json({"cases": cases, "advice": advice})
        return
    if cases:
        print_lines(
            [
                ("case", "image", "why", "state", "answers"),
                *(
                    (str(c.review.id), c.path, _why(c, names), _state(c), _answers(c, names, gone))
                    for c in cases
                ),
            ]
        )
    else:
        tell(False, cases, "There is no case for a reviewer.")
    if advice is not None:
        tell(False, advice, advice.words)
    elif errors:
        tell(
            False,
            None,
            "Whether a review or a new label teaches the model more is not known before several people have "
            "answered the same images at the labelling page.",
        )


def resolve(
    case: CaseArgument,
    class_name: Annotated[
        str | None, typer.Argument(metavar="[CLASS]", help="The right class.", show_default=False)
    ] = None,
    project: ProjectOption = HERE,
    cannot_tell: Annotated[
        bool, typer.Option("--cannot-tell", help="Nobody can tell the class.")
    ] = False,
    by: ByOption = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Settle an image: your answer counts alone from now on. All answers are kept."""
    if (class_name is None) != cannot_tell:
        raise typer.BadParameter("give either a class or --cannot-tell")
    with opened(project) as workbench:
        closed = workbench.team.reviews.resolve(case, by or getpass.getuser(), class_name, note)
    tell(as_json, closed, f"Case {case} is resolved; your answer counts alone from now on.")


def dismiss(
    case: CaseArgument,
    project: ProjectOption = HERE,
    by: ByOption = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave the answers as they are. The case comes back only after a new answer."""
    with opened(project) as workbench:
        closed = workbench.team.reviews.dismiss(case, by or getpass.getuser(), note)
    tell(as_json, closed, f"Case {case} is dismissed; the answers stay as they are.")


def pass_on(
    case: CaseArgument,
    class_name: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLASS]", help="What you see; none: you cannot tell.", show_default=False
        ),
    ] = None,
    project: ProjectOption = HERE,
    by: ByOption = None,
    note: NoteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask another reviewer for a second opinion. What you see is kept with the case and counts nowhere."""
    with opened(project) as workbench:
        asked = workbench.team.reviews.pass_on(case, by or getpass.getuser(), class_name, note)
    tell(as_json, asked, f"Case {case} is passed on; case {asked.id} waits for another reviewer.")


def _why(case: ReviewCase, names: dict[int | None, str]) -> str:
    found = case.review
    if found.asked_by is not None:
        return f"{found.asked_by} asks for a second opinion"
    if found.probability is None:
        return "people disagree"
    given = f"the model gives the label {percent(found.probability)}"
    if found.predicted_probability is None:
        return given
    predicted = names.get(found.predicted_class_id, "another class")
    return f"{given}, {predicted} {percent(found.predicted_probability)}"


def _state(case: ReviewCase) -> str:
    by = f" by {case.review.closed_by}" if case.review.closed_by else ""
    return case.review.state.value.replace("_", " ") + by


def _answers(case: ReviewCase, names: dict[int | None, str], gone: list[TakeBack]) -> str:
    taken = {each.label_id for each in gone}
    return ", ".join(_answer(each, names) for each in case.history if each.id not in taken)


def _answer(label: Label, names: dict[int | None, str]) -> str:
    said = label.kind.value if label.class_id is None else names.get(label.class_id, "?")
    return f"{label.annotator}: {said}" + (" (late)" if label.late else "")
