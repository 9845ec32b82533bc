"""Every file that a project computes with is checked to the last bit."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.features.shard import DONE, finished_shards, read_shard, verify_shard
from alworkbench.project.checkup import check_up
from alworkbench.project.integrity import verify
from alworkbench.project.workbench import Workbench
from store import open_store
from tests.making_project import Project, answering, closing

FLIPS = 5
"""Bits that are flipped in each file, one at a time."""


@pytest.fixture
def folder(project: Project) -> ProjectFolder:
    """A project with a learner."""
    with closing(project.open()) as workbench:
        workbench.rounds.propose(batch_size=5)
        answering(project)(workbench, 5)
        workbench.rounds.close()
        return workbench.session.folder


def files_of(folder: ProjectFolder) -> list[Path]:
    """What is checked, file by file; a shard is named by its folder."""
    return sorted(
        path
        for room in (folder.features, folder.posteriors, folder.learners)
        for path in room.rglob("*")
        if path.suffix in (".npy", ".parquet", ".safetensors")
    )


def test_an_untouched_project_is_intact(folder: ProjectFolder) -> None:
    found = verify(folder)
    assert (found.damaged, found.unknown) == ({}, ())
    parts = {path if path.suffix == ".safetensors" else path.parent for path in files_of(folder)}
    assert set(found.intact) == {part.relative_to(folder.path).as_posix() for part in parts}
    assert len(found.intact) == 5  # a shard, head, prompts, posterior and learner


def test_no_flipped_bit_passes(folder: ProjectFolder) -> None:
    chance = random.Random(0)
    for path in files_of(folder):
        good = path.read_bytes()
        names = [part.relative_to(folder.path).as_posix() for part in (path, path.parent)]
        for _ in range(FLIPS):
            flipped = bytearray(good)
            flipped[chance.randrange(len(good))] ^= 1 << chance.randrange(8)
            path.write_bytes(flipped)
            found = verify(folder)
            assert len(found.damaged) + len(found.unknown) == 1
            assert set(found.damaged) | set(found.unknown) <= set(names)
        path.write_bytes(good)
    assert not verify(folder).damaged


def test_a_flipped_number_of_a_shard_is_found_by_reading_all_of_it(folder: ProjectFolder) -> None:
    shard = finished_shards(next(folder.features.iterdir()))[0]
    for name, cheap in (("act.npy", False), ("meta.parquet", True)):
        path = shard / name
        good = path.read_bytes()
        path.write_bytes(good[:-20] + bytes([good[-20] ^ 1]) + good[-19:])
        with pytest.raises(InvalidFeatureFile, match=f"{name} has changed.*alworkbench encode"):
            verify_shard(shard)
        if cheap:
            with pytest.raises(InvalidFeatureFile, match="meta"):
                read_shard(shard)
        else:
            read_shard(shard)
        path.write_bytes(good)
    assert verify_shard(shard)


def test_an_older_shard_is_read_and_reported_as_unknown(folder: ProjectFolder) -> None:
    shard = finished_shards(next(folder.features.iterdir()))[0]
    done = json.loads((shard / DONE).read_text())
    del done["sha256"]
    (shard / DONE).write_text(json.dumps(done))
    assert read_shard(shard).activations.rows
    found = verify(folder)
    assert found.unknown == (shard.relative_to(folder.path).as_posix(),)
    assert not found.damaged


def test_doctor_names_every_damaged_and_every_missing_file(folder: ProjectFolder) -> None:
    paths = [path for path in files_of(folder) if path.name != "prompts.safetensors"]
    with Workbench(folder, open_store(folder.path)) as workbench:
        before = {each.part for each in check_up(workbench.session).findings}
        for path in paths:
            good = path.read_bytes()
            path.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
            found = check_up(workbench.session).findings
            assert {each.part for each in found} - before
            path.unlink()
            found = check_up(workbench.session).findings
            assert {each.part for each in found} - before
            path.write_bytes(good)


def test_a_project_without_features_is_intact(tmp_path: Path) -> None:
    assert verify(ProjectFolder(tmp_path)).intact == ()
