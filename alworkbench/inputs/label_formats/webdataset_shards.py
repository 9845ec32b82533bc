"""Labels as shards of WebDataset: tar files of samples KEY.jpg, KEY.cls and KEY.json.

`train-000000.tar` and so on hold the pool, `test-000000.tar` the audit set, `unlabelled-000000.tar` the
pictures whose answers name no class, and nothing else. KEY.cls is the number of the class in `classes.txt`,
from 0. KEY.json holds texts alone, among them the record, because readers such as Hugging Face's take the
types of its fields from the first samples. Own code: the format is a tar file with names, and the reader of
the package `webdataset` runs commands that a name of a shard may hold and unpickles members.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_folder, atomic_path, write_atomically
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.class_folder_names import picture_name
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.picture_trees import refuse_columns, role_of_split
from alworkbench.inputs.label_formats.placed_pictures import refuse_used
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
    Standing,
    as_text,
    from_text,
    in_order,
    numbered,
    standing,
)
from alworkbench.inputs.label_formats.tar_samples import Sample, read_samples
from alworkbench.inputs.picture import content_hash

CLASSES = "classes.txt"
"""One class on each line, in the order of their numbers."""
UNLABELLED = "unlabelled"
RECORD = "record"
SAMPLES, BYTES = 10_000, 1 << 30
"""Most samples, and about the most bytes, of a shard."""
_FIELDS = ("label", "role", "annotator", "image", "hash")


class WebDatasetShards:
    """A folder of tar files that `webdataset.WebDataset` reads."""

    name = "webdataset"
    title = "shards of WebDataset (tar)"
    suffixes: tuple[str, ...] = ()
    holds_images = True

    def recognises(self, path: Path) -> bool:
        """Whether it is a .tar file, or a folder with some."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write the shards; pictures are copied. Raises InvalidLabelFile for a target that is in use."""
        refuse_used(target)
        stands = standing(export)
        kept: set[int] = set()
        done: dict[str, bool] = {}
        lost: dict[str, str] = {}
        with atomic_folder(target) as draft:
            for split in (*SPLIT_OF.values(), UNLABELLED):
                samples = _samples(export, stands, split)
                number = 0
                first = next(samples, None)
                while first is not None:
                    shard = draft / f"{split}-{number:06}.tar"
                    with atomic_path(shard) as path, tarfile.open(path, "w") as tar:
                        size = held = 0
                        while first is not None and held < SAMPLES and size < BYTES:
                            order, row = first
                            first = next(samples, None)
                            if row["hash"] in done:
                                continue
                            data = _bytes_of(export, row)
                            done[row["hash"]] = data is not None
                            if data is None:
                                lost[row["hash"]] = row["image"] or row["hash"]
                                continue
                            _add(tar, export, stands, order, row, data)
                            if row["hash"] in stands.order_of:
                                kept.add(order)
                            held, size = held + 1, size + len(data)
                    if held:
                        number += 1
                    else:
                        shard.unlink()
            names = "".join(f"{name}\n" for name in stands.class_names)
            write_atomically(draft / CLASSES, names.encode())
            write_sidecar(draft, (each for each in numbered(export) if each[0] not in kept))
        return Written(sum(1 for _ in export.rows), sum(done.values()), tuple(lost.values()))

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The class of each sample that has one. Raises InvalidTable, OSError.

        KEY.cls names the class or its number in `classes.txt`; without it, KEY.json names it in the field
        `label`, or in that of `--label-column`.
        """
        refuse_columns(mapping, labels=True)
        seen: set[str] = set()
        folder = source if source.is_dir() else source.parent
        names = _class_names(folder)
        number = 0
        for shard, sample in _shards(source):
            place = f"{sample.key[:200]} in {shard.name}"
            label = _label(sample, names, mapping, place)
            if label is None:
                continue
            number += 1
            content = "" if sample.picture is None else content_hash(sample.picture)
            seen.add(content)
            split = role_of_split(shard.name.rpartition("-")[0] or None, mapping, place)
            yield LabelRow(number, sample.key, content, AnswerKind.CLASS, label, split, place)
        yield from answers_without_class(read_sidecar(folder), seen)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The records in the samples and in the file beside them. Raises InvalidTable, OSError."""

        folder = source if source.is_dir() else source.parent

        def records() -> Iterator[Ordered]:
            for shard, sample in _shards(source):
                text = (sample.document or {}).get(RECORD)
                if isinstance(text, str):
                    yield from_text(text, f"{sample.key[:200]} in {shard.name}")
            yield from read_sidecar(folder)

        found = list(records())
        if not found and not has_sidecar(folder):
            raise no_history("its samples have no records")
        return in_order(found)


def _samples(
    export: Export, stands: Standing, split: str
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The records that become samples of a split; without a class, every record of the picture."""
    for order, row in numbered(export):
        if row["hash"] not in stands.order_of:
            if split == UNLABELLED:
                yield order, row
        elif stands.stands(order, row) and SPLIT_OF[row["role"]] == split:
            yield order, row


def _bytes_of(export: Export, row: Mapping[str, Any]) -> bytes | None:
    """The picture of a record; None if no file holds it any more."""
    file = export.picture(row["hash"])
    try:
        data = None if file is None else file.read_bytes()
    except OSError:
        return None
    return data if data is not None and content_hash(data) == row["hash"] else None


def _add(
    tar: tarfile.TarFile,
    export: Export,
    stands: Standing,
    order: int,
    row: Mapping[str, Any],
    data: bytes,
) -> None:
    """Add the members of a sample, one after the other."""
    name = Path(
        picture_name(row["image"] or "", row["hash"], export.picture(row["hash"]) or Path())
    )
    members = {name.suffix: data}
    if row["hash"] in stands.order_of:
        fields = {each: row[each] or "" for each in _FIELDS}
        document = json.dumps({**fields, RECORD: as_text(order, row)}, ensure_ascii=False)
        members[".json"] = document.encode()
        members[".cls"] = str(stands.class_names.index(row["label"])).encode()
    for suffix, content in members.items():
        header = tarfile.TarInfo(f"{name.stem}{suffix}")
        header.size, header.mode = len(content), 0o644
        tar.addfile(header, io.BytesIO(content))


def _shards(source: Path) -> Iterator[tuple[Path, Sample]]:
    for shard in sorted(source.glob("*.tar")) if source.is_dir() else (source,):
        for sample in read_samples(shard):
            yield shard, sample


def _class_names(folder: Path) -> list[str]:
    path = folder / CLASSES
    if not path.is_file():
        return []
    try:
        return path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise InvalidTable(f"{CLASSES} is not UTF-8", "Save it as UTF-8.") from error


def _label(sample: Sample, names: list[str], mapping: ColumnMapping, place: str) -> str | None:
    """The class of a sample; None without one."""
    document = sample.document or {}
    if mapping.label_column is not None:
        found = document.get(mapping.label_column)
        if found is not None and not isinstance(found, str):
            raise InvalidTable(f"{place}: {mapping.label_column} is no text", "Name another field.")
        return found or None
    if sample.cls is None:
        found = document.get("label")
        return found if isinstance(found, str) and found.strip() else None
    if not (sample.cls.isascii() and sample.cls.isdigit()):
        return sample.cls
    if int(sample.cls) >= len(names):
        raise InvalidTable(
            f"{place} has the class number {sample.cls[:20]}, and {CLASSES} names {len(names)} classes",
            f"Put {CLASSES} beside the shards, with one class on each line, in the order of the numbers.",
        )
    return names[int(sample.cls)]
