"""Replay of a project's campaign: compute it again from its record and name the first difference.

Class lists, posteriors, images, changes of roles, labels and take-backs are added to an empty store in
their recorded order. Every round is proposed again and every learner learns again, through the same
workbench. The record of a round or learner (`core.provenance`) says what existed at that time. Features
and posterior files are those of the project.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.adaptation.adaptation_settings import AdaptationSettings, Strengths
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    LearnerRecord,
    ProjectFolder,
    Round,
)
from alworkbench.core.errors import UnknownRound
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import MARK, changed_versions, versions
from alworkbench.project.kept_targets import targets_of_round
from alworkbench.project.ranked_batch import MEMORY, Wish
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.campaign import Campaign, prepared, read_campaign
from alworkbench.simulation.difference import Difference, batch_difference, first_other
from alworkbench.simulation.recorded_state import RecordedState
from alworkbench.simulation.run import OpenStore


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a record was computed again, and the first difference."""

    rounds: int
    """Rounds that gave the same batch."""
    images: int
    """Images asked in these rounds."""
    learners: int
    """Learners that learned from the same labels."""
    difference: Difference | None

    @property
    def identical(self) -> bool:
        """Whether everything that was computed again is the same."""
        return self.difference is None


class _Differs(Exception):
    def __init__(self, difference: Difference) -> None:
        super().__init__(difference.what)
        self.difference = difference


def replay(
    workbench: Workbench,
    open_store: OpenStore,
    progress: Progress = silent,
    campaign: Campaign | None = None,
    *,
    until: int | None = None,
) -> Replayed:
    """Compute every round and learner of a project's record again, up to the first difference.

    `campaign` replaces the record that is otherwise read from the project. `until` is the number of the last
    round that is computed; None: of all. Raises NotReplayable, and UnknownRound.
    """
    if campaign is None:
        with workbench.session.store.read() as reader:
            campaign = read_campaign(reader)
    if until is not None:
        rounds = tuple(each for each in campaign.rounds if each.number <= until)
        if not any(each.number == until for each in rounds):
            raise UnknownRound(until, len(campaign.rounds))
        campaign = replace(campaign, rounds=rounds)
    strengths = _strengths(campaign)
    with tempfile.TemporaryDirectory(prefix="alworkbench-replay-") as scratch:
        store = open_store(campaign.settings, campaign.class_lists[0], campaign.rounds[0].opened_at)
        try:
            bench = Workbench(
                ProjectFolder(Path(scratch)),
                store,
                engine=workbench.session.engine(),
                strengths=strengths,
                take_snapshots=False,
            )
            return _Replay(campaign, bench, workbench.session.folder).run(progress)
        finally:
            store.close()


def _strengths(campaign: Campaign) -> Strengths:
    settings = campaign.learners[0].settings if campaign.learners else {}
    known = Strengths()
    return Strengths(
        float(settings.get("image", known.image)), float(settings.get("text", known.text))
    )


class _Replay:
    """A replay: a store that receives the record step by step, and the workbench over it."""

    def __init__(self, campaign: Campaign, bench: Workbench, folder: ProjectFolder) -> None:
        self._campaign = campaign
        self._bench = bench
        self._folder = folder
        self._state = RecordedState(campaign, bench.session.store)
        self._now = campaign.rounds[0].opened_at

    def run(self, progress: Progress) -> Replayed:
        campaign, images, learners = self._campaign, 0, 0
        for done, round_ in enumerate(campaign.rounds):
            progress("rounds", done, len(campaign.rounds))
            following = campaign.following(round_)
            try:
                if not prepared(round_):  # else it was opened by the one before
                    images += self._ask(round_)
                opened = self._bench.rounds.all()[done]
                before, after = campaign.learners_around(round_, following)
                for learner in before:
                    self._learn(learner, round_, opened)
                if following is not None:
                    images += self._hand_over(following, opened)
                for learner in after:
                    self._learn(learner, round_, opened)
                learners += len(before) + len(after)
            except _Differs as found:
                return Replayed(done, images, learners, found.difference)
            if following is None and opened.closed_at is None:
                with self._bench.session.store.write() as writer:
                    writer.rounds.close(opened.id, self._now)
        progress("rounds", len(campaign.rounds), len(campaign.rounds))
        return Replayed(len(campaign.rounds), images, learners, None)

    def _ask(self, round_: Round) -> int:
        record, settings = round_.settings["record"], round_.settings
        if record.get("seed", round_.seed) != round_.seed:
            what = f"the seed is {round_.seed} and was {record['seed']} when the round was asked"
            raise _Differs(Difference(round_.number, None, None, None, what, (_CHANGED,)))
        self._state.to(record, round_.class_list_id, round_.posterior_id)
        wish = self._wish(round_)
        if round_.strategy == AUDIT_STRATEGY:
            asked = self._bench.audit.draw(
                int(settings["wanted"]), round_.seed, without=wish.without
            )
        else:
            asked = self._bench.rounds.propose(
                wish.strategy,
                wish.batch_size,
                wish.seed,
                targets=wish.targets,
                memory=wish.memory,
                acquisition=wish.acquisition,
                sets=None,
                without=wish.without,
            )
        return self._same_images(round_, asked)

    def _wish(self, round_: Round) -> Wish:
        settings = round_.settings
        return Wish(
            round_.strategy,
            round_.batch_size + len(settings.get("answered_meanwhile", ())),
            round_.seed,
            targets_of_round(self._folder, settings),
            int(settings.get("memory", MEMORY)),
            AcquisitionSettings.from_record(settings.get("acquisition_settings", {})),
            None,
            frozenset(settings.get("left_out", ())),
        )

    def _hand_over(self, following: Round, opened: Round) -> int:
        """Prepare a round by the learner that ranked it then, and hand over to it."""
        ahead, settings = self._campaign.ahead[following.learner_id or 0], following.settings
        self._state.to(ahead.settings["record"], ahead.class_list_id, ahead.posterior_id)
        adaptation = AdaptationSettings.from_record(ahead.settings.get("adaptation_settings", {}))
        learners = self._bench.learners
        with learners.computed(opened, adaptation=adaptation, watched=False) as found:
            self._same_labels(ahead, following, str(found.settings["taught"]))
            self._state.to(settings["record"], following.class_list_id, following.posterior_id)
            self._bench.prepared.keep(opened, found, self._wish(following))
        self._state.to(settings["handed_over"], following.class_list_id, following.posterior_id)
        return self._same_images(following, self._bench.prepared.go_on(force=True))

    def _same_images(self, round_: Round, asked: Round) -> int:
        known = {id_: content for content, id_ in self._state.ids.items()}
        then = [self._campaign.hashes[i.image_id] for i in self._campaign.items[round_.id]]
        now = [known[item.image_id] for item in self._bench.rounds.items(asked.id)]
        self._compare(round_, then, now)
        return len(then)

    def _compare(self, round_: Round, then: Sequence[str], now: Sequence[str]) -> None:
        changed = changed_versions(
            round_.settings.get("versions", {}), versions(self._bench.session.engine().device)
        )
        why = changed or (_SAME_VERSIONS, _CHANGED)
        if found := batch_difference(round_.number, then, now, why):
            raise _Differs(found)

    def _learn(self, learner: LearnerRecord, round_: Round, opened: Round) -> None:
        self._state.to(learner.settings["record"], learner.class_list_id, learner.posterior_id)
        self._bench.learners.learn(
            adaptation=AdaptationSettings.from_record(
                learner.settings.get("adaptation_settings", {})
            ),
            after=opened,
        )
        with self._bench.session.store.read() as reader:
            again = reader.computed.learner()
        self._same_labels(learner, round_, "" if again is None else str(again.settings["taught"]))

    def _same_labels(self, learner: LearnerRecord, round_: Round, now: str) -> None:
        then = str(learner.settings["taught"])
        marks = [[side[k : k + MARK] for k in range(0, len(side), MARK)] for side in (then, now)]
        at = first_other(*marks)
        if at is None:
            return
        taught = self._taught()
        found = taught[at] if at < len(taught) else None
        # Records of that time name one class for each image.
        why = (_ONE_ANSWER, _CHANGED) if "classes" in learner.settings else (_CHANGED,)
        what = (
            f"the learner of round {round_.number} learned from other labels: label {at + 1} of "
            f"{len(marks[0])} differs from the record"
        )
        raise _Differs(Difference(round_.number, None, found, found, what, why))

    def _taught(self) -> list[str]:
        """Content hashes of the labelled images of the pool, in the order of learning."""
        with self._bench.session.store.read() as reader:
            taught = taught_labels(reader, reader.classes.current())
        known = {id_: content for content, id_ in self._state.ids.items()}
        return [known[image] for image in taught.images]


_ONE_ANSWER = (
    "an earlier version of alworkbench made the record: it learned from the newest answer to each image, "
    "and this version learns from one answer of each annotator"
)
_CHANGED = "the record was changed after the round: a seed, a label, or the order of labels"
_SAME_VERSIONS = (
    "versions, threads and device are the same, so the data differ: features or a posterior file were "
    "replaced, or other strengths of adaptation were given"
)
