"""Tables with other names of columns and splits: read as a person says, and previewed without storing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.core.errors import InvalidLabelFile, UnreadableSource
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.project.workbench import Workbench
from store import memory_store
from tests.making_project import picture
from tests.project.history_making import dump
from tests.store.making import NOW

SPLITS = {"train": Role.POOL, "val": Role.AUDIT, "test": Role.AUDIT}


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workbench]:
    """A project without an image, and a folder `data/img` with pictures 0 to 3."""
    for n in range(4):
        picture(tmp_path / "data" / "img" / f"{n}.png", n)
    classes = ClassList((LabelClass("cat"), LabelClass("dog")))
    with Workbench(
        ProjectFolder(tmp_path / "project"), memory_store(ProjectSettings("p"), classes, NOW)
    ) as found:
        yield found


def table(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "tables" / "all.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(["file,species,split", *rows]) + "\n")
    return path


def mapping(tmp_path: Path) -> ColumnMapping:
    return ColumnMapping("file", "species", SPLITS, tmp_path / "data" / "img")


def test_a_manifest_with_other_columns_is_imported_and_previewed(
    empty: Workbench, tmp_path: Path
) -> None:
    inside = tmp_path / "data" / "img" / "3.png"
    path = table(tmp_path, "0.png,cat,train", "1.png,dog,val", f"{inside},dog,test", "2.png,,")
    before = dump(empty.session.store)
    preview = empty.images.preview(path, pool_labels=True, mapping=mapping(tmp_path))
    assert dump(empty.session.store) == before
    assert preview.problems == ()
    done = empty.images.add(path, pool_labels=True, mapping=mapping(tmp_path))
    assert (done.new, done.labelled) == (4, 3)
    assert preview.would == done
    status = empty.status()
    assert (status.pool_images, status.audit_images) == (2, 2)
    again = empty.images.preview(path, pool_labels=True, mapping=mapping(tmp_path)).would
    assert (again.new, again.known, again.labelled) == (0, 4, 0)


def test_copies_and_changed_files_are_previewed_as_they_are_imported(
    empty: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "img"
    empty.images.add(folder)
    shutil.copy(folder / "0.png", folder / "copy.png")
    picture(folder / "1.png", 77)
    (folder / "broken.png").write_bytes(b"no picture")
    preview = empty.images.preview(folder).would
    done = empty.images.add(folder)
    counts = [(s.files, s.new, s.known, s.duplicates, s.changed) for s in (preview, done)]
    assert counts[0] == counts[1] == (6, 1, 3, 1, 1)
    assert preview.quarantined == done.quarantined


def test_a_preview_names_every_kind_of_fault_of_a_manifest(
    empty: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "img"
    empty.images.add(folder)
    shutil.copy(folder / "0.png", folder / "copy.png")
    path = table(
        tmp_path, "0.png,cat,train", "copy.png,dog,train", "1.png,owl,train", "2.png,cat,val"
    )
    preview = empty.images.preview(path, pool_labels=True, mapping=mapping(tmp_path))
    assert {each.what: each.named for each in preview.problems} == {
        "unknown classes": ("owl (1.png)",),
        "images with different labels": ("'cat' (0.png), 'dog' (copy.png)",),
        "images with another role in the project": ("2.png (audit, here pool)",),
    }


def test_a_split_without_a_meaning_and_a_path_out_of_the_root_are_refused(
    empty: Workbench, tmp_path: Path
) -> None:
    for row, said in [
        ("0.png,cat,dev", "line 2: the split 'dev' has no meaning"),
        ("../0.png,cat,train", "line 2: the path '../0.png' leaves"),
        (f"{tmp_path}/0.png,cat,train", "line 2: the path .* leaves"),
    ]:
        with pytest.raises(UnreadableSource, match=said):
            empty.images.add(table(tmp_path, row), mapping=mapping(tmp_path))
    with pytest.raises(UnreadableSource, match="is no CSV manifest"):
        empty.images.add(tmp_path / "data" / "img", mapping=ColumnMapping("file"))


def test_labels_of_other_columns_below_a_root_are_recorded(
    empty: Workbench, tmp_path: Path
) -> None:
    empty.images.add(tmp_path / "data" / "img")
    path = table(tmp_path, "0.png,cat,train", "1.png,dog,", "2.png,,train")
    assert empty.labels.import_file(path, "ada", mapping=mapping(tmp_path)).recorded == 2
    for row, said in [("0.png,cat,dev", "the split 'dev' has no meaning"), ("x.png,cat,", "x.png")]:
        with pytest.raises(InvalidLabelFile, match=said):
            empty.labels.import_file(table(tmp_path, row), "ada", mapping=mapping(tmp_path))
    with pytest.raises(InvalidLabelFile, match=r"it has no column .*image"):
        empty.labels.import_file(path, "ada")
    elsewhere = ColumnMapping("file", "species", {}, tmp_path / "tables")
    with pytest.raises(InvalidLabelFile, match=r"0\.png"):
        empty.labels.import_file(table(tmp_path, "0.png,cat,"), "ada", mapping=elsewhere)


def test_a_preview_names_every_kind_of_fault_of_a_label_file(
    empty: Workbench, tmp_path: Path
) -> None:
    empty.images.add(tmp_path / "data" / "img")
    unknown = [f"x{n}.png,cat,train" for n in range(12)]
    path = table(
        tmp_path, "0.png,cat,train", "0.png,dog,train", "1.png,owl,", "2.png,cat,val", *unknown
    )
    before = dump(empty.session.store)
    preview = empty.labels.preview(path, "ada", mapping=mapping(tmp_path))
    assert dump(empty.session.store) == before
    assert preview.rows == 16
    assert {each.what: (each.count, len(each.named)) for each in preview.problems} == {
        "unknown images": (12, 10),
        "unknown classes": (1, 1),
        "images with different labels": (1, 1),
        "images with another role in the project": (1, 1),
    }


def test_a_path_that_holds_another_picture_is_named_when_labels_are_read(
    empty: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "data" / "img"
    empty.images.add(folder)
    written = tmp_path / "labels.csv"
    rows = [f"{folder}/{n}.png,cat" for n in range(3)]
    written.write_text("\n".join(["image,label", *rows]) + "\n")
    empty.labels.import_file(written, "ada")
    out = tmp_path / "out.csv"
    empty.labels.export(out, history=True)
    picture(folder / "1.png", 88)
    assert empty.labels.import_file(out, "bob").other_pictures == (f"{folder}/1.png",)
    empty.images.add(folder)  # the project knows the other picture now
    assert empty.labels.import_history(out).other_pictures == (f"{folder}/1.png",)
