"""What commands print before and after a change of the class list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import (
    counted,
    opened,
    progress_bar,
    tell,
    warn_of_cut_names,
    warn_of_same_names,
)
from alworkbench.core.domain import ClassList
from alworkbench.core.progress import Progress

if TYPE_CHECKING:
    from pathlib import Path

    from alworkbench.project.class_versions import ChangeEffect
    from alworkbench.project.workbench import Workbench

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what the change concerns, and write nothing.")
]


def change_classes(
    project: Path,
    device: str,
    as_json: bool,
    dry_run: bool,
    planned: Callable[[ClassList], ClassList],
    change: Callable[[Workbench, Progress], ClassList],
) -> None:
    """Say what a change concerns, or make it; warn of classes that the model cannot read or tell apart."""
    with opened(project, device) as workbench, progress_bar(as_json) as progress:
        before = workbench.classes.current()
        effect = workbench.classes.effect(planned(before))
        if dry_run:
            return tell_effect(effect, as_json)
        classes = change(workbench, progress)
        cut, same = workbench.classes.cut_names(), workbench.classes.same_names()
    known = {(c.name, c.templates) for c in before.classes}
    fresh = {c.name for c in classes.classes if (c.name, c.templates) not in known}
    warn_of_cut_names([each for each in cut if each in fresh])
    warn_of_same_names([group for group in same if fresh & set(group)])
    tell_change(before, classes, effect, as_json)


def tell_effect(effect: ChangeEffect, as_json: bool) -> None:
    """Print what a change would concern."""
    learning = (
        f"The model would learn again from all labels. {effect.learners} learners of the present list would "
        f"stay in the record, and curves would leave them out."
        if effect.learns_again
        else "Nothing would be learned."
    )
    if effect.measured_again:
        learning += " The accuracy would be measured again on the audit set."
    for each in effect.by_class:
        then = (
            "would teach nothing"
            if each.counts_for is None
            else f"would count for {each.counts_for!r}"
        )
        learning += f" {counted(each.labels, 'label')} of {each.name!r} {then}."
    tell(
        as_json,
        effect,
        f"The change concerns {effect.labels} labels in {effect.rounds} rounds; all labels stay. {learning} "
        f"Nothing was written.",
    )


def tell_change(before: ClassList, after: ClassList, effect: ChangeEffect, as_json: bool) -> None:
    """Print which version of the class list is in use now."""
    if after.id == before.id:
        words = f"The class list is so already: version {after.id} stays."
    else:
        learned = "The model learned again from all labels." if effect.learns_again else ""
        words = (
            f"Version {after.id} of the class list is in use; all labels stay. {learned}".strip()
        )
    tell(as_json, after, words)
