"""What an import did or would do, in sentences: for the command line and for the screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alworkbench.core.domain import ImportSummary
from alworkbench.core.words import counted
from alworkbench.inputs.formats import advice
from alworkbench.inputs.pixels import MOST
from alworkbench.inputs.sources import skipped_in_words
from alworkbench.inputs.tree_walk import OUTSIDE
from alworkbench.project.import_preview import ImportPreview
from alworkbench.project.label_intake import LabelPreview, LabelSummary

if TYPE_CHECKING:
    from alworkbench.project.artifacts import FeaturesSummary


def import_words(summary: ImportSummary) -> str:
    """The counts of an import, in a line."""
    return (
        f"Read {counted(summary.files, 'file')}: {_images(summary)}. "
        f"Recorded {counted(summary.labelled, 'label')}."
    ) + role_words(summary.moved, summary.left_out)


def import_preview_words(preview: ImportPreview) -> str:
    """What an import would do, in a line."""
    would = preview.would
    return (
        f"The source has {counted(would.files, 'file')}: {_images(would)}. "
        f"Labels to record: {would.labelled:,}.{role_words(would.moved, would.left_out)}"
    )


def no_import_words(would: ImportSummary, *, sent: bool = False) -> str:
    """Why an import would change nothing, in a sentence; empty where it would.

    A further place of a known image is worth an import, except where somebody `sent` a copy.
    """
    if would.new or would.labelled or would.moved or (would.duplicates and not sent):
        return ""
    if not would.known and not would.duplicates:
        return "There is nothing to import: no file of the source is a picture that can be read."
    return "There is nothing to import: the project has these images already, and no label is new."


def no_label_words(would: LabelSummary) -> str:
    """Why reading a label file would change nothing, in a sentence; empty where it would."""
    if would.recorded or would.taken_back or would.moved:
        return ""
    if would.known:
        return "There is nothing to record: the project has these labels already."
    return "There is nothing to record: the file has no label that counts here."


def no_feature_words(here: int) -> str:
    """Why no features would be taken, in a sentence; empty where `here` rows are of images of the project."""
    if here:
        return ""
    return (
        "There is nothing to take: no row is of an image of this project. Import its images first."
    )


def _images(summary: ImportSummary) -> str:
    return (
        f"{counted(summary.new, 'new image')}, {summary.known:,} already in the project, "
        f"{counted(summary.duplicates, 'duplicate')}, {len(summary.quarantined):,} unreadable"
    )


def encoding_words(done: FeaturesSummary) -> str:
    """The counts of an encoding, in a line."""
    return (
        f"Encoded {counted(done.encoded, 'image')} with {done.encoder_id} in {done.seconds:.1f} s. "
        f"{_others(done)}"
    )


def taken_words(done: FeaturesSummary, name: str) -> str:
    """The counts of features that were read from the file of this name, in a line."""
    return (
        f"Took the features of {counted(done.encoded, 'image')} from {name}, of the encoder "
        f"{done.encoder_id}. {_others(done)}"
    )


def _others(done: FeaturesSummary) -> str:
    """The images that got no features now."""
    were = "was" if done.quarantined == 1 else "were"
    return f"{counted(done.known, 'image')} had features already; {done.quarantined:,} {were} unreadable."


def label_words(done: LabelSummary) -> str:
    """`Recorded 3 labels; known already: 2.`"""
    words = f"Recorded {counted(done.recorded, 'label')}; known already: {done.known:,}."
    if done.taken_back:
        was = "was" if done.taken_back == 1 else "were"
        words += f" {counted(done.taken_back, 'label')} of the history {was} taken back."
    return words + role_words(done.moved, done.left_out)


def label_preview_words(preview: LabelPreview) -> str:
    """What reading a label file would do, in a line."""
    would = preview.would
    backs = f" Take-backs to record: {would.taken_back:,}." if would.taken_back else ""
    return (
        f"The file has {counted(preview.rows, 'label')}; to record: {would.recorded:,}; known "
        f"already: {would.known:,}.{backs}{role_words(would.moved, would.left_out)}"
    )


def role_words(moved: int, left_out: int) -> str:
    """What became of images with another role than in the project, as sentences after others."""
    words = f" {counted(moved, 'image')} took the role of the source." if moved else ""
    if left_out:
        were = "was" if left_out == 1 else "were"
        words += f" {counted(left_out, 'label')} {were} left out because of the role."
    return words


def import_notes(summary: ImportSummary) -> list[str]:
    """Sentences on which files were not read, which look dark, and which changed."""
    return [*_skipped(summary), *depth_notes(summary), *_changes(summary)]


def unreadable(summary: ImportSummary) -> list[tuple[str, str, str]]:
    """(path, code, detail) of each file that could not be read; links out of the folder are only counted."""
    return [
        (file.path, file.code.value, file.detail)
        for file in summary.quarantined
        if file.detail != OUTSIDE  # there may be one for each file of a folder
    ]


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
