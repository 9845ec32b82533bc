"""The overview of a project says what waits for one person, and it computes and writes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alworkbench.api import create_project, open_project
from alworkbench.core.domain import Answer, AnswerKind, JobKind, PersonRole
from alworkbench.project.overview import read_overview
from alworkbench.project.workbench import Workbench
from tests.making_project import Project

MANAGER, ANNOTATOR = PersonRole.MANAGER, PersonRole.ANNOTATOR


def test_the_next_step_follows_the_round_and_the_role(project: Project, answers: Callable) -> None:
    with project.open() as workbench:

        def steps(role: PersonRole, name: str = "ada") -> list[tuple[str | None, ...]]:
            return [
                (each.words, each.page, each.act)
                for each in read_overview(workbench.session, name, role).steps
            ]

        assert steps(MANAGER) == [("No round is open. Start round 1.", "project", "Start round 1")]
        assert steps(ANNOTATOR) == [("No round is open. A manager opens the next.", None, None)]
        opened = workbench.rounds.propose("random", 5)
        for role in PersonRole:
            waits = "5 images wait for you in round 1."
            assert steps(role) == [(waits, "label", "Start labelling")]
        seen = read_overview(workbench.session, "ada", MANAGER)
        assert (seen.round, seen.waiting, seen.rounds_closed) == (opened.number, 5, 0)
        assert seen.images == workbench.status().pool_images
        answers(workbench, 5)
        answered = "All of round 1 is answered."
        assert steps(MANAGER) == [(f"{answered} Close it.", "label", "Close the round")]
        assert steps(ANNOTATOR) == [(f"{answered} A manager closes it.", None, None)]
        after = read_overview(workbench.session, "ada", MANAGER)
        assert after.answers == seen.answers + 5
        assert after.last_activity is not None

        def seen_now() -> tuple[str, tuple[str, ...]]:
            now = read_overview(workbench.session, "ada", MANAGER)
            return now.steps[0].words, now.running

        jobs, idle = workbench.session.jobs, "All of round 1 is answered. Close it."
        with jobs.claim(JobKind.SCORE, lambda: "predict all images"):
            for number in range(21):  # a long one is seen though many others have ended since
                with jobs.claim(JobKind.GROUP, lambda number=number: f"compare {number}"):
                    pass
            closing = jobs.queue(JobKind.LEARN, "close round 1", "ada", {"do": "close"})
            assert seen_now() == (idle, ("predict all images",))  # what waits is not computed
            with workbench.session.store.write() as writer:
                writer.jobs.start(closing.id, closing.process, workbench.session.now())
            assert seen_now() == ("Now: close round 1.", ("predict all images",))


def test_a_project_without_features_and_one_with_all_answers_start_no_round(
    project: Project, tmp_path: Path
) -> None:
    def words(workbench: Workbench, role: PersonRole) -> str:
        return read_overview(workbench.session, "ada", role).steps[0].words

    with project.open() as workbench:
        ids = [each.id for each in workbench.gallery.page(limit=100).images]
        for number in ids:
            answer = Answer(f"e{number}", number, AnswerKind.CLASS, "ada", class_id=1)
            workbench.labels.record(answer)
        assert words(workbench, MANAGER).startswith("Every image of the pool has an answer. Import")
        assert words(workbench, ANNOTATOR) == "Every image of the pool has an answer."
        pictures = Path(workbench.images.get(1).paths[0]).parent
    create_project(tmp_path / "bare", ["ant", "bee"])
    with open_project(tmp_path / "bare") as workbench:
        workbench.images.add(pictures)
        assert words(workbench, MANAGER) == "The images have no features yet. Encode them."
        assert words(workbench, ANNOTATOR).endswith("A manager encodes them.")
