"""What a page starts is a recorded job: one of a kind, taken up after a crash, stopped with the server."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from alworkbench.core.domain import (
    LANE_OF,
    LANES,
    AheadLearner,
    Job,
    JobKind,
    JobState,
    NewJob,
    NewRound,
    Person,
    PersonRole,
    PreparedRound,
    ProcessMark,
)
from alworkbench.core.errors import FeaturesMissing
from alworkbench.core.process_marks import this_process
from alworkbench.core.progress import Progress
from alworkbench.core.worker_process import WorkerEnded
from tests.making_project import Project
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.test_pages import answer_all, draw, install, texts
from ui.job_worker import JobWorker
from ui.jobs import Jobs, JobView, brings, takes_out

CLOSE = (JobKind.LEARN, "close round 1", "ada", {"do": "close"})
SECONDS = 20.0


@pytest.fixture
def fake(tmp_path: Path) -> FakeWorkbench:
    """A project with an open round whose images are all answered."""
    workbench = FakeWorkbench(tmp_path)
    workbench.rounds.propose()
    answer_all(workbench)
    return workbench


@pytest.fixture
def jobs(fake: FakeWorkbench) -> Iterator[Jobs]:
    made = Jobs(fake)
    yield made
    made.stop(SECONDS)


def until(true: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_second_job_of_a_kind_is_not_started_while_the_first_runs(
    fake: FakeWorkbench, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_end = threading.Event()
    monkeypatch.setattr(fake.rounds, "close", lambda _progress, force: may_end.wait(SECONDS))
    assert jobs.start(*CLOSE)
    assert not jobs.start(*CLOSE)
    may_end.set()
    jobs.wait(SECONDS)
    view = jobs.latest()
    assert view is not None
    assert (view.title, view.running, view.error) == ("Close round 1", False, None)
    assert view.job.asked_by == "ada"
    assert jobs.start(*CLOSE)


def test_what_ended_last_is_the_news_and_a_later_import_mends_a_failure(
    fake: FakeWorkbench, jobs: Jobs
) -> None:
    def run(kind: JobKind, title: str, fails: str = "", inside: Callable = lambda: None) -> None:
        with suppress(ValueError), fake.jobs.claim(kind, lambda: title):
            inside()
            if fails:
                raise ValueError(fails)

    def error(view: JobView | None) -> str | None:
        return None if view is None else view.error

    run(JobKind.ENCODE, "encode", "no disk", lambda: run(JobKind.IMPORT, "look"))
    kinds = (JobKind.IMPORT, JobKind.ENCODE)
    assert error(jobs.newest(*kinds)) == "no disk"  # it was asked first, and ended last
    run(JobKind.IMPORT, "look")
    assert error(jobs.newest(*kinds)) is None
    run(JobKind.IMPORT, "export to x", "no place")
    assert error(jobs.newest(*kinds, which=brings)) is None
    assert error(jobs.newest(JobKind.IMPORT, which=takes_out)) == "no place"
    run(JobKind.RANK, "choose images", "no features")
    assert error(jobs.latest()) == "no features"
    run(JobKind.IMPORT, "export to y")
    run(JobKind.SCORE, "predict")
    run(JobKind.ENCODE, "encode", "cancelled")
    assert error(jobs.latest()) == "no features"
    run(JobKind.ENCODE, "encode")
    assert jobs.latest() is None


def test_a_shutdown_stops_the_computation_at_its_next_step(
    fake: FakeWorkbench, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = threading.Event()

    def count(progress: Progress, force: bool) -> None:
        for step in range(10_000):
            progress(f"step {step}", 0, 1)
            started.set()
            time.sleep(0.001)

    monkeypatch.setattr(fake.rounds, "close", count)
    jobs.start(*CLOSE)
    assert started.wait(SECONDS)
    jobs.stop(SECONDS)
    view = jobs.latest()
    assert view is not None
    assert view.error is not None
    assert "shut down" in view.error
    assert not jobs.start(*CLOSE)


def test_an_error_is_told_in_words_and_an_unexpected_one_without_its_details(
    fake: FakeWorkbench, jobs: Jobs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = []
    for error in (FeaturesMissing(5, 10), RuntimeError("secret")):

        def fail(*_: object, _error: Exception = error, **__: object) -> None:
            raise _error

        monkeypatch.setattr(fake.rounds, "close", fail)
        jobs.start(*CLOSE)
        jobs.wait(SECONDS)
        view = jobs.latest()
        assert view is not None
        assert view.error is not None
        told.append(view.error)
    assert "alworkbench encode" in told[0]
    assert "secret" not in told[1]
    (trace,) = (tmp_path / "logs").iterdir()
    assert str(trace) in told[1]
    assert "secret" in trace.read_text()


def test_a_job_whose_worker_was_killed_is_started_once_more_and_then_fails_with_the_reason(
    fake: FakeWorkbench,
) -> None:
    runs: list[int] = []
    gone = ProcessMark(this_process().host, 2**22 + 1, "gone")

    def killed(job: Job) -> None:
        with fake.jobs._store.write() as writer:
            assert writer.jobs.start(job.id, gone, fake.session.now())
        runs.append(job.id)
        raise WorkerEnded("was killed by signal 9 (Killed)")

    jobs = Jobs(fake, killed)
    jobs.start(*CLOSE)
    jobs.wait(SECONDS)
    (found,) = fake.jobs.newest()
    assert len(runs) == 2
    assert (found.state, found.attempts) == (JobState.FAILED, 2)
    assert "was killed by signal 9" in found.reason


def test_jobs_of_one_lane_take_turns_and_those_of_other_lanes_do_not_wait(
    fake: FakeWorkbench,
) -> None:
    long = {kinds[0]: threading.Event() for kinds in LANES}
    at_work: list[JobKind] = []
    ended: list[JobKind] = []

    def run(job: Job) -> None:
        assert not {each for each in at_work if LANE_OF[each] == LANE_OF[job.kind]}
        at_work.append(job.kind)
        with fake.jobs.work_on(job):
            long.get(job.kind, threading.Event()).wait(SECONDS if job.kind in long else 0)
        at_work.remove(job.kind)
        ended.append(job.kind)

    jobs = Jobs(fake, run)
    for kinds in LANES:
        assert all(jobs.start(kind, kind, "ada", {"do": kind}) for kind in kinds)
    until(lambda: set(at_work) == set(long))
    assert not ended
    for kinds in reversed(LANES):
        expected = [*ended, *kinds]
        long[kinds[0]].set()
        until(lambda expected=expected: ended == expected)  # type: ignore[misc]
    jobs.wait(SECONDS)
    assert sorted(ended) == sorted(JobKind)
    assert not jobs._threads


def test_a_new_server_takes_up_what_a_killed_server_left(fake: FakeWorkbench, jobs: Jobs) -> None:
    gone = ProcessMark(this_process().host, 2**22 + 1, "gone")
    now = fake.session.now()
    with fake.jobs._store.write() as writer:
        left = writer.jobs.add(NewJob(*CLOSE[:3], gone, CLOSE[3]), now, running=True)
    jobs.watch()
    until(lambda: not fake.jobs.get(left.id).live)
    assert fake.jobs.get(left.id).state is JobState.DONE
    assert fake.rounds.current() is None


def test_the_watch_prepares_a_round_that_is_due_and_learns_after_it_is_handed_over(
    project: Project, answers: Callable
) -> None:
    with project.open() as workbench:
        workbench.rounds.propose("random")
        with workbench.session.store.write() as writer:
            settings = writer.settings()
            writer.save_settings(type(settings)(**{**_plain(settings), "prepare_at": 0.8}))
        jobs = Jobs(workbench)
        jobs.watch()
        try:
            answers(workbench, 4)
            until(lambda: workbench.prepared.kept() is not None)
            answers(workbench, 1)
            workbench.prepared.go_on()
            until(lambda: workbench.prepared.unlearned() is None)
        finally:
            jobs.stop(SECONDS)
        (record,) = [m for m in workbench.measurements.all() if m.round_number == 1]
        assert record.labels == 5
        done = {(each.kind, each.state, each.asked_by) for each in workbench.jobs.newest()}
        assert (JobKind.PREPARE, JobState.DONE, "the server") in done
        assert (JobKind.LEARN, JobState.DONE, "the server") in done


def _plain(settings: object) -> dict[str, object]:
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}


def test_a_worker_process_runs_jobs_and_a_killed_one_is_replaced(
    project: Project, answers: Callable
) -> None:
    with project.open() as workbench:
        workbench.rounds.propose("random")
        answers(workbench, 5)
        worker = JobWorker(project.folder, "cpu")
        jobs = Jobs(workbench, worker)
        try:
            jobs.start(*CLOSE)
            jobs.wait(120)
            job = workbench.jobs.newest()[0]
            assert (job.state, job.reason) == (JobState.DONE, "")
            assert job.process != this_process()
            worker.kill()
            order = {"do": "propose", "strategy": "random", "images": 3}
            jobs.start(JobKind.RANK, "rank the pool", "ada", order)
            jobs.wait(120)
            opened = workbench.rounds.current()
            assert opened is not None
            assert (opened.number, opened.batch_size) == (2, 3)
        finally:
            worker.close()


@pytest.mark.parametrize("role", [PersonRole.MANAGER, PersonRole.ANNOTATOR])
def test_managers_see_why_the_next_round_could_not_be_prepared_and_try_again(
    fake: FakeWorkbench, monkeypatch: pytest.MonkeyPatch, role: PersonRole
) -> None:
    made = install(fake)
    person = Person(1, "ada", role, True, False, fake.session.now())
    with pytest.raises(OSError, match="full"), fake.jobs.claim(JobKind.PREPARE, lambda: "prepare"):
        raise OSError("the disk is [full](x)")
    monkeypatch.setattr(fake.prepared, "failed", lambda: fake.jobs.newest()[0])
    monkeypatch.setattr("ui.views.label.person_here", lambda _state: person)
    asked: list[JobKind] = []
    monkeypatch.setattr(made.jobs, "start", lambda kind, *_: asked.append(kind))
    app = draw("label")
    assert not app.exception
    shown = "\n".join(each.value for each in app.warning)
    if role is PersonRole.ANNOTATOR:
        assert shown == ""
        return
    assert r"the disk is \[full\]" in shown
    app.button(key="prepare-again").click().run()
    assert asked == [JobKind.PREPARE]


def test_what_the_round_before_bought_is_said_once_after_a_hand_over(
    fake: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(fake)
    current = fake.rounds.current()
    assert current is not None
    after = replace(current, settings={**current.settings, "prepared": {"after_round": 1}})
    monkeypatch.setattr(fake.rounds, "current", lambda: after)
    assert "has learned from round 1" not in texts(draw("label"))  # it still learns
    measured = [fake._metric(0, 0), fake._metric(1, 10)]
    monkeypatch.setattr(fake.measurements, "all", lambda: measured)
    app = draw("label")
    shown = texts(app).replace("\\", "")
    assert (
        "The model has learned from round 1. Accuracy 67.3 % (95 % interval 64.3 to 70.3)" in shown
    )
    assert "before 62.0 %: +5.3 points; the intervals overlap: this may be chance." in shown
    app.button(key="dismiss-outcome").click().run()
    assert "has learned from round 1" not in texts(app)


def test_a_page_offers_to_go_on_with_a_prepared_round_and_says_from_what_it_was_ranked(
    fake: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = install(fake)
    (current,) = fake.rounds.all()
    settings = {"prepared": {"after_round": 1, "answered": 8, "asked": 10, "labels": 8}}
    batch = NewRound("random", 0, 1, None, None, 0.1, [], settings)
    learner = AheadLearner(1, 1, "learners/ahead.safetensors", 8, {})
    ready = PreparedRound(current.id, learner, batch, fake.session.now())
    went = threading.Event()
    monkeypatch.setattr(fake.prepared, "kept", lambda: ready)
    monkeypatch.setattr(fake.prepared, "go_on", lambda force, by: went.set(), raising=False)
    learned: list[object] = []
    fake.learners = SimpleNamespace(learn=lambda _progress, after: learned.append(after.id))
    app = draw("label")
    assert "chosen when 8 of 10 answers were given" in texts(app)
    with monkeypatch.context() as busy:
        busy.setattr(made.jobs, "start", lambda *_: False)
        app.button(key="go-on").click().run()
        assert "computed already" in "".join(each.value for each in app.warning)
    went.clear()
    app = draw("label")
    app.button(key="go-on").click().run()
    made.jobs.wait(SECONDS)
    assert went.is_set()
    assert learned == [current.id]
    made.jobs.stop(SECONDS)
