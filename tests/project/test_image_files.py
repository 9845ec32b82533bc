"""Files that changed or went missing are never asked about, and every report says so."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from alworkbench import api
from alworkbench.cli.main import app
from alworkbench.core.domain import Role
from alworkbench.core.errors import (
    ImagesRefused,
    NoImages,
    NothingToAsk,
    PoolExhausted,
    PosteriorMissing,
)
from alworkbench.project.askable import choose_askable
from alworkbench.project.checkup import check_up
from alworkbench.project.image_columns import HASH, ImageColumns
from alworkbench.project.image_files import Fault, count_faults, file_faults, in_words
from alworkbench.project.session import Session
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store
from tests.making_project import AUDIT, POOL, Project, answering, make_project, picture


@pytest.fixture
def files(tmp_path: Path, made: tuple) -> tuple[Path, Project]:
    """A copy of the pictures that may be changed, and a project of them."""
    pictures, features, truth = made
    place = tmp_path / "pictures"
    shutil.copytree(pictures, place)
    return place / "pool", make_project(tmp_path / "project", (place, features, truth))


def run(project: Project, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, [*arguments, "--project", str(project.folder)])
    return done.exit_code, done.output


def spoil(pool: Path) -> set[str]:
    """One file is gone, one is another picture, one is another picture of the same size and age."""
    (pool / "000.png").unlink()
    picture(pool / "001.png", 999)
    victim = pool / "002.png"
    before = victim.stat()
    data = bytearray(victim.read_bytes())
    data[-20] ^= 1
    victim.write_bytes(data)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    return {"000.png", "001.png", "002.png"}


def names(workbench: Workbench, **options) -> dict[str, Fault]:
    return {Path(each.path).name: each.fault for each in file_faults(workbench.session, **options)}


def test_the_cheap_check_finds_what_the_full_one_finds(files: tuple[Path, Project]):
    pool, project = files
    workbench = project.open()
    assert names(workbench) == names(workbench, full=True) == {}
    spoil(pool)
    expected = {
        "000.png": Fault.MISSING,
        "001.png": Fault.CHANGED,
        "002.png": Fault.CHANGED,
    }
    assert names(workbench) == names(workbench, full=True) == expected
    found = file_faults(workbench.session)
    assert count_faults(found) == {Fault.MISSING: 1, Fault.CHANGED: 2}
    assert in_words(found).startswith("1 missing and 2 changed (")
    some = {each.hash for each in found[:2]}
    assert {each.hash for each in file_faults(workbench.session, some)} == some


def test_a_copied_file_is_the_same_image_and_its_time_is_recorded(files: tuple[Path, Project]):
    pool, project = files
    workbench = project.open()
    os.utime(pool / "003.png", ns=(1, 1))

    def recorded() -> int | None:
        with workbench.session.store.read() as reader:
            return next(f.modified_ns for f in reader.images.files() if f.path.endswith("003.png"))

    before = recorded()
    assert names(workbench) == {}
    assert recorded() == before  # a check alone writes nothing
    assert check_up(workbench.session).healthy
    assert recorded() == 1
    os.utime(pool / "003.png", ns=(2, 2))
    workbench.images.add(pool)
    assert recorded() == 2


def test_an_image_with_another_intact_copy_has_no_fault(files: tuple[Path, Project]):
    pool, project = files
    copies = pool.parent / "copies"
    copies.mkdir()
    for name in ("000.png", "001.png", "002.png"):
        shutil.copy(pool / name, copies)
    workbench = project.open()
    workbench.images.add(copies)
    spoil(pool)
    assert names(workbench) == {}
    workbench.images.add(
        pool
    )  # a place that holds another picture now is no place of the old image
    with workbench.session.store.read() as reader:
        places = dict(reader.images.hashes_and_paths(Role.POOL))
        images = {content: reader.images.by_hash(content) for content in places}
    for content, path in places.items():
        last_holder = [
            c for c, image in images.items() if image is not None and path in image.paths
        ]
        assert Path(path).exists()
        assert content in last_holder


@pytest.mark.parametrize("strategy", ["random", "margin"])
def test_lost_files_are_never_asked_and_a_replay_leaves_out_the_same(
    files: tuple[Path, Project], strategy: str
):
    pool, project = files
    lost = spoil(pool)
    workbench = project.open()
    opened = workbench.rounds.propose(strategy, POOL)
    asked = {
        Path(workbench.images.get(item.image_id).paths[0]).name
        for item in workbench.rounds.items(opened.id)
    }
    assert asked.isdisjoint(lost)
    assert len(asked) == POOL - len(lost)
    assert len(opened.settings["left_out"]) == len(lost)
    answering(project)(workbench, 5)
    workbench.rounds.close()
    assert replay(workbench, memory_store).identical


def test_lost_files_are_not_drawn_into_the_audit_set(files: tuple[Path, Project]):
    pool, project = files
    lost = spoil(pool)
    workbench = project.open()
    drawn = workbench.rounds.items(workbench.audit.draw(POOL).id)
    asked = {Path(workbench.images.get(item.image_id).paths[0]).name for item in drawn}
    assert asked.isdisjoint(lost)
    assert len(asked) == POOL - len(lost)


def test_where_every_file_is_gone_the_message_names_the_cause(files: tuple[Path, Project]):
    pool, project = files
    workbench = project.open()
    pool.rename(pool.parent / "unmounted")
    for ask in (workbench.rounds.propose, lambda: workbench.audit.draw(3)):
        with pytest.raises(NothingToAsk, match=f"{POOL} missing .*No such file"):
            ask()
    code, said = run(project, "status")
    assert code == 0
    assert "missing files" in said
    assert f"Bring back the files of {POOL} images" in said
    (pool.parent / "unmounted").rename(pool)
    workbench.rounds.propose("random", POOL)
    answering(project)(workbench, POOL)
    workbench.rounds.close()
    with pytest.raises(PoolExhausted):
        workbench.rounds.propose()


@pytest.mark.parametrize("cause", ["files", "answers", "posterior"])
def test_a_missing_posterior_is_only_named_where_there_is_something_to_ask(
    files: tuple[Path, Project], monkeypatch: pytest.MonkeyPatch, cause: str
):
    pool, project = files
    workbench = project.open()
    if cause == "answers":
        workbench.rounds.propose("random", POOL)
        answering(project)(workbench, POOL)
        workbench.rounds.close()
    elif cause == "files":
        pool.rename(pool.parent / "unmounted")
    monkeypatch.setattr(Session, "posterior_record", lambda *_: None)
    named = {"files": NothingToAsk, "answers": PoolExhausted, "posterior": PosteriorMissing}
    for ask in (workbench.rounds.propose, lambda: workbench.audit.draw(3)):
        with pytest.raises(named[cause]):
            ask()


def test_a_project_and_a_pool_without_images_say_so(tmp_path: Path, made: tuple):
    classes = ["-c", "ant", "-c", "bee"]
    folder = str(tmp_path / "fresh")
    assert CliRunner().invoke(app, ["init", folder, *classes]).exit_code == 0
    with api.open_project(folder) as fresh:
        for ask in (fresh.rounds.propose, fresh.rounds.estimate, lambda: fresh.audit.draw(3)):
            with pytest.raises(NoImages, match=r"The project has no images\. Import them"):
                ask()
    none = ImageColumns(np.zeros(0, np.int64), np.zeros(0, HASH))
    with pytest.raises(NoImages, match="The pool has no images"):
        choose_askable(fresh.session, none, [], none.ids, lambda images: (None, images.tolist()))


def test_status_import_doctor_and_export_say_what_changed(
    files: tuple[Path, Project], tmp_path: Path
):
    pool, project = files
    assert run(project, "doctor")[0] == 0
    workbench = project.open()
    workbench.rounds.propose("random", POOL)
    answering(project)(workbench, POOL)
    workbench.close()
    spoil(pool)
    said = json.loads(run(project, "status", "--json")[1])
    assert said["file_faults"] == {"missing": 1, "changed": 2}
    code, said = run(project, "doctor")
    assert code == 4
    assert "1 missing and 2 changed" in said
    assert "changed: " in said
    code, said = run(project, "export", str(tmp_path / "labels.csv"))
    assert code == 0
    assert "1 missing and 2 changed" in said
    code, said = run(project, "import", str(pool))
    assert code == 0
    assert "2 files changed since" in said or "1 file changed since" in said
    assert "1 file of earlier imports" in said or "1 files of earlier imports" in said


def test_an_encoding_that_refuses_most_images_fails_and_says_why(tmp_path: Path):
    place = tmp_path / "share"
    for k in range(6):
        picture(place / f"{k}.png", k)
    folder = tmp_path / "birds"
    project = Project(folder, place, {})
    assert CliRunner().invoke(app, ["init", str(folder), "-c", "a", "-c", "b"]).exit_code == 0
    assert run(project, "import", str(place))[0] == 0
    place.rename(tmp_path / "unmounted")
    with pytest.raises(ImagesRefused, match=r"6 of 6 images .*6 x io: No such") as why:
        project.open().features.encode(workers=0)
    named = {(Path(path).name, code) for path, code, _ in why.value.files}
    assert named == {(f"{k}.png", "io") for k in range(6)}
    state = project.open().status(check_files=True)
    assert (state.encoded, state.quarantined) == (0, 6)
    assert list(state.refused.values()) == [6]
    (tmp_path / "unmounted").rename(place)
    (place / "0.png").write_bytes(b"no picture")
    summary = project.open().features.encode(workers=0)
    assert (summary.encoded, summary.known, summary.quarantined) == (5, 0, 1)
    assert list(summary.reasons.values()) == [1]
    again = project.open().features.encode(workers=0)
    assert (again.encoded, again.known, again.quarantined) == (0, 5, 1)
    assert "propose" in project.open().status().next_step  # the broken file is no step of the user


def test_an_import_of_files_that_cannot_be_read_fails_and_keeps_the_others(
    project: Project, tmp_path: Path
):
    place = tmp_path / "broken"
    picture(place / "good.png", 500)
    for k in range(3):
        (place / f"{k}.jpg").write_bytes(b"junk")
    with pytest.raises(ImagesRefused, match=r"3 of 4 files .*3 x unidentified"):
        project.open().images.add(place)
    assert project.open().status().pool_images == POOL + 1
    assert project.open().status().audit_images == AUDIT
