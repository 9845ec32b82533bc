"""Labels as a COCO file of whole images: images, categories, and annotations without a box.

COCO has no annotation of its own for a whole image; like other tools, this one writes annotations with
nothing but `image_id` and `category_id`, here with the record of the label in `attributes`. All other
records are in the list `alworkbench_labels`, which readers of COCO ignore. The file names the pictures and
holds none, so a picture that was changed is not listed. `info.images_folder` is the folder that the names
are relative to. Own code: the format is three lists. pycocotools only reads, and datumaro would bring 16
packages.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from PIL import Image

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.formats import formats
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.json_documents import objects, read_document, text_in
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.picture_trees import refuse_columns, role_of_split
from alworkbench.inputs.label_formats.placed_pictures import common_folder
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import LabelRow, hash_of
from alworkbench.inputs.label_formats.sidecar import answers_without_class, no_history
from alworkbench.inputs.label_formats.standing_records import (
    ORDER,
    SPLIT_OF,
    Ordered,
    from_fields,
    in_order,
    numbered,
    standing,
)

OTHERS = "alworkbench_labels"
"""The records that are no annotation."""
_WHAT = "a COCO file with the lists images, annotations and categories"
_REMEDY = f"Give {_WHAT}."


class Coco:
    """A .json file with one annotation for each image."""

    name = "coco"
    title = "COCO file (JSON) with a category for each image"
    suffixes = (".json",)
    holds_images = False

    def recognises(self, path: Path) -> bool:
        """Whether it is a .json file that holds an object."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write images, annotations and categories."""
        stands = standing(export)
        categories = {name: number for number, name in enumerate(stands.class_names, 1)}
        files: dict[int, Path] = {}
        lost: dict[str, str] = {}
        count = 0
        for order, row in numbered(export):
            count += 1
            if stands.stands(order, row):
                file = export.picture(row["hash"])
                if file is None:
                    lost[row["hash"]] = row["image"] or row["hash"]
                else:
                    files[order] = file

        def kept() -> Iterator[tuple[int, Mapping[str, Any]]]:
            return (each for each in numbered(export) if each[0] in files)

        with atomic_path(target) as draft, draft.open("w", encoding="utf-8", newline="") as out:
            folder = common_folder(files.values())
            info = {
                "description": f"Labels of the project {export.project}",
                "images_folder": folder.as_posix(),
            }
            out.write(f'{{"info": {json.dumps(info, ensure_ascii=False)},\n"categories": ')
            _write_list(out, ({"id": i, "name": each} for each, i in categories.items()))
            out.write(',\n"images": ')
            _write_list(out, (_image(order, row, files[order], folder) for order, row in kept()))
            out.write(',\n"annotations": ')
            _write_list(out, (_annotation(order, row, categories) for order, row in kept()))
            out.write(f',\n"{OTHERS}": ')
            _write_list(
                out,
                ({**row, ORDER: order} for order, row in numbered(export) if order not in files),
            )
            out.write("}\n")
        return Written(count, 0, tuple(lost.values()))

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The category of each image that has annotations, also with boxes. Raises InvalidTable, OSError.

        An image with annotations of several categories gives a row for each of them.
        """
        refuse_columns(ColumnMapping(mapping.path_column, mapping.label_column))
        found = _document(source)
        images = {each.get("id"): each for each in objects(found.get("images"), "images", _REMEDY)}
        names = {
            each.get("id"): text_in(each, "name", "a category", _REMEDY)
            for each in objects(found.get("categories"), "categories", _REMEDY)
        }
        said: set[tuple[Any, Any]] = set()
        seen: set[str] = set()
        for number, each in enumerate(_annotations(found), 1):
            place = f"annotation {number}"
            image_id, category = each.get("image_id"), each.get("category_id")
            if not _id(image_id) or image_id not in images:
                raise InvalidTable(f"{place}: no image has the id {str(image_id)[:80]!r}", _REMEDY)
            if not _id(category) or category not in names:
                raise InvalidTable(
                    f"{place}: no category has the id {str(category)[:80]!r}", _REMEDY
                )
            if (image_id, category) in said:
                continue
            said.add((image_id, category))
            image = images[image_id]
            path = text_in(image, "file_name", f"image {image_id}", _REMEDY)
            content = hash_of({"hash": str(image.get("hash") or "")})
            seen.add(content)
            split = image.get("split")
            yield LabelRow(
                number,
                str(mapping.root / path) if mapping.root is not None else path,
                content,
                AnswerKind.CLASS,
                names[category],
                role_of_split(split if isinstance(split, str) else None, mapping, place),
                place,
            )
        yield from answers_without_class(_others(found), seen)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The attributes of the annotations, and the other records. Raises InvalidTable, OSError."""
        found = _document(source)
        if OTHERS not in found:
            raise no_history(f"it has no list {OTHERS}")
        annotations = [
            from_fields(each.get("attributes"), f"annotation {number}")
            for number, each in enumerate(_annotations(found), 1)
        ]
        return in_order([*annotations, *_others(found)])


def _id(value: Any) -> bool:
    """Whether a value can be an id: lists and objects cannot be looked up."""
    return isinstance(value, int | str)


def _document(source: Path) -> Mapping[str, Any]:
    found = read_document(source, _WHAT)
    if not isinstance(found, Mapping):
        raise InvalidTable("it is no JSON object", _REMEDY)
    for each in objects(found.get("images"), "images", _REMEDY):
        if not _id(each.get("id")):
            raise InvalidTable("an image has no id", _REMEDY)
    for each in objects(found.get("categories"), "categories", _REMEDY):
        if not _id(each.get("id")):
            raise InvalidTable("a category has no id", _REMEDY)
    return found


def _annotations(found: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    return objects(found.get("annotations"), "annotations", _REMEDY)


def _others(found: Mapping[str, Any]) -> Iterator[Ordered]:
    for number, each in enumerate(objects(found.get(OTHERS, []), OTHERS, _REMEDY), 1):
        yield from_fields(each, f"record {number} of {OTHERS}")


def _image(order: int, row: Mapping[str, Any], file: Path, folder: Path) -> dict[str, Any]:
    return {
        "id": order,
        "file_name": file.resolve().relative_to(folder).as_posix(),
        **_size(file),
        "hash": row["hash"],
        "split": SPLIT_OF[row["role"]],
    }


def _size(file: Path) -> dict[str, int]:
    """Of the stored picture; nothing for a large picture, whose header Pillow itself does not open."""
    formats()  # it makes Pillow know the optional ones
    try:
        with Image.open(file) as picture:
            return {"width": picture.width, "height": picture.height}
    except (OSError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {}


def _annotation(
    order: int, row: Mapping[str, Any], categories: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "id": order,
        "image_id": order,
        "category_id": categories[row["label"]],
        "attributes": {**row, ORDER: order},
    }


def _write_list(out: IO[str], values: Iterator[Mapping[str, Any]]) -> None:
    """One value on each line, so that large files are written without holding them."""
    out.write("[")
    for number, each in enumerate(values):
        out.write((",\n" if number else "\n") + json.dumps(each, ensure_ascii=False))
    out.write("]")
