"""What commands print before and after a change of the class list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import tell
from alworkbench.core.domain import ClassList

if TYPE_CHECKING:
    from alworkbench.project.class_versions import ChangeEffect

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Say what the change concerns, and write nothing.")
]


def tell_effect(effect: ChangeEffect, as_json: bool) -> None:
    """Print what a change would concern."""
    learning = (
        f"The model would learn again from all labels. {effect.learners} learners of the present list would "
        f"stay in the record, and curves would leave them out."
        if effect.learns_again
        else "Nothing would be learned."
    )
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
