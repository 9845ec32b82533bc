"""Label files of any format: read, or refused with what is wrong. Nothing that is read is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.label_formats.record import NEEDED, LabelRow, hash_of
from alworkbench.inputs.label_formats.registry import format_of
from alworkbench.inputs.label_formats.tables import TableFormat

Row = TypeVar("Row")


def read_labels(
    path: Path, mapping: ColumnMapping = OUR_OWN, format: str | None = None
) -> Iterator[LabelRow]:
    """The answers in a file or folder of any format (None: the one that it has).

    An export is read as it was written: `hash` names the image, `role` says whether it is one of the audit
    set, and `kind` says whether it was skipped or cannot be told. Rows with neither label nor kind hold no
    answer yet and are left out, as are rows of a history that no longer count. Other columns are ignored.
    Raises InvalidLabelFile, with the line.
    """
    return _guarded(path, lambda: format_of(path, format).read(path, mapping))


def read_history(path: Path, format: str | None = None) -> Iterator[dict[str, Any]]:
    """The full records of an export, in their order. Raises InvalidLabelFile, also where a file has none."""
    return _guarded(path, lambda: format_of(path, format).read_history(path))


def read_image_names(path: Path) -> list[str]:
    """The images that a label file or another table with the column `image` names, each by its hash if given.

    Raises InvalidLabelFile.
    """

    def rows() -> Iterator[str]:
        found = format_of(path)
        if isinstance(found, TableFormat):
            for row in found.rows(path, NEEDED[:1]):
                yield hash_of(row.fields) or row.fields["image"]
        else:
            for named in found.read(path, OUR_OWN):
                yield named.hash or named.image

    return list(_guarded(path, rows))


def _guarded(path: Path, rows: Callable[[], Iterator[Row]]) -> Iterator[Row]:
    """The rows; what is wrong with the file is raised as InvalidLabelFile."""
    advice = (
        f"Give a CSV file with the columns {' and '.join(NEEDED)}, or a file of another format."
    )
    try:
        yield from rows()
    except FileNotFoundError as error:
        raise InvalidLabelFile(f"There is no file {path}. {advice}") from error
    except InvalidTable as error:
        raise InvalidLabelFile(
            f"{path} cannot be read as labels: {error.reason}. Nothing was recorded. {error.remedy}"
        ) from error
    except OSError as error:
        raise InvalidLabelFile(
            f"{path} cannot be read: {error.strerror or error}. {advice}"
        ) from error
