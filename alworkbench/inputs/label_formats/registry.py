"""All formats of labels, and the one that a file or folder has."""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.errors import InvalidLabelFile, did_you_mean
from alworkbench.inputs.label_formats.class_folders import ClassFolders
from alworkbench.inputs.label_formats.coco import Coco
from alworkbench.inputs.label_formats.csv_format import CsvFormat
from alworkbench.inputs.label_formats.fiftyone_folder import FiftyOneFolder
from alworkbench.inputs.label_formats.imagefolder import ImageFolder
from alworkbench.inputs.label_formats.jsonl_format import JsonLinesFormat
from alworkbench.inputs.label_formats.label_studio import LabelStudio
from alworkbench.inputs.label_formats.parquet_format import ParquetFormat
from alworkbench.inputs.label_formats.protocol import LabelFormat
from alworkbench.inputs.label_formats.tables import TableFormat
from alworkbench.inputs.label_formats.webdataset_shards import WebDatasetShards
from alworkbench.inputs.label_formats.yolo_folders import YoloFolders

FORMATS: tuple[LabelFormat, ...] = (
    CsvFormat(),
    JsonLinesFormat(),
    ParquetFormat(),
    ClassFolders(),
    ImageFolder(),
    Coco(),
    LabelStudio(),
    YoloFolders(),
    WebDatasetShards(),
    FiftyOneFolder(),
)
"""In the order in which lists show them."""

NAMES = tuple(each.name for each in FORMATS)
"""As `--format` takes them."""

TABLES = tuple(each.name for each in FORMATS if isinstance(each, TableFormat))
"""Those of a table with one row for each record."""


def format_named(name: str) -> LabelFormat:
    """The format with this name. Raises InvalidLabelFile."""
    for each in FORMATS:
        if each.name == name:
            return each
    raise InvalidLabelFile(
        f"There is no format {name!r}.{did_you_mean(name, NAMES)} The formats are {', '.join(NAMES)}."
    )


def format_to_write(target: Path, name: str | None = None) -> LabelFormat:
    """The format with this name, or else the one that the suffix names. Raises InvalidLabelFile."""
    if name is not None:
        found = format_named(name)
        if found.suffixes and target.suffix.lower() not in found.suffixes:
            raise InvalidLabelFile(
                f"A file of the format {name} ends in {' or '.join(found.suffixes)}, and {target} does not. "
                f"Nothing was written. Name the file labels{found.suffixes[0]}, for example."
            )
        return found
    suffix = target.suffix.lower()
    fitting = [each for each in FORMATS if suffix in each.suffixes]
    if len(fitting) == 1:
        return fitting[0]
    raise InvalidLabelFile(
        f"{target} does not say in which format labels shall be written. Nothing was written. Name a file "
        f"such as labels.csv, or name the format: --format {' or '.join(_names(fitting) or NAMES)}."
    )


def format_of(source: Path, name: str | None = None) -> LabelFormat:
    """The format with this name, or else the one that a file or folder has. Raises InvalidLabelFile.

    A file that no format recognises is read as a CSV table.
    """
    if name is not None:
        return format_named(name)
    fitting = [each for each in FORMATS if each.recognises(source)]
    if len(fitting) > 1:
        raise InvalidLabelFile(
            f"{source} could be of the formats {', '.join(_names(fitting))}. Nothing was recorded. Name one: "
            f"--format {fitting[0].name}."
        )
    return fitting[0] if fitting else FORMATS[0]


def _names(formats: list[LabelFormat]) -> list[str]:
    return [each.name for each in formats]
