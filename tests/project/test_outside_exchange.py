"""A project goes through each format with pictures and back: images, roles, and its whole history."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.inputs.label_formats.protocol import LabelFormat
from alworkbench.inputs.label_formats.registry import FORMATS
from alworkbench.project.workbench import Workbench
from store import memory_store
from tests.inputs.exchanged import picture
from tests.project.history_making import records
from tests.store.making import NOW

NAMES = ("owl", "a/b", "con", "Zaunkönig")
FOLDERS = [each for each in FORMATS if each.holds_images]


def empty(folder: Path, name: str) -> Workbench:
    classes = ClassList(tuple(LabelClass(each) for each in NAMES))
    return Workbench(ProjectFolder(folder), memory_store(ProjectSettings(name), classes, NOW))


def labelled(tmp_path: Path) -> Workbench:
    """Six images of the pool and two of the audit set; classes, a skip, a correction and a take-back."""
    for number in range(8):
        picture(tmp_path / ("audit" if number > 5 else "pool") / f"{number}.png", number)
    workbench = empty(tmp_path / "own", "own")
    workbench.images.add(tmp_path / "pool")
    workbench.images.add(tmp_path / "audit", role=Role.AUDIT)
    given = [
        *((image, AnswerKind.CLASS, 1 + image % len(NAMES), "ada") for image in (1, 2, 3, 4, 7, 8)),
        (5, AnswerKind.SKIP, None, "ada"),
        (6, AnswerKind.CANNOT_TELL, None, "bob"),
        (1, AnswerKind.CLASS, 4, "ada"),
        (1, AnswerKind.CLASS, 3, "bob"),
        (2, AnswerKind.CLASS, 3, "ada"),
    ]
    with workbench.session.store.write() as writer:
        for number, (image, kind, class_id, who) in enumerate(given):
            answer = Answer(
                f"e{number}", image, kind, who, class_id, duration_ms=number, source="x"
            )
            label = writer.labels.add(answer, NOW)
        writer.labels.retract(label.id, "back", "ada", NOW)
    return workbench


def without_path(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Pictures have other names in an export."""
    return [{**row, "image": None} for row in rows]


@pytest.mark.parametrize("form", FOLDERS, ids=lambda form: form.name)
def test_a_project_comes_back_from_the_folder_of_an_export(
    tmp_path: Path, form: LabelFormat
) -> None:
    out, again = tmp_path / "out", tmp_path / "again"
    with labelled(tmp_path) as own, empty(tmp_path / "new", "new") as new:
        own.labels.export(out, format=form.name, history=True)
        if form.name == "webdataset":  # an archive says nothing about roles
            for shard in sorted(out.glob("*.tar")):
                audit = shard.name.startswith("test")
                new.images.add(shard, role=Role.AUDIT if audit else Role.POOL)
        else:
            new.images.add(out)
        done = new.labels.import_history(out)
        assert (done.recorded, done.known, done.moved) == (len(records(own)), 0, 0)
        assert without_path(records(new)) == without_path(records(own))
        new.labels.export(again, format=form.name, history=True)
        assert new.labels.import_history(again).recorded == 0
        assert own.labels.import_history(again).recorded == 0


@pytest.mark.parametrize("name", ["class-folders", "yolo"])
def test_an_import_of_a_tree_takes_real_class_names(tmp_path: Path, name: str) -> None:
    with labelled(tmp_path) as own, empty(tmp_path / "new", "new") as new:
        own.labels.export(tmp_path / "out", format=name)
        done = new.images.add(tmp_path / "out", pool_labels=True)
        classes = {row["hash"]: row["label"] for row in records(own, history=False) if row["label"]}
        assert done.labelled == len(classes)
        found = {row["hash"]: (row["label"], row["role"]) for row in records(new)}
        assert {label for label, _ in found.values()} <= set(NAMES)
        assert {role for _, role in found.values()} == {"pool", "audit"}
