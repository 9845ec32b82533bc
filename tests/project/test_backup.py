"""A backup holds the whole project, is made while people label, and is restored whole or not at all."""

import json
import os
import shutil
import threading
from contextlib import closing
from pathlib import Path

import pytest

from alworkbench.api import restore
from alworkbench.core.domain import Answer, AnswerKind, ProjectFolder, Role
from alworkbench.core.errors import (
    BackupInsideProject,
    FolderNotEmpty,
    InvalidBackup,
    OutputUnwritable,
)
from alworkbench.project.backup_manifest import MANIFEST, read_manifest
from alworkbench.project.checkup import check_up
from alworkbench.project.workbench import Workbench
from store import open_store


def everything(workbench):
    """All that a project remembers."""
    with workbench.session.store.read() as reader:
        return (
            reader.settings(),
            reader.classes.current(),
            [reader.images.ids_and_hashes(role) for role in Role],
            reader.labels.all(),
            reader.labels.take_backs(),
            reader.rounds.all(),
            [reader.rounds.items(each.id) for each in reader.rounds.all()],
            reader.computed.learners(),
            reader.computed.metrics(),
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }


def two_rounds(workbench, answers):
    workbench.rounds.propose("random", 4)
    answers(workbench, 4)
    workbench.rounds.close()
    workbench.rounds.propose("random", 3)
    answers(workbench, 2)
    workbench.labels.undo("ada", "undo-1")


@pytest.fixture
def labelled(lived):
    """A workbench with a closed round, a label taken back, and an open round."""
    return lived(two_rounds)


@pytest.fixture
def kept(labelled, tmp_path):
    labelled.backup(tmp_path / "kept")
    return tmp_path / "kept"


def reopened(folder: Path, of: Workbench) -> Workbench:
    """The project in this folder, on the day of another."""
    return Workbench(ProjectFolder(folder), open_store(folder), clock=of.session.now)


def test_a_restored_project_is_the_project(labelled, kept, tmp_path):
    summary = restore(kept, tmp_path / "again")
    assert (summary.images, summary.labels, summary.pictures_left_out) == (64, 30, 64)
    with reopened(tmp_path / "again", labelled) as again:
        assert everything(again) == everything(labelled)
        assert check_up(again.session).healthy  # the pictures are where they were
        again.rounds.close()
    for folder in ("features", "posteriors", "learners"):
        before = contents(labelled.session.folder.path / folder)
        assert before == contents(kept / folder)


def test_with_images_a_project_is_restored_where_its_pictures_are_gone(labelled, tmp_path):
    with labelled.session.store.read() as reader:
        places = [Path(file.path) for file in reader.images.files()]
    made = labelled.backup(tmp_path / "kept", with_images=True)
    assert made.pictures_left_out == 0
    kept_pictures = {p.stem for p in (tmp_path / "kept" / "images").rglob("*.png")}
    assert len(kept_pictures) == len(places)
    elsewhere = places[0].parent.rename(places[0].parent.with_name("elsewhere"))
    try:
        restore(tmp_path / "kept", tmp_path / "again")
        with reopened(tmp_path / "again", labelled) as again:
            assert everything(again) == everything(labelled)
            assert check_up(again.session).healthy
            # Its own backup holds the same pictures, once.
            again.backup(tmp_path / "second", with_images=True)
        second = {p.stem for p in (tmp_path / "second" / "images").rglob("*.png")}
        assert second == kept_pictures
    finally:
        elsewhere.rename(places[0].parent)


def test_a_picture_that_was_changed_is_counted_and_not_kept(labelled, tmp_path):
    with labelled.session.store.read() as reader:
        place = Path(reader.images.files()[0].path)
    before, time = place.read_bytes(), place.stat().st_mtime_ns
    try:
        place.write_bytes(before[:-1] + b"x")
        made = labelled.backup(tmp_path / "kept", with_images=True)
    finally:  # all tests share it
        place.write_bytes(before)
        os.utime(place, ns=(time, time))
    assert made.pictures_left_out == 1
    restore(tmp_path / "kept", tmp_path / "again")


def test_a_backup_made_while_people_label_holds_a_prefix_of_their_answers(workbench, tmp_path):
    stop, told = threading.Event(), []
    with workbench.session.store.read() as reader:
        first = reader.labels.count()  # those of the audit set, which came with their pictures

    def label():
        for number in range(100_000):
            if stop.is_set():
                return
            answer = Answer(f"e{number}", 1 + number % 40, AnswerKind.CLASS, "ada", class_id=1)
            workbench.labels.record(answer)
            told.append(answer.event_id)

    person = threading.Thread(target=label)
    person.start()
    try:
        counts = []
        for n in range(4):
            while len(told) < 10 * (n + 1):
                pass
            before = len(told)
            counts.append(workbench.backup(tmp_path / f"kept{n}").labels - first)
            assert before <= counts[-1] <= len(told) + 1
    finally:
        stop.set()
        person.join(60)
    for n, count in enumerate(counts):
        restore(tmp_path / f"kept{n}", tmp_path / f"again{n}")
        with closing(open_store(tmp_path / f"again{n}")) as store, store.read() as reader:
            assert [label.event_id for label in reader.labels.all()][first:] == told[:count]


def test_a_backup_with_any_damaged_file_is_refused_and_nothing_is_written(kept, tmp_path):
    names = list(read_manifest(kept).files)
    assert {name.partition("/")[0] for name in names} == {
        "project.db",
        "features",
        "posteriors",
        "learners",
    }
    for name in names:
        path = kept / name
        before = path.read_bytes()
        for damage in (before[:-1], before[:-1] + bytes([before[-1] ^ 1]), None):
            path.unlink() if damage is None else path.write_bytes(damage)
            with pytest.raises(InvalidBackup, match="Nothing was written"):
                restore(kept, tmp_path / "again")
            path.write_bytes(before)
        other = path.rename(path.with_name("other"))
        path.symlink_to(other)
        with pytest.raises(InvalidBackup, match="is a link"):
            restore(kept, tmp_path / "again")
        other.replace(path)
    assert not list(tmp_path.glob("*again*"))
    restore(kept, tmp_path / "again")


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m | {"files": m["files"] | {"../out": m["files"]["project.db"]}},
        lambda m: m | {"files": m["files"] | {"/etc/passwd": m["files"]["project.db"]}},
        lambda m: m | {"files": m["files"] | {"a/../../b": m["files"]["project.db"]}},
        lambda m: m | {"files": m["files"] | {"C:\\a": m["files"]["project.db"]}},
        lambda m: m | {"files": {}},
        lambda m: m | {"version": 2},
        lambda m: m | {"labels": 5},
        lambda m: m | {"more": 1},
        lambda m: [],
    ],
)
def test_a_manifest_that_says_something_else_is_refused(kept, tmp_path, change):
    manifest = json.loads((kept / MANIFEST).read_text())
    (kept / MANIFEST).write_text(json.dumps(change(manifest)))
    with pytest.raises(InvalidBackup, match="cannot be restored"):
        restore(kept, tmp_path / "again")
    assert not list(tmp_path.glob("*again*"))


def test_a_folder_without_a_manifest_is_no_backup(kept, tmp_path):
    (kept / MANIFEST).unlink()
    with pytest.raises(InvalidBackup, match=r"backup\.json cannot be read"):
        restore(kept, tmp_path / "again")


def test_what_is_there_already_is_never_written_over(labelled, kept, tmp_path):
    before = contents(kept)
    with pytest.raises(FolderNotEmpty):
        labelled.backup(kept)
    with pytest.raises(FolderNotEmpty):
        restore(kept, labelled.session.folder.path)
    with pytest.raises(BackupInsideProject, match="outside of the project"):
        labelled.backup(labelled.session.folder.path / "kept")
    (tmp_path / "file").touch()
    with pytest.raises((FolderNotEmpty, OutputUnwritable)):
        labelled.backup(tmp_path / "file")
    assert contents(kept) == before


def test_what_is_not_finished_or_made_again_is_left_out(labelled, tmp_path):
    folder = labelled.session.folder.path
    shard = next((folder / "features").glob("*/*/DONE.json")).parent
    half = shard.with_name("00007")
    shutil.copytree(shard, half, ignore=shutil.ignore_patterns("DONE.json"))
    (folder / "learners" / ".one.123-4.part").touch()
    for name in ("thumbnails", "views", "logs"):
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "file").touch()
    labelled.backup(tmp_path / "kept")
    names = contents(tmp_path / "kept")
    assert {name for name in names if "/" not in name} == {"project.db", MANIFEST}
    assert not [name for name in names if "00007" in name or "part" in name or "file" in name]


def test_a_folder_on_another_disk_that_a_link_names_is_backed_up(labelled, tmp_path):
    learners = labelled.session.folder.learners
    before = contents(learners)
    learners.rename(tmp_path / "elsewhere")
    learners.symlink_to(tmp_path / "elsewhere")
    labelled.backup(tmp_path / "kept")
    assert contents(tmp_path / "kept" / "learners") == before
