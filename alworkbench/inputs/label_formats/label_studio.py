"""Labels as tasks of Label Studio (JSON) with choices, and the labelling configuration that they need.

Each image is a task. Answers that count are its annotations: a skip, and "cannot tell", are cancelled
annotations, as Label Studio writes skips. A suggestion is a prediction with its probability as the score.
The records are in `meta` of the task, which Label Studio keeps and exports again. Annotations name no user,
because Label Studio refuses a file with users that it does not have; the records name them. Own code: a task
is a few lines of JSON, and the SDK would bring 29 packages, among them another NumPy.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit
from xml.etree import ElementTree

from alworkbench.core.atomic_files import atomic_path, write_atomically
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.json_documents import objects, read_document, text_in
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.picture_trees import role_of_split
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import LabelRow, hash_of
from alworkbench.inputs.label_formats.sidecar import no_history
from alworkbench.inputs.label_formats.standing_records import (
    ORDER,
    SPLIT_OF,
    Ordered,
    from_fields,
    in_order,
    numbered,
    standing,
)

IMAGE, CONTROL = "image", "class"
"""Names of the image and of the choices in the configuration."""
META = "alworkbench"
CONFIG = ".label-studio.xml"
"""Ending of the file with the labelling configuration, beside the tasks."""
_LOCAL = "/data/local-files/"
_UPLOADED = re.compile(r"/data/upload/(?:\d+/)?(?:[0-9a-f]{8}-)?")
"""Label Studio puts eight digits before the name of a file that somebody uploads."""
_WHAT = "a file of Label Studio's export format JSON"
_REMEDY = f"Give {_WHAT}; its CSV export is read with --path-column image --label-column choice."


class LabelStudio:
    """A .json file with a list of tasks."""

    name = "label-studio"
    title = "tasks of Label Studio (JSON) with choices and predictions"
    suffixes = (".json",)
    holds_images = False

    def recognises(self, path: Path) -> bool:
        """Whether it is a .json file that holds a list."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write the tasks, and the labelling configuration beside them."""
        tasks: dict[str, list[tuple[int, Mapping[str, Any]]]] = {}
        count = 0
        for order, row in numbered(export):
            count += 1
            tasks.setdefault(row["hash"], []).append((order, row))
        files = {content: export.picture(content) for content in tasks}
        lost = {
            content: rows[0][1]["image"] or content
            for content, rows in tasks.items()
            if files[content] is None
        }
        config = _configuration(standing(export).class_names)
        write_atomically(target.with_name(target.stem + CONFIG), config)
        with atomic_path(target) as draft, draft.open("w", encoding="utf-8", newline="") as out:
            out.write("[")
            for number, (content, rows) in enumerate(tasks.items()):
                file = files[content]
                task = _without_picture(rows) if file is None else _task(rows, file)
                out.write((",\n" if number else "\n") + json.dumps(task, ensure_ascii=False))
            out.write("]\n")
        return Written(count, 0, tuple(lost.values()))

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The answers of the annotations; drafts and predictions are none. Raises InvalidTable, OSError."""
        for number, task in enumerate(_tasks(source), 1):
            place = f"task {number}"
            data = task.get("data")
            if not isinstance(data, Mapping):
                raise InvalidTable(f"{place} has no data", _REMEDY)
            split = data.get("split")
            role = role_of_split(split if isinstance(split, str) else None, mapping, place)
            content = hash_of({"hash": str(data.get("hash") or "")})
            for kind, label in _answers(task, place, mapping):
                column = mapping.path_column or IMAGE
                path = _path(text_in(data, column, f"the data of {place}", _NAMES), mapping.root)
                yield LabelRow(number, path, content, kind, label, role, place)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The records of all tasks. Raises InvalidTable, OSError."""
        tasks = list(_tasks(source))
        found = [
            record
            for number, task in enumerate(tasks, 1)
            for record in _records(task, f"task {number}")
        ]
        if tasks and not found:
            raise no_history(f"no task has records in meta.{META}")
        return in_order(found)


_NAMES = "Name the field with the picture: --path-column NAME."


def _task(rows: list[tuple[int, Mapping[str, Any]]], file: Path) -> dict[str, Any]:
    number, first = rows[0]
    counting = [(order, row) for order, row in rows if row["counts"]]
    suggested = {
        (row["suggestion"], row["suggestion_probability"]): row
        for _, row in rows
        if row["suggestion"] is not None
    }
    return {
        "id": number,
        "data": {
            IMAGE: f"{_LOCAL}?d={quote(file.resolve().as_posix().lstrip('/'))}",
            "path": first["image"],
            "hash": first["hash"],
            "split": SPLIT_OF[first["role"]],
        },
        "annotations": [_annotation(order, row) for order, row in counting],
        "predictions": [_prediction(row) for row in suggested.values()],
        "meta": {META: [{**row, ORDER: order} for order, row in rows]},
    }


def _without_picture(rows: list[tuple[int, Mapping[str, Any]]]) -> dict[str, Any]:
    """A task without picture and answer, so that nobody sees another picture under the old label."""
    task = _task(rows, Path("/"))
    return {**task, "data": {**task["data"], IMAGE: ""}, "annotations": [], "predictions": []}


def _annotation(order: int, row: Mapping[str, Any]) -> dict[str, Any]:
    duration = row["duration_ms"]
    return {
        "id": order,
        "result": [_result(row["label"])] if row["kind"] == AnswerKind.CLASS else [],
        "was_cancelled": row["kind"] != AnswerKind.CLASS,
        "ground_truth": False,
        "created_at": row["recorded_at"],
        "lead_time": None if duration is None else duration / 1000,
    }


def _prediction(row: Mapping[str, Any]) -> dict[str, Any]:
    learner = row["learner"]
    return {
        "model_version": "zero-shot" if learner is None else f"learner {learner}",
        "score": row["suggestion_probability"],
        "result": [_result(row["suggestion"])],
    }


def _result(label: str) -> dict[str, Any]:
    return {
        "from_name": CONTROL,
        "to_name": IMAGE,
        "type": "choices",
        "value": {"choices": [label]},
    }


def _configuration(class_names: tuple[str, ...]) -> bytes:
    """The labelling configuration of Label Studio, in UTF-8."""
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Image", name=IMAGE, value=f"${IMAGE}")
    choices = ElementTree.SubElement(view, "Choices", name=CONTROL, toName=IMAGE, choice="single")
    for name in class_names:
        ElementTree.SubElement(choices, "Choice", value=name)
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8") + b"\n"


def _tasks(source: Path) -> Iterator[Mapping[str, Any]]:
    return objects(read_document(source, _WHAT), "the list of tasks", _REMEDY)


def _records(task: Mapping[str, Any], place: str) -> Iterator[Ordered]:
    meta = task.get("meta")
    found = meta.get(META, []) if isinstance(meta, Mapping) else []
    for number, each in enumerate(objects(found, f"meta.{META} of {place}", _REMEDY), 1):
        yield from_fields(each, f"record {number} of {place}")


def _answers(
    task: Mapping[str, Any], place: str, mapping: ColumnMapping
) -> Iterator[tuple[AnswerKind, str]]:
    """The answers of a task, each once."""
    answers: dict[tuple[AnswerKind, str], None] = {}
    for each in objects(task.get("annotations", []), f"annotations of {place}", _REMEDY):
        if each.get("was_cancelled"):
            answers[_skipped(task, place), ""] = None
            continue
        results = [
            result
            for result in objects(each.get("result", []), f"result of {place}", _REMEDY)
            if result.get("type") == "choices"
            and mapping.label_column in (None, result.get("from_name"))
        ]
        if len({str(result.get("from_name")) for result in results}) > 1:
            names = ", ".join(sorted({str(result.get("from_name")) for result in results}))
            raise InvalidTable(
                f"{place} answers several questions: {names[:200]}",
                "Name the one that asks for the class: --label-column NAME.",
            )
        for result in results:
            value = result.get("value")
            chosen = value.get("choices") if isinstance(value, Mapping) else None
            if not isinstance(chosen, list) or len(chosen) != 1 or not isinstance(chosen[0], str):
                raise InvalidTable(f"{place} has not one choice", "An image has one class here.")
            answers[AnswerKind.CLASS, chosen[0]] = None
    yield from answers


def _skipped(task: Mapping[str, Any], place: str) -> AnswerKind:
    """What a cancelled annotation says. Label Studio itself knows skips alone."""
    kinds = [record["kind"] for _, record in _records(task, place) if record["counts"]]
    told = AnswerKind.CANNOT_TELL in kinds and AnswerKind.SKIP not in kinds
    return AnswerKind.CANNOT_TELL if told else AnswerKind.SKIP


def _path(url: str, root: Path | None) -> str:
    """The path of a picture: of a local file, of an upload without the digits before its name, of a URL."""
    parts = urlsplit(url)
    if parts.path.endswith(_LOCAL):
        local = parse_qs(parts.query).get("d", [""])[0]
        return str(root / local) if root is not None else local
    path = unquote(parts.path) if parts.scheme or url.startswith("/data/") else url
    path = _UPLOADED.sub("", path, count=1)
    return str(root / path.lstrip("/")) if root is not None else path
