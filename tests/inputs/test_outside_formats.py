"""Formats of other programs: what is written is read back, record for record, and edits of a person count."""

from __future__ import annotations

from pathlib import Path

import pytest

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.core.errors import InvalidLabelFile
from alworkbench.inputs.label_formats.mapping import OUR_OWN
from alworkbench.inputs.label_formats.protocol import LabelFormat
from alworkbench.inputs.label_formats.registry import FORMATS, format_of
from alworkbench.inputs.label_formats.sidecar import NAME
from tests.inputs.exchanged import campaign, exported, picture, record

OUTSIDE = [each for each in FORMATS if each.name not in ("csv", "jsonl", "parquet")]
FOLDERS = [each for each in OUTSIDE if each.holds_images]
TREES = [each for each in OUTSIDE if each.name in ("class-folders", "yolo")]


def target(tmp_path: Path, form: LabelFormat) -> Path:
    return tmp_path / f"out{''.join(form.suffixes)}"


def named(form: LabelFormat) -> str:
    return form.name


@pytest.mark.parametrize("form", OUTSIDE, ids=named)
def test_the_history_comes_back_record_for_record(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    out = target(tmp_path, form)
    written = form.write(out, exported(rows, files))
    assert (written.rows, written.without_picture) == (len(rows), ())
    assert written.pictures == (len(files) if form.holds_images else 0)
    assert format_of(out) is form
    assert list(form.read_history(out)) == rows


@pytest.mark.parametrize("form", OUTSIDE, ids=named)
def test_labels_come_back_by_content_with_role_and_kind(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    out = target(tmp_path, form)
    form.write(out, exported(rows, files))
    said = {(r["hash"], AnswerKind(r["kind"]), r["label"] or "") for r in rows if r["counts"]}
    several = {files_of["hash"] for files_of in rows if files_of["image"] == "pool/é.jpg"}
    if form.name != "label-studio":  # one label for each picture: the most common class
        said = {each for each in said if each[0] not in several or each[2] == "heron"}
    found = list(form.read(out, OUR_OWN))
    assert {(row.hash, row.kind, row.label) for row in found} == said
    assert len(found) == len(said)
    roles = {r["hash"]: Role(r["role"]) for r in rows}
    told = [row for row in found if row.role is not None]
    assert all(row.role is roles[row.hash] for row in told)
    assert {row.hash for row in found if row.kind is AnswerKind.CLASS} <= {r.hash for r in told}


@pytest.mark.parametrize("form", OUTSIDE, ids=named)
def test_a_picture_that_is_not_the_labelled_one_is_left_out(
    tmp_path: Path, form: LabelFormat
) -> None:
    rows, files = campaign(tmp_path / "photos")
    gone, changed = rows[0]["hash"], rows[4]["hash"]
    picture(files[changed], 999)
    lost = {gone, changed}
    out = target(tmp_path, form)
    # A look at the file finds the one that is gone; bytes are compared while they are copied.
    unseen = {gone} if form.holds_images else lost
    written = form.write(out, exported(rows, {k: v for k, v in files.items() if k not in unseen}))
    assert set(written.without_picture) == {rows[0]["image"], rows[4]["image"]}
    assert lost.isdisjoint(row.hash for row in form.read(out, OUR_OWN))
    assert list(form.read_history(out)) == rows


@pytest.mark.parametrize("form", FOLDERS, ids=named)
def test_everything_stays_inside_of_the_target(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    before = set(tmp_path.rglob("*"))
    out = target(tmp_path, form)
    form.write(out, exported(rows, files))
    new = set(tmp_path.rglob("*")) - before
    assert all(path == out or out in path.parents for path in new)
    for folder in {path.parent for path in new if path != out}:
        names = [path.name.casefold() for path in folder.iterdir()]
        assert len(names) == len(set(names))
        assert not {"con", "nul.txt", "end."} & set(names)
        assert all(len(name.encode()) <= 255 and name[0] != "." for name in names)


@pytest.mark.parametrize("form", FOLDERS, ids=named)
def test_a_target_in_use_is_refused(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    for used in (tmp_path / "photos", tmp_path / "file"):
        if not used.exists():
            used.write_text("mine")
        with pytest.raises(InvalidLabelFile, match="Nothing was written"):
            form.write(used, exported(rows, files))
    assert (tmp_path / "file").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    assert form.write(tmp_path / "empty", exported(rows, files)).rows == len(rows)


@pytest.mark.parametrize("form", OUTSIDE, ids=named)
def test_an_export_that_fails_leaves_nothing(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")

    def fails(content: str) -> Path:
        if content == rows[9]["hash"]:
            raise RuntimeError("the disk went away")
        return files[content]

    out = target(tmp_path, form)
    with pytest.raises(RuntimeError):
        form.write(out, exported(rows, files, find=fails))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.parametrize("form", [f for f in FOLDERS if f.name != "webdataset"], ids=named)
def test_links_lead_to_the_pictures_and_read_the_same(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    for file in files.values():
        file.chmod(0o444)
    out = target(tmp_path, form)
    form.write(out, exported(rows, files, place="link"))
    links = [path for path in out.rglob("*") if path.is_symlink()]
    assert {link.resolve() for link in links} == {file.resolve() for file in files.values()}
    form.write(tmp_path / "copy", exported(rows, files))
    assert list(form.read(out, OUR_OWN)) == list(form.read(tmp_path / "copy", OUR_OWN))


@pytest.mark.parametrize("form", TREES, ids=named)
def test_the_folder_of_a_picture_says_its_class(tmp_path: Path, form: LabelFormat) -> None:
    rows, files = campaign(tmp_path / "photos")
    out = target(tmp_path, form)
    form.write(out, exported(rows, files))
    owl = next((out / "train" / "owl").iterdir())
    owl.rename(out / "train" / "heron" / owl.name)
    skipped = next(
        path for path in out.iterdir() if path.suffix == ".jpg" and path.name.startswith("png")
    )
    skipped.rename(out / "train" / "heron" / skipped.name)
    found = {row.hash: row for row in form.read(out, OUR_OWN)}
    assert found[rows[0]["hash"]].label == "heron"
    unsure = next(row for row in rows if row["kind"] == "skip")["hash"]
    assert (found[unsure].kind, found[unsure].label) == (AnswerKind.CLASS, "heron")
    assert list(form.read_history(out)) == rows


@pytest.mark.parametrize("form", OUTSIDE, ids=named)
def test_an_export_without_labels_is_read_as_such(tmp_path: Path, form: LabelFormat) -> None:
    out = target(tmp_path, form)
    assert form.write(out, exported([], {})).rows == 0
    assert list(form.read(out, OUR_OWN)) == []
    assert list(form.read_history(out)) == []


@pytest.mark.parametrize("form", FOLDERS, ids=named)
def test_labels_of_a_class_that_left_the_list_keep_it(tmp_path: Path, form: LabelFormat) -> None:
    content = picture(tmp_path / "a.png", 1)
    rows = [record(1, "a.png", content, "gone")]
    out = target(tmp_path, form)
    form.write(out, exported(rows, {content: tmp_path / "a.png"}, names=("owl", "heron")))
    assert [row.label for row in form.read(out, OUR_OWN)] == ["gone"]


def test_the_records_beside_a_tree_are_a_label_file(tmp_path: Path) -> None:
    rows, files = campaign(tmp_path / "photos")
    TREES[0].write(tmp_path / "out", exported(rows, files))
    beside = tmp_path / "out" / NAME
    assert list(format_of(beside).read_history(beside)) == rows
