"""The report of a dry run: what would be stored, and why a source would be refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from alworkbench.cli.common import complaints, console, counted, escape, role_words, tell

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
    would = preview.would
    backs = f" Take-backs to record: {would.taken_back:,}." if would.taken_back else ""
    tell(
        as_json,
        preview,
        f"{DONE} The file has {counted(preview.rows, 'label')}; to record: {would.recorded:,}; known "
        f"already: {would.known:,}.{backs}{role_words(would.moved, would.left_out)}",
    )
    if not as_json:
        print_problems(preview.problems)


def print_import_preview(preview: ImportPreview, as_json: bool) -> None:
    """Print what an import of images would do."""
    would = preview.would
    tell(
        as_json,
        preview,
        f"{DONE} The source has {counted(would.files, 'file')}: {would.new:,} new images, {would.known:,} "
        f"already in the project, {would.duplicates:,} duplicates, {len(would.quarantined):,} unreadable. "
        f"Labels to record: {would.labelled:,}.{role_words(would.moved, would.left_out)}",
    )
    if not as_json:
        for file in would.quarantined:
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
