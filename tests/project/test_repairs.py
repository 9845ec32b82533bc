"""Doctor finds what stopped commands and damage left, and repairs it by name without touching a label."""

import json
import os
import shutil
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import JobKind, NewJob, ProcessMark
from alworkbench.project.checkup import check_up
from alworkbench.project.repairs import QUIET, find_repairs
from tests.project.test_backup import everything


def two_rounds(workbench, answers):
    workbench.rounds.propose("random", 4)
    answers(workbench, 4)
    workbench.rounds.close()
    workbench.rounds.propose("random", 3)


@pytest.fixture
def closed(lived):
    """A workbench with a closed and an open round."""
    return lived(two_rounds)


def age(path: Path, seconds: float = QUIET + 60) -> None:
    """Let everything at this path be written so long ago."""
    when = time.time() - seconds
    for each in (path, *path.rglob("*")):
        os.utime(each, (when, when))


def draft(folder: Path) -> Path:
    path = folder / "learners" / ".round-0001.safetensors.77-12.part"
    path.touch()
    return path


def draft_folder(folder: Path) -> Path:
    path = folder / ".exported.part"
    (path / "inner").mkdir(parents=True)
    (path / "inner" / "file").touch()
    return path


def unfinished_shard(folder: Path) -> Path:
    whole = next((folder / "features").glob("*/*/DONE.json")).parent
    path = whole.with_name("00077")
    shutil.copytree(whole, path, ignore=shutil.ignore_patterns("DONE.json"))
    return path


def spare_learner(folder: Path) -> Path:
    path = folder / "learners" / "round-0001-aaaa.safetensors"
    shutil.copy(next((folder / "learners").glob("*.safetensors")), path)
    return path


def spare_posterior(folder: Path) -> Path:
    path = folder / "posteriors" / "another.safetensors"
    shutil.copy(next((folder / "posteriors").glob("*.safetensors")), path)
    return path


LEFT = {
    draft: "drafts",
    draft_folder: "drafts",
    unfinished_shard: "drafts",
    spare_learner: "spare-files",
    spare_posterior: "spare-files",
}


def test_a_sound_project_needs_no_repair(closed):
    assert find_repairs(closed.session) == []
    assert check_up(closed.session).healthy


@pytest.mark.parametrize("leave", LEFT, ids=lambda leave: leave.__name__)
def test_what_a_stopped_command_left_is_found_once_it_is_quiet(closed, leave):
    path = leave(closed.session.folder.path)
    assert find_repairs(closed.session) == []  # somebody may be writing it
    age(path)
    (repair,) = find_repairs(closed.session)
    assert repair.name == LEFT[leave]
    assert path.name in repair.found
    before = everything(closed)
    repair.apply()
    assert not path.exists()
    moved = [p for p in closed.session.folder.path.rglob(path.name) if "set-aside" in p.parts]
    assert len(moved) == (LEFT[leave] == "spare-files")  # a draft is deleted
    assert everything(closed) == before
    assert check_up(closed.session).healthy


def test_a_damaged_shard_is_set_aside_and_named(closed):
    shard = next(closed.session.folder.features.glob("*/*/DONE.json")).parent
    data = bytearray((shard / "act.npy").read_bytes())
    data[-1] ^= 1
    (shard / "act.npy").write_bytes(data)
    found = check_up(closed.session)
    (repair,) = found.repairs
    assert repair.name == "damaged-features"
    repair.apply()
    (aside,) = closed.session.folder.path.glob(f"set-aside/*/features/*/{shard.name}")
    assert (aside / "act.npy").read_bytes() == data
    assert not shard.exists()
    remaining = check_up(closed.session)
    assert remaining.repairs == ()
    assert any("encode" in each.remedy for each in remaining.findings)


def test_leases_that_ended_long_ago_are_given_back(closed, project):
    closed.labels.claim("ann", 2)
    project.clock.tick(hours=5)
    assert find_repairs(closed.session) == []
    project.clock.tick(hours=24)
    (repair,) = find_repairs(closed.session)
    assert (repair.name, "held by ann" in repair.found) == ("leases", True)
    repair.apply()
    assert all(item.leases == () for item in closed.rounds.items(2))
    assert find_repairs(closed.session) == []


def test_a_job_whose_process_is_gone_is_found_and_recorded_as_failed(closed):
    gone = ProcessMark("another-machine", 77, "started long ago")
    with closed.session.store.write() as writer:
        now = closed.session.now() - timedelta(hours=1)
        job = writer.jobs.add(
            NewJob(JobKind.LEARN, "close round 2", "ann", gone), now, running=True
        )
    (repair,) = find_repairs(closed.session)
    assert (repair.name, "close round 2" in repair.found) == ("jobs", True)
    repair.apply()
    assert closed.jobs.get(job.id).state == "failed"
    assert find_repairs(closed.session) == []


def test_records_whose_files_are_gone_are_named(closed, answers):
    answers(closed, 3)
    closed.rounds.close()
    first, newest = sorted(closed.session.folder.learners.glob("*.safetensors"))
    first.unlink()
    newest.unlink()
    problems = [each.problem for each in check_up(closed.session).findings]
    assert any(problem.endswith(f"{newest.name} is missing") for problem in problems)
    assert any(f"such as learners/{first.name}" in problem for problem in problems)


def run(project, *words, answer=None):
    return CliRunner().invoke(
        app, ["doctor", "--project", str(project.folder), *words], input=answer
    )


def test_doctor_asks_before_each_repair_and_copies_the_database_first(closed, project):
    folder = project.folder
    for leave in (draft, spare_learner):
        age(leave(folder))
    before = everything(closed)
    closed.close()
    told = run(project)
    assert told.exit_code == 4
    assert "drafts" in told.output
    assert "doctor --repair" in told.output

    refused = run(project, "--repair", answer="n\nn\n")
    assert refused.exit_code == 4
    assert not list(folder.glob("project.db.before-repair-*"))
    assert draft(folder).exists()
    age(draft(folder))

    mended = run(project, "--repair", answer="n\ny\n")
    assert mended.exit_code == 4  # the drafts stayed
    assert "Done: spare-files." in mended.output
    (copy,) = folder.glob("project.db.before-repair-*")
    shutil.copytree(folder, folder.with_name("copied"))
    shutil.copy(copy, folder.with_name("copied") / "project.db")
    assert run(project, "--repair", "--json").exit_code == 2  # it cannot ask
    told = run(project, "--repair", "--yes", "--json")
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["repaired"] == ["drafts"]
    assert run(project).exit_code == 0
    for place in (folder, folder.with_name("copied")):
        project.folder = place
        with closing(project.open()) as again:
            assert everything(again) == before
