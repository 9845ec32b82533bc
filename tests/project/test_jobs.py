"""Computations are recorded: one of a kind at a time, stopped by anybody, and never left behind by a kill."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import JobKind, JobState, NewJob, RoundState
from alworkbench.core.errors import JobCancelled, JobRuns, NoOpenRound, NotInProject
from alworkbench.core.process_marks import is_there, this_process
from alworkbench.project import jobs as jobs_module
from alworkbench.project.workbench import Workbench
from store.job_schema import JobRow
from tests.making_project import Project


@pytest.fixture
def answered(workbench: Workbench, answers: Callable) -> Workbench:
    """An open round whose images are all answered."""
    workbench.rounds.propose("random")
    answers(workbench, 5)
    return workbench


def states(workbench: Workbench) -> list[tuple[str, str]]:
    """Kind and state of every job, oldest first."""
    return [(each.kind.value, each.state.value) for each in reversed(workbench.jobs.newest())]


def test_each_step_of_the_loop_is_a_job_that_says_who_asked_for_it(answered: Workbench) -> None:
    answered.rounds.close()
    assert states(answered) == [("rank", "done"), ("learn", "done")]
    assert {each.asked_by for each in answered.jobs.newest()} == {"a script"}
    assert [each.title for each in answered.jobs.newest()] == ["close round 1", "rank the pool"]


def test_a_failed_job_keeps_the_reason(workbench: Workbench) -> None:
    with (
        pytest.raises(NoOpenRound),
        workbench.jobs.claim(JobKind.LEARN, lambda: "fail on purpose"),
    ):
        raise NoOpenRound
    (job,) = workbench.jobs.newest()
    assert (job.state, job.reason) == (JobState.FAILED, str(NoOpenRound()))


def test_a_second_job_of_a_kind_is_refused_and_told_who_runs_it_since_when(
    project: Project, answered: Workbench
) -> None:
    with (
        answered.jobs.claim(JobKind.LEARN, lambda: "learn for long"),
        project.open() as other,
    ):
        for second in (other.rounds.close, other.learners.learn):
            with pytest.raises(JobRuns, match=r"learn for long.* a script .* since 09:00:00 UTC"):
                second()
        assert other.rounds.current() is not None
    assert answered.rounds.close() is not None


def test_the_database_itself_refuses_a_second_live_job_of_a_kind(workbench: Workbench) -> None:
    new = NewJob(JobKind.RANK, "rank", "ada", this_process())
    now = workbench.session.now()
    with workbench.session.store.write() as writer:
        writer.jobs.add(new, now, running=True)
    table = JobRow.__table__
    with workbench.session.store.write() as writer:
        row = writer._connection.execute(table.select()).mappings().one()
        again = table.insert().values({**row, "id": 99})
        with pytest.raises(IntegrityError):
            writer._connection.execute(again)


@pytest.mark.parametrize("kind", list(JobKind))
def test_of_many_threads_that_claim_one_kind_one_works_at_a_time(
    workbench: Workbench, kind: JobKind
) -> None:
    at_work, most, refused = 0, 0, 0
    lock, start = threading.Lock(), threading.Barrier(4)

    def work() -> None:
        nonlocal at_work, most, refused
        start.wait()
        try:
            with workbench.jobs.claim(kind, lambda: "work"):
                with lock:
                    at_work += 1
                    most = max(most, at_work)
                with lock:
                    at_work -= 1
        except JobRuns:
            refused += 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert most == 1
    assert len(workbench.jobs.newest()) + refused == 4


def test_a_cancelled_job_stops_at_its_next_step_and_changes_nothing(
    project: Project, answered: Workbench
) -> None:
    steps: list[str] = []

    def cancel(step: str, _done: int, _total: int) -> None:
        steps.append(step)
        with project.open() as other, suppress(IndexError):
            other.jobs.cancel(other.jobs.live()[0].id)

    with pytest.raises(JobCancelled, match="close round 1"):
        answered.rounds.close(cancel)
    assert len(steps) == 1
    assert answered.jobs.newest()[0].state is JobState.CANCELLED
    current = answered.rounds.current()
    assert current is not None
    assert current.state is RoundState.OPEN
    assert not list(answered.session.folder.learners.glob("*"))
    assert answered.rounds.close() is not None


def test_a_job_of_a_killed_process_fails_with_a_reason_and_frees_its_kind(
    project: Project, answers: Callable
) -> None:
    with project.open() as workbench:
        workbench.rounds.propose("random")
        answers(workbench, 5)
    child = os.fork()
    if child == 0:
        try:
            with project.open() as killed, killed.jobs.claim(JobKind.LEARN, lambda: "learn"):
                os._exit(9)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    with project.open() as workbench:
        with workbench.session.store.read() as reader:
            (job,) = reader.jobs.live()
        assert job.state is JobState.RUNNING
        assert workbench.rounds.close() is not None
        lost = workbench.jobs.get(job.id)
        assert lost.state is JobState.FAILED
        assert f"process {child}" in lost.reason


def test_a_later_process_with_the_same_number_is_another_process() -> None:
    mine = this_process()
    assert is_there(mine)
    assert is_there(replace(mine, token="an earlier one")) is False
    assert is_there(replace(mine, host="elsewhere")) is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_is_set_by_an_hour_ends_no_job_of_this_machine(
    project: Project, workbench: Workbench, hours: int
) -> None:
    with workbench.jobs.claim(JobKind.LEARN, lambda: "learn"):
        project.clock.tick(hours=hours)
        assert [each.state for each in workbench.jobs.live()] == [JobState.RUNNING]
    assert workbench.jobs.newest()[0].state is JobState.DONE


def test_a_silent_job_of_another_machine_is_given_up(
    project: Project, workbench: Workbench
) -> None:
    elsewhere = replace(this_process(), host="elsewhere")
    new = NewJob(JobKind.LEARN, "learn", "ada", elsewhere)
    with workbench.session.store.write() as writer:
        job = writer.jobs.add(new, workbench.session.now(), running=True)
    assert [each.id for each in workbench.jobs.live()] == [job.id]
    project.clock.now += jobs_module.SILENCE + timedelta(seconds=1)
    assert workbench.jobs.live() == []
    assert workbench.jobs.get(job.id).state is JobState.FAILED


def test_a_heartbeat_learns_of_a_cancel_between_two_steps(
    workbench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module, "BEAT", 0.01)
    with suppress(JobCancelled), workbench.jobs.claim(JobKind.RANK, lambda: "rank") as told:
        workbench.jobs.cancel(workbench.jobs.live()[0].id)
        while not told.stopped:
            time.sleep(0.01)
        told("ranking", 0, 1)
        pytest.fail("it was not stopped")
    assert workbench.jobs.newest()[0].state is JobState.CANCELLED


def test_jobs_are_listed_and_cancelled_on_the_command_line(
    project: Project, workbench: Workbench
) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(app, ["jobs", *words, "--project", str(project.folder)])
        assert done.exit_code == 0, done.output
        return done.stdout

    assert "Nothing was computed yet" in run()
    with suppress(JobCancelled), workbench.jobs.claim(JobKind.LEARN, lambda: "learn") as told:
        (job,) = json.loads(run("--json"))
        assert (job["state"], job["process"]) == ("running", os.getpid())
        assert "stops at its next step" in run("cancel", str(job["id"]))
        assert "stopping" in run()
        told("learning", 1, 3)
    assert "cancelled by the command line" in run()
    assert "(learn) is cancelled" in run("cancel", str(job["id"]))
    workbench.rounds.propose("random")
    assert "has ended already: done" in run("cancel", str(job["id"] + 1))
    with pytest.raises(NotInProject):
        workbench.jobs.cancel(77)
