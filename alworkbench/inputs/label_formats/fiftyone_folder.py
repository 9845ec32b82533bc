"""Labels as a FiftyOneImageClassificationDataset: data/SPLIT/PICTURE and labels.json.

Of FiftyOne's types of folders, this one has a documented, stable layout and still carries fields: the record
is in the `attributes` of the classification. (A FiftyOneDataset is a copy of FiftyOne's database, and
changes with its versions; what FiftyOne writes so is read.) Pictures without a class are in data/ and not in
labels.json; their records, and all that the file has no place for, are beside it. Own code: one JSON object.
FiftyOne brings 75 packages and starts a MongoDB.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_folder, atomic_path
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.json_documents import objects, read_document, text_in
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.picture_trees import (
    pictures_below,
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
    ORDER,
    SPLIT_OF,
    from_fields,
    in_order,
    numbered,
    standing,
)
from alworkbench.inputs.picture import hash_file

DATA, LABELS, SAMPLES = "data", "labels.json", "samples.json"
FIELD = "ground_truth"
"""The field of a FiftyOneDataset that holds the labels, unless `--label-column` names another."""
_WHAT = (
    "a folder with the labels.json of a FiftyOneImageClassificationDataset, or a FiftyOneDataset"
)
_REMEDY = f"Give {_WHAT}."
_ONE = "An image has one class here: export a field of the type Classification."


class FiftyOneFolder:
    """A folder that `fiftyone.Dataset.from_dir` reads."""

    name = "fiftyone"
    title = "FiftyOneImageClassificationDataset of FiftyOne"
    suffixes: tuple[str, ...] = ()
    holds_images = True

    def recognises(self, path: Path) -> bool:
        """Whether labels.json or samples.json lies in the folder."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write pictures and labels. Raises InvalidLabelFile for a target that is in use."""
        refuse_used(target)
        stands, pictures = standing(export), PlacedPictures(export)
        index_of = {name: index for index, name in enumerate(stands.class_names)}
        count = 0
        kept: set[int] = set()
        with atomic_folder(target) as draft:
            (draft / DATA).mkdir()
            with (
                atomic_path(draft / LABELS) as labels,
                labels.open("w", encoding="utf-8", newline="") as out,
            ):
                classes = json.dumps(stands.class_names, ensure_ascii=False)
                out.write(f'{{"classes": {classes},\n"labels": {{')
                for order, row in numbered(export):
                    count += 1
                    has_class = row["hash"] in stands.order_of
                    if pictures.knows(row["hash"]) or (has_class and not stands.stands(order, row)):
                        continue
                    split = SPLIT_OF[row["role"]] if has_class else ""
                    name = pictures.put(row, draft / DATA / split)
                    if has_class and name is not None:
                        key = json.dumps(f"{split}/{Path(name).stem}", ensure_ascii=False)
                        entry = json.dumps(
                            _entry(order, row, index_of[row["label"]]), ensure_ascii=False
                        )
                        out.write(f"{',' if kept else ''}\n{key}: {entry}")
                        kept.add(order)
                out.write("}}\n")
            write_sidecar(draft, (each for each in numbered(export) if each[0] not in kept))
        return Written(count, pictures.count, pictures.lost)

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The class of each sample that has one. Raises InvalidTable, OSError."""
        refuse_columns(mapping, labels=True)
        seen: set[str] = set()
        samples = (source / SAMPLES).is_file()
        for row in _samples(source, mapping) if samples else _labels(source, mapping):
            seen.add(row.hash)
            yield row
        yield from answers_without_class(read_sidecar(source), seen)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The attributes of the labels, and the records beside them. Raises InvalidTable, OSError."""
        found = list(read_sidecar(source))
        if (source / LABELS).is_file():
            classes, labels = _document(source)
            for key, each in labels.items():
                attributes = each.get("attributes") if isinstance(each, Mapping) else None
                if isinstance(attributes, Mapping) and ORDER in attributes:
                    place = f"the attributes of {key[:200]!r}"
                    recorded = {**attributes, "label": _class(each, classes, place)}
                    found.append(from_fields(recorded, place))
        if not found and not has_sidecar(source):
            raise no_history("its labels have no records")
        return in_order(found)


def _entry(order: int, row: Mapping[str, Any], index: int) -> dict[str, Any]:
    """Without the empty values: FiftyOne makes a field of each. The class is the index."""
    attributes = {
        name: value for name, value in row.items() if value is not None and name != "label"
    }
    return {"label": index, "attributes": {**attributes, ORDER: order}}


def _labels(source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
    """The rows of labels.json, each with the content hash of its picture."""
    classes, labels = _document(source)
    files = {
        Path(*file.parts).with_suffix("").as_posix(): file
        for file in (pictures_below(source / DATA) if (source / DATA).is_dir() else ())
    }
    elsewhere = _manifest(source)
    for number, (key, each) in enumerate(labels.items(), 1):
        place = f"the label of {key[:200]!r}"
        if each is None:
            continue
        label = _class(each, classes, place)
        split, _, name = key.partition("/")
        role = role_of_split(split if name else None, mapping, place)
        file = files.get(key)
        image = file.place if file is not None else elsewhere.get(key, key)
        content = file.hash() if file is not None else ""
        yield LabelRow(number, image, content, AnswerKind.CLASS, label, role, place)


def _manifest(source: Path) -> Mapping[str, str]:
    """Key -> path of a picture outside of the folder, which FiftyOne writes if it exports no pictures."""
    path = source / "data.json"
    found = read_document(path, _WHAT) if path.is_file() else {}
    if not isinstance(found, Mapping) or not all(isinstance(v, str) for v in found.values()):
        raise InvalidTable("data.json is no object of paths", _REMEDY)
    return found


def _samples(source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
    """The rows of a FiftyOneDataset: its tags may name the split."""
    found = read_document(source / SAMPLES, _WHAT)
    field = mapping.label_column or FIELD
    samples = found.get("samples") if isinstance(found, Mapping) else None
    for number, each in enumerate(objects(samples, "samples", _REMEDY), 1):
        place = f"sample {number}"
        answer = each.get(field)
        if answer is None:
            continue
        if not isinstance(answer, Mapping) or answer.get("_cls") != "Classification":
            raise InvalidTable(f"{place}: {field} is no Classification", _ONE)
        path = text_in(each, "filepath", place, _REMEDY)
        file = source / path
        inside = not Path(path).is_absolute() and ".." not in Path(path).parts and file.is_file()
        tags = [tag for tag in each.get("tags") or () if isinstance(tag, str)]
        roles = {
            role_of_split(tag, mapping, place)
            for tag in tags
            if not mapping.split_map or tag in mapping.split_map
        } - {None}
        yield LabelRow(
            number,
            path,
            hash_file(file) if inside else "",
            AnswerKind.CLASS,
            text_in(answer, "label", f"{field} of {place}", _REMEDY),
            roles.pop() if len(roles) == 1 else None,
            place,
        )


def _document(source: Path) -> tuple[list[Any], Mapping[str, Any]]:
    """(classes, key -> label) of labels.json."""
    found = read_document(source / LABELS, _WHAT)
    labels = found.get("labels") if isinstance(found, Mapping) else None
    if not isinstance(labels, Mapping):
        raise InvalidTable(f"{LABELS} has no object 'labels'", _REMEDY)
    classes = found.get("classes") or []
    return (classes if isinstance(classes, list) else []), labels


def _class(each: Any, classes: list[Any], place: str) -> str:
    """The class of a label: an index, a name, an object with one of them, or a list of one."""
    if isinstance(each, list):
        if len(each) != 1:
            raise InvalidTable(f"{place} has {len(each)} classes", _ONE)
        each = each[0]
    found = each.get("label") if isinstance(each, Mapping) else each
    if isinstance(found, int) and not isinstance(found, bool) and 0 <= found < len(classes):
        found = classes[found]
    if not isinstance(found, str) or not found.strip():
        raise InvalidTable(
            f"{place}: {str(found)[:80]!r} is no class of the list 'classes'", _REMEDY
        )
    return found
