"""Labels as an imagefolder of Hugging Face datasets: pictures, and metadata.jsonl beside them, by splits.

Each line of metadata names a picture, its class, and the record of this label. The record is one text of
JSON: `datasets` takes the types of the columns from the first lines and refuses splits whose types differ,
and many values of a record are empty in one split and numbers in the other. Other records are in the file
beside it. Own code, because `datasets` reads this format and does not write it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from alworkbench.core.atomic_files import atomic_folder, atomic_path
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable, TableRow
from alworkbench.inputs.label_formats.csv_format import CsvFormat
from alworkbench.inputs.label_formats.folder_layouts import layout_of, metadata_files
from alworkbench.inputs.label_formats.jsonl_format import JsonLinesFormat
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.parquet_format import ParquetFormat
from alworkbench.inputs.label_formats.picture_trees import (
    PictureFile,
    refuse_columns,
    role_of_split,
)
from alworkbench.inputs.label_formats.placed_pictures import PlacedPictures, refuse_used
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.inputs.label_formats.sidecar import (
    answers_without_class,
    has_sidecar,
    no_history,
    read_sidecar,
    write_sidecar,
)
from alworkbench.inputs.label_formats.standing_records import (
    SPLIT_OF,
    Ordered,
    as_text,
    from_text,
    in_order,
    numbered,
    standing,
)

METADATA = "metadata.jsonl"
RECORD = "record"
"""The column with the record of the label."""
_PATH = "file_name"


class ImageFolder:
    """A folder that `datasets.load_dataset("imagefolder", data_dir=...)` loads."""

    name = "imagefolder"
    title = "Hugging Face imagefolder with metadata.jsonl"
    suffixes: tuple[str, ...] = ()
    holds_images = True

    def recognises(self, path: Path) -> bool:
        """Whether a metadata file lies in the folder, or in one of its folders."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write pictures and metadata. Raises InvalidLabelFile for a target that is in use."""
        refuse_used(target)
        stands, pictures = standing(export), PlacedPictures(export)
        count = 0
        kept: set[int] = set()
        with atomic_folder(target) as draft:
            roles = {row["role"] for order, row in numbered(export) if stands.stands(order, row)}
            for role in sorted(roles):
                folder = draft / SPLIT_OF[role]
                folder.mkdir()
                with (
                    atomic_path(folder / METADATA) as table,
                    table.open("w", encoding="utf-8", newline="") as file,
                ):
                    for order, row in numbered(export):
                        if row["role"] != role or not stands.stands(order, row):
                            continue
                        name = pictures.put(row, folder)
                        if name is not None:
                            kept.add(order)
                            file.write(json.dumps(_line(name, order, row), ensure_ascii=False))
                            file.write("\n")
            for _, row in numbered(export):
                count += 1
                if not pictures.knows(row["hash"]):
                    pictures.put(row, draft)
            write_sidecar(draft, (each for each in numbered(export) if each[0] not in kept))
        return Written(count, pictures.count, pictures.lost)

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The class of each picture in the metadata. Raises InvalidTable, OSError."""
        refuse_columns(mapping, labels=True)
        column = mapping.label_column or "label"
        seen: set[str] = set()
        for table in metadata_files(source):
            split = None if table.parent == source else table.parent.name
            for row in _rows(table, (_PATH, column)):
                place = f"line {row.line} of {table.relative_to(source).as_posix()}"
                if not row.fields[column].strip():
                    continue
                file = _picture(table.parent, row.fields[_PATH], place)
                content = file.hash()
                seen.add(content)
                yield LabelRow(
                    row.line,
                    file.place,
                    content,
                    AnswerKind.CLASS,
                    row.fields[column],
                    role_of_split(
                        split or (file.parts[0] if file.parts[1:] else None), mapping, place
                    ),
                    place,
                )
        yield from answers_without_class(read_sidecar(source), seen)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The records in the metadata and in the file beside it. Raises InvalidTable, OSError."""

        def records() -> Iterator[Ordered]:
            for table in metadata_files(source):
                name = table.relative_to(source).as_posix()
                for row in _rows(table, (_PATH, RECORD)):
                    yield from_text(row.fields[RECORD], f"line {row.line} of {name}")
            yield from read_sidecar(source)

        found = list(records())
        if not found and not has_sidecar(source):
            raise no_history("its metadata has no records")
        return in_order(found)


def _line(name: str, order: int, row: Any) -> dict[str, str]:
    """The path is no column `image`: `datasets` gives the picture that name."""
    columns = {each: row[each] or "" for each in ("label", "role", "annotator", "hash")}
    path = row["image"] or ""
    return {_PATH: name, **columns, "path": path, RECORD: as_text(order, row)}


def _rows(table: Path, needed: Collection[str]) -> Iterator[TableRow]:
    formats = (CsvFormat(), JsonLinesFormat(), ParquetFormat())
    return next(each for each in formats if each.recognises(table)).rows(table, needed)


def _picture(folder: Path, name: str, place: str) -> PictureFile:
    """The picture that a line names. Raises InvalidTable if it is outside of the folder, or not there."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InvalidTable(f"{place}: {name[:200]!r} leaves the folder", "Correct that line.")
    if not (folder / path).is_file():
        raise InvalidTable(
            f"{place}: there is no file {name[:200]!r}", "Add it, or remove the line."
        )
    return PictureFile(folder / path, path.parts)
