"""The report of a dry run: what would be stored, and why a source would be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import complaints, console, escape, tell

if TYPE_CHECKING:
    from alworkbench.project.import_preview import ImportPreview
    from alworkbench.project.label_findings import Problem
    from alworkbench.project.label_intake import LabelPreview

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only report what would happen, and store nothing.")
]
DONE = "This was a dry run: nothing was stored."


def print_label_preview(preview: LabelPreview, as_json: bool) -> None:
    """Print what reading a label file would do."""
    from alworkbench.project.import_words import label_preview_words, no_label_words

    nothing = "" if preview.problems else no_label_words(preview.would)
    tell(as_json, preview, f"{DONE} {label_preview_words(preview)} {nothing}".rstrip())
    if not as_json:
        print_problems(preview.problems)


def print_import_preview(preview: ImportPreview, as_json: bool) -> None:
    """Print what an import of images would do."""
    from alworkbench.project.import_words import import_preview_words, no_import_words

    nothing = "" if preview.problems else no_import_words(preview.would)
    tell(as_json, preview, f"{DONE} {import_preview_words(preview)} {nothing}".rstrip())
    if not as_json:
        for file in preview.would.quarantined:
            complaints.print(
                f"  unreadable ({file.code}): {escape(file.path)}: {escape(file.detail)}"
            )
        print_problems(preview.problems)


def print_problems(problems: tuple[Problem, ...]) -> None:
    """Print why a source would be refused, with up to 10 examples of each reason."""
    for each in problems:
        console.print(f"It would be refused: {escape(each.what)}: {each.count:,}.", soft_wrap=True)
        for name in each.named:
            console.print(f"  {escape(name)}", soft_wrap=True)
        if each.count > len(each.named):
            console.print(f"  and {each.count - len(each.named):,} more")
