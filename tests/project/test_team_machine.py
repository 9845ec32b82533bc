"""People who label together: SQLite, PostgreSQL and a plain model agree after every step.

`ALWORKBENCH_TEAM_EXAMPLES=500 python -m pytest --timeout 0 tests/project/test_team_machine.py` runs more
examples, each of `ALWORKBENCH_TEAM_STEPS` steps, and others in every run.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from alworkbench.core.domain import Consensus, Item, LateAnswers, ProjectSettings
from alworkbench.core.errors import WorkbenchError
from alworkbench.project.settings_change import change_settings
from tests.making_project import Clock
from tests.project.team_model import Asked, Place, Refused, Said, TeamModel
from tests.project.team_projects import IMAGES, SETTINGS, TeamProject
from tests.store.making import CLASSES, NOW
from tests.store.server import MISSING, server

EXAMPLES = int(os.environ.get("ALWORKBENCH_TEAM_EXAMPLES", "0"))
STEPS = int(os.environ.get("ALWORKBENCH_TEAM_STEPS", "40"))
LONGEST = timedelta(minutes=10)
"""No lease lasts longer."""

Result = TypeVar("Result")
people = st.sampled_from(["ann", "bob", "eve", "rex"])
tabs = st.sampled_from([None, "left", "right"])
classes = st.sampled_from([1, 2, 3, None])
picks = st.integers(0, 2**16)
durations = st.sampled_from([None, 900])


class Team(RuleBasedStateMachine):
    """Every step is taken in the model and in each project, and must end alike."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock(NOW)
        self.projects = [TeamProject(self.clock, on_server=False)]
        if server() is not None:
            self.projects.append(TeamProject(self.clock, on_server=True))
        ids = tuple(range(1, len(CLASSES) + 1))
        self.model = TeamModel(tuple(range(1, IMAGES + 1)), ids)
        self.settings = SETTINGS
        self.events = 0
        self.sent: list[Said] = []
        self.handed: list[tuple[Place, str, int]] = []
        """Items that people got, with the token; some were taken over or ended since."""
        self.set_back = False

    def teardown(self) -> None:
        for project in self.projects:
            project.remove()

    # ------------------------------------------------------------------------------- comparison
    def everywhere(
        self, expected: Callable[[], Result], step: Callable[[TeamProject], Result]
    ) -> Result | None:
        """Take a step in the model and in each project; None where it is refused."""
        before = deepcopy(self.model)
        wanted, refused = None, ""
        try:
            wanted = expected()
        except Refused as error:
            self.model, refused = before, str(error)
        for project in self.projects:
            found, why = None, ""
            try:
                found = step(project)
            except WorkbenchError as error:
                why = type(error).__name__
            assert why == refused, (
                f"{project.kind}: {why or 'no error'}, expected {refused or 'none'}"
            )
            assert refused or found == wanted, f"{project.kind}: {found}, expected {wanted}"
        self.compare()
        return wanted

    def compare(self) -> None:
        """The projects hold what the model holds."""
        for project in self.projects:
            found = project.state()
            for name, wanted in self.model.state(project.tokens).items():
                now = found[name]
                assert now == wanted, f"{project.kind}, {name}: {now}, expected {wanted}"

    def event(self) -> str:
        self.events += 1
        return f"event {self.events}"

    # ----------------------------------------------------------------------------------- rounds
    @initialize(
        overlap=st.integers(1, 3),
        share=st.sampled_from([0.0, 0.5, 1.0]),
        blind=st.sampled_from([0.0, 0.5, 1.0]),
        keep=st.booleans(),
        batch=st.integers(1, 4),
    )
    def begin(self, overlap: int, share: float, blind: float, keep: bool, batch: int) -> None:
        self.change(overlap=overlap, overlap_share=share, blind_share=blind)
        self.decide(keep, False)
        self.propose(batch)

    def change(self, **given: object) -> None:
        def step(project: TeamProject) -> None:
            self.settings = change_settings(project.bench.session, **given)

        self.everywhere(lambda: None, step)

    @rule(
        overlap=st.integers(1, 3),
        share=st.sampled_from([0.0, 0.4, 1.0]),
        blind=st.sampled_from([0.0, 0.4, 1.0]),
    )
    def share_out(self, overlap: int, share: float, blind: float) -> None:
        self.change(overlap=overlap, overlap_share=share, blind_share=blind)

    @rule(keep=st.booleans(), deciding=st.booleans())
    def decide(self, keep: bool, deciding: bool) -> None:
        self.model.keep_late, self.model.deciding = keep, deciding
        self.change(
            late_answers=LateAnswers.KEEP if keep else LateAnswers.REFUSE,
            consensus=Consensus.DECIDING if deciding else Consensus.PROPORTIONS,
        )

    @rule(batch=st.integers(1, 4))
    def propose(self, batch: int) -> None:
        """The images are drawn at random: the model takes those of the first project."""
        asked: list[Asked] = []

        def step(project: TeamProject) -> int:
            opened = project.bench.rounds.propose(None, batch, sets=None)
            items = project.bench.rounds.items(opened.id)
            found = [Asked(item.image_id, item.wanted, item.blind) for item in items]
            if not asked:
                asked.extend(found)
                check_batch(found, batch, self.model.unanswered(), self.settings)
                self.model.opened(asked)
            assert found == asked
            for item in items:
                assert (item.shown_suggestion is None) == item.blind
            return opened.number

        def expected() -> int:
            self.model.refuse_propose()
            return len(self.model.rounds) + 1

        self.everywhere(expected, step)

    @rule(force=st.booleans())
    def close(self, force: bool) -> None:
        def step(project: TeamProject) -> None:
            project.bench.rounds.close(force=force)

        self.everywhere(lambda: self.model.close(force), step)

    @rule()
    def reopen(self) -> None:
        def step(project: TeamProject) -> None:
            project.bench.close()
            project.open()

        self.everywhere(lambda: None, step)

    # ------------------------------------------------------------------------------------ clock
    @rule(seconds=st.sampled_from([1, 20, 89, 91, 300, 601, 3600]))
    def wait(self, seconds: int) -> None:
        self.clock.tick(seconds=seconds)

    @rule(minutes=st.integers(1, 60))
    def set_clock_back(self, minutes: int) -> None:
        self.clock.tick(minutes=-minutes)
        self.set_back = True

    # ----------------------------------------------------------------------------------- leases
    @rule(person=people, tab=tabs, limit=st.integers(0, 4))
    def claim(self, person: str, tab: str | None, limit: int) -> None:
        self.claimed(person, tab, limit)

    def claimed(self, person: str, tab: str | None, limit: int) -> list[Place]:
        now = self.clock.now
        given: list[Place] = []

        def expected() -> list[Place]:
            given.extend(self.model.claim(person, tab, limit, now))
            return given

        def step(project: TeamProject) -> list[Place]:
            return self.noted(
                project, person, given, project.bench.labels.claim(person, limit, tab)
            )

        self.everywhere(expected, step)
        self.hand(person, given)
        return given

    @rule(person=people, tab=tabs)
    def take_share(self, person: str, tab: str | None) -> None:
        """The model takes the size of the share from the first project; whom it goes to is compared."""
        now = self.clock.now
        given: list[Place] = []
        limits: list[int] = []

        def expected() -> list[Place]:
            self.model.refuse_no_round()
            return given

        def step(project: TeamProject) -> list[Place]:
            share = project.bench.labels.take_share(person, tab)
            if not limits:
                given.extend(self.model.claim(person, tab, share.limit, now))
            limits.append(share.limit)
            assert share.limit == limits[0] >= 1
            assert share.done == self.model.is_done(person, given)
            return self.noted(project, person, given, share.items)

        self.everywhere(expected, step)
        self.hand(person, given)

    def noted(
        self, project: TeamProject, person: str, given: list[Place], items: list[Item]
    ) -> list[Place]:
        """The items that a project gave; their tokens are kept, as those of the model's leases."""
        found = project.claimed(items)
        for place, token, until in found:
            assert self.clock.now < until <= self.clock.now + LONGEST
            if place in given:
                held = self.model.leases[place, person]
                assert project.tokens.setdefault(held.token, token) == token
        assert len(set(project.tokens.values())) == len(project.tokens)
        return [place for place, _, _ in found]

    def hand(self, person: str, given: list[Place]) -> None:
        for place in given:
            self.handed.append((place, person, self.model.leases[place, person].token))
            self.check_holders(place)

    def check_holders(self, place: Place) -> None:
        """As many people as the item wants hold it or have answered it, if no clock was set back."""
        asked_by_page = all(e.source == "browser" for e in self.model.answers if e.item == place)
        if asked_by_page and not self.set_back:
            now = self.clock.now
            people = {*self.model.holders(place, now), *self.model.answered_by(place)}
            assert len(people) <= self.model.items[place].wanted

    @precondition(lambda self: self.handed)
    @rule(pick=picks, tab=tabs, count=st.integers(1, 3))
    def release(self, pick: int, tab: str | None, count: int) -> None:
        _, person, _ = self.handed[pick % len(self.handed)]
        places = [place for place, who, _ in self.handed if who == person][-count:]

        def step(project: TeamProject) -> None:
            ids = [project.items[place] for place in places]
            project.bench.labels.release(person, tab, ids)

        self.everywhere(lambda: self.model.release(person, tab, places), step)

    @rule()
    def every_lease_runs_out_and_a_newcomer_gets_what_wants_an_answer(self) -> None:
        """Where the clock was set back, a lease may run once more when the clock comes to its time again."""
        ends = [held.until for held in self.model.leases.values()]
        self.clock.now = max([self.clock.now + LONGEST, *ends])
        number = self.model.open_round()
        given = self.claimed(f"newcomer {self.event()}", None, 100)
        if number is not None:
            counts = {p: len(self.model.answered_by(p)) for p in self.model.items_of(number)}
            assert given == [p for p, n in counts.items() if n < self.model.items[p].wanted]

    # ---------------------------------------------------------------------------------- answers
    def send(self, *said: Said) -> None:
        """Answers in one transaction, all or none."""
        now = self.clock.now
        self.sent.extend(said)

        def step(project: TeamProject) -> list[str]:
            answers = [project.answer(each) for each in said]
            if len(answers) == 1:
                return [project.bench.labels.record(answers[0]).event_id]
            return [each.event_id for each in project.bench.labels.record_many(answers)]

        def expected() -> list[str]:
            return [self.model.answers[self.model.record(e, now)].event for e in said]

        self.everywhere(expected, step)

    def answer_of(self, pick: int, class_id: int | None, duration: int | None) -> Said:
        place, person, token = self.handed[-1 - pick % len(self.handed)]
        image = self.model.items[place].image
        return Said(self.event(), image, person, class_id, place, token, duration)

    @precondition(lambda self: self.handed)
    @rule(pick=st.integers(0, 3), class_id=classes, duration=durations)
    def answer(self, pick: int, class_id: int | None, duration: int | None) -> None:
        self.send(self.answer_of(pick, class_id, duration))

    @precondition(lambda self: self.handed)
    @rule(pick=picks, class_id=classes)
    def answer_an_old_page(self, pick: int, class_id: int | None) -> None:
        self.send(self.answer_of(pick, class_id, 900))

    @precondition(lambda self: self.handed)
    @rule(
        several=st.lists(st.tuples(picks, classes), min_size=2, max_size=3),
        again=st.none() | picks,
        from_file=st.booleans(),
    )
    def answer_together(
        self, several: list[tuple[int, int | None]], again: int | None, from_file: bool
    ) -> None:
        """New answers, one of them from a file, and one that was sent before or is in the list twice."""
        said = [self.answer_of(pick, class_id, 900) for pick, class_id in several]
        if from_file:
            said[0] = replace(said[0], item=None, token=None, duration=None, source="csv")
        before = [*self.sent, *said]
        self.send(*([] if again is None else [before[again % len(before)]]), *said)

    @precondition(lambda self: self.model.items)
    @rule(pick=picks, person=people, class_id=classes, wrong=st.integers(0, 4))
    def answer_without_a_lease(
        self, pick: int, person: str, class_id: int | None, wrong: int
    ) -> None:
        """A script that names an item; with `wrong` 0 or 1, of another image or round."""
        places = list(self.model.items)
        place = places[pick % len(places)]
        image = self.model.items[place].image
        if wrong == 0:
            image = image % IMAGES + 1
        if wrong == 1:
            place = (99, 0)
        self.send(Said(self.event(), image, person, class_id, place, None))

    @rule(person=people, image=st.integers(1, IMAGES), class_id=classes)
    def answer_from_a_file(self, person: str, image: int, class_id: int | None) -> None:
        self.send(Said(self.event(), image, person, class_id, None, None, source="csv"))

    @precondition(lambda self: self.sent)
    @rule(pick=picks)
    def send_again(self, pick: int) -> None:
        self.send(self.sent.pop(pick % len(self.sent)))

    # ------------------------------------------------------------------------------- take-backs
    def take_back(self, person: str, event: str, answer: str | None) -> None:
        now = self.clock.now

        def step(project: TeamProject) -> str:
            return project.bench.labels.undo(person, event, answer).event_id

        def expected() -> str:
            return self.model.answers[self.model.undo(person, event, answer, now)].event

        taken = self.everywhere(expected, step)
        if taken is not None:
            number = next(n for n, by, _, _ in self.model.taken_back if by == event)
            assert self.model.answers[number].person == person

    @rule(person=people)
    def undo(self, person: str) -> None:
        self.take_back(person, self.event(), None)

    @precondition(lambda self: self.model.answers)
    @rule(pick=picks, person=st.none() | people)
    def undo_an_answer(self, pick: int, person: str | None) -> None:
        answer = self.model.answers[pick % len(self.model.answers)]
        self.take_back(person or answer.person, self.event(), answer.event)

    @precondition(lambda self: self.model.taken_back)
    @rule(pick=picks, person=st.none() | people)
    def undo_again(self, pick: int, person: str | None) -> None:
        _, event, by, _ = self.model.taken_back[pick % len(self.model.taken_back)]
        self.take_back(person or by, event, None)

    # ----------------------------------------------------------------------------------- reviews
    @rule()
    def look_for_disagreements(self) -> None:
        now = self.clock.now
        self.everywhere(
            lambda: self.model.open_disagreements(now),
            lambda project: project.bench.team.reviews.open_disagreements(),
        )

    @rule(pick=st.integers(0, 4), by=people, class_id=st.none() | classes, dismiss=st.booleans())
    def end_case(self, pick: int, by: str, class_id: int | None, dismiss: bool) -> None:
        """Newest case first; with too large a pick there is no such case."""
        now, number = self.clock.now, len(self.model.cases) - 1 - pick
        resolved = None
        if not dismiss:
            resolved = Said("review", 0, by, class_id, None, None, source="review")

        def step(project: TeamProject) -> None:
            case = project.cases[number] if number >= 0 else 10_000
            reviews = project.bench.team.reviews
            if dismiss:
                reviews.dismiss(case, by, "seen")
            else:
                reviews.resolve(case, by, class_id and CLASSES.names[class_id - 1], "seen")

        self.everywhere(lambda: self.model.end_case(number, by, "seen", now, resolved), step)


def check_batch(
    found: list[Asked], batch: int, unanswered: list[int], shared: ProjectSettings
) -> None:
    """Images without an answer, each once, and the shares that the project asks for."""
    images = [each.image for each in found]
    assert len(set(images)) == len(images) == min(batch, len(unanswered))
    assert set(images) <= set(unanswered)
    several = [each.wanted for each in found if each.wanted > 1]
    assert set(several) <= {shared.overlap}
    if shared.overlap > 1:
        assert abs(len(several) - shared.overlap_share * len(found)) < 1
    assert abs(sum(each.blind for each in found) - shared.blind_share * len(found)) < 1


Team.TestCase.settings = settings(
    deadline=None,
    derandomize=not EXAMPLES,
    max_examples=EXAMPLES or 12,
    stateful_step_count=STEPS,
)
TestTeam = Team.TestCase


def test_the_steps_ran_on_a_server_too() -> None:
    if server() is None:
        pytest.skip(MISSING)
