"""What `alworkbench import` says: counts on standard output, and on standard error what needs attention."""

from __future__ import annotations

from alworkbench.cli.common import complaints, counted, escape, role_words
from alworkbench.core.domain import ImportSummary
from alworkbench.inputs.formats import advice
from alworkbench.inputs.pixels import MOST
from alworkbench.inputs.sources import skipped_in_words
from alworkbench.inputs.tree_walk import OUTSIDE


def import_words(summary: ImportSummary) -> str:
    """The counts of an import, in a line."""
    return (
        f"Read {summary.files} files: {summary.new} new images, {summary.known} already in the "
        f"project, {summary.duplicates} duplicates, {len(summary.quarantined)} unreadable. "
        f"Recorded {summary.labelled} labels."
    ) + role_words(summary.moved, summary.left_out)


def print_import_notes(summary: ImportSummary) -> None:
    """Say on standard error which files were not read, which look dark, and which changed."""
    for note in (*_skipped(summary), *depth_notes(summary), *_changes(summary)):
        complaints.print(escape(note), soft_wrap=True)
    for file in summary.quarantined:
        if file.detail == OUTSIDE:
            continue  # there may be one for each file of a folder: they are counted above
        complaints.print(f"  unreadable ({file.code}): {escape(file.path)}: {escape(file.detail)}")


def _skipped(summary: ImportSummary) -> list[str]:
    notes = []
    if summary.skipped:
        number = counted(sum(summary.skipped.values()), "other file")
        notes.append(f"Skipped {number}: {skipped_in_words(summary.skipped)}.")
        notes += advice(summary.skipped)
    if summary.links_out:
        notes.append(
            f"Not read: {counted(summary.links_out, 'link')} out of the folder. To read what they lead to, "
            f"add `--follow-links`."
        )
    return notes


def depth_notes(summary: ImportSummary) -> list[str]:
    """Sentences on pictures of 16 bits: where their white is, and which of them look dark."""
    notes = []
    for white, number in summary.whites.items():
        if white < MOST:
            bits = (white + 1).bit_length() - 1
            kind = f"{bits}-bit pictures" if 2**bits - 1 == white else "Pictures"
            notes.append(f"{kind} in 16-bit files: {number:,} shown with white at {white:,}.")
    if summary.dark:
        bits = max(8, summary.dark_brightest.bit_length())
        notes.append(
            f"Dark, to people and to the model: {counted(summary.dark, 'picture')} in 16-bit files without a "
            f"value above {summary.dark_brightest:,}. If white is at {2**bits - 1:,}, import again with "
            f"`--white-point {2**bits - 1}` before you encode."
        )
    return notes


def _changes(summary: ImportSummary) -> list[str]:
    notes = []
    if summary.changed:
        notes.append(
            f"{counted(summary.changed, 'file')} changed since an earlier import, and came in as other "
            f"images. The images of that time keep their labels and are not asked any more."
        )
    if summary.missing:
        notes.append(
            f"{counted(len(summary.missing), 'file')} of earlier imports are not there any more, such as "
            f"{summary.missing[0]}. `alworkbench doctor` lists them."
        )
    return notes
