"""Replay of a project's campaign: compute it again from its record and name the first difference.

Class lists, posteriors, images, changes of roles, labels and take-backs are added to an empty store in
their recorded order. Every round is proposed again and every learner learns again, through the same
workbench. The record of a round or learner (`core.provenance`) says what existed at that time. Features
and posterior files are those of the project.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.adaptation.adaptation_settings import AdaptationSettings, Strengths
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    Answer,
    EncoderRecord,
    FoundImage,
    Goal,
    Label,
    LearnerRecord,
    ProjectFolder,
    Role,
    Round,
)
from alworkbench.core.ports import Writer
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import MARK, changed_versions, versions
from alworkbench.project.target_sets import load_targets
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.campaign import Campaign, read_campaign
from alworkbench.simulation.difference import Difference, batch_difference, first_other
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
) -> Replayed:
    """Compute every round and learner of a project's record again, up to the first difference.

    `campaign` replaces the record that is otherwise read from the project. Raises NotReplayable.
    """
    if campaign is None:
        with workbench.session.store.read() as reader:
            campaign = read_campaign(reader)
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
        self._ids: dict[str, int] = {}
        self._label_ids: dict[int, int] = {}
        self._images = self._roles = self._labels = self._take_backs = self._posteriors = 0
        self._classes = 1
        self._now = campaign.rounds[0].opened_at

    def run(self, progress: Progress) -> Replayed:
        campaign, images, learners = self._campaign, 0, 0
        for done, round_ in enumerate(campaign.rounds):
            progress("rounds", done, len(campaign.rounds))
            try:
                images += self._ask(round_)
                for learner in campaign.learners:
                    if learner.round_id == round_.id:
                        self._learn(learner, round_)
                        learners += 1
            except _Differs as found:
                return Replayed(done, images, learners, found.difference)
            with self._bench.session.store.write() as writer:
                current = writer.rounds.current()
                if current is not None:
                    writer.rounds.close(current.id, self._now)
        progress("rounds", len(campaign.rounds), len(campaign.rounds))
        return Replayed(len(campaign.rounds), images, learners, None)

    def _ask(self, round_: Round) -> int:
        record, settings = round_.settings["record"], round_.settings
        if record.get("seed", round_.seed) != round_.seed:
            what = f"the seed is {round_.seed} and was {record['seed']} when the round was asked"
            raise _Differs(Difference(round_.number, None, None, None, what, (_CHANGED,)))
        self._forward(record, round_.class_list_id, round_.posterior_id)
        targets = settings.get("targets")
        without = settings.get("left_out", ())
        if round_.strategy == AUDIT_STRATEGY:
            asked = self._bench.audit.draw(int(settings["wanted"]), round_.seed, without=without)
        else:
            asked = self._bench.rounds.propose(
                round_.strategy,
                round_.batch_size,
                round_.seed,
                targets=load_targets(self._folder, targets) if targets else None,
                memory=int(settings["memory"]),
                acquisition=AcquisitionSettings.from_record(
                    settings.get("acquisition_settings", {})
                ),
                sets=None,
                without=without,
            )
        known = {id_: content for content, id_ in self._ids.items()}
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

    def _learn(self, learner: LearnerRecord, round_: Round) -> None:
        self._forward(learner.settings["record"], learner.class_list_id, learner.posterior_id)
        self._bench.learners.learn(
            adaptation=AdaptationSettings.from_record(
                learner.settings.get("adaptation_settings", {})
            )
        )
        with self._bench.session.store.read() as reader:
            again = reader.computed.learner()
        then = str(learner.settings["taught"])
        now = "" if again is None else str(again.settings["taught"])
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
        known = {id_: content for content, id_ in self._ids.items()}
        return [known[image] for image in taught.images]

    # ------------------------------------------------------------------------- adding the record

    def _forward(
        self, record: Mapping[str, Any], class_list_id: int, posterior_id: int | None
    ) -> None:
        """Add everything that existed when this was recorded."""
        settings = replace(
            self._campaign.settings,
            seed=int(record["project_seed"]),
            goal=Goal(record["goal"]),
            adaptation=str(record["adaptation"]),
        )
        with self._bench.session.store.write() as writer:
            writer.save_settings(settings)
            for classes in self._campaign.class_lists[self._classes : class_list_id]:
                writer.classes.add(classes, self._now)
            self._classes = max(self._classes, class_list_id)
            self._add_posteriors(writer, posterior_id or 0)
            self._add_images(writer, int(record["images"]))
            self._change_roles(writer, int(record.get("role_changes", 0)))
            self._add_labels(writer, int(record["labels"]), int(record["take_backs"]))

    def _add_posteriors(self, writer: Writer, last: int) -> None:
        while self._posteriors < min(last, len(self._campaign.posteriors)):
            each = self._campaign.posteriors[self._posteriors]
            writer.computed.set_encoder(EncoderRecord(each.encoder_id, self._campaign.encoder.spec))
            writer.computed.add_posterior(each.encoder_id, each.file, {}, self._now)
            self._posteriors += 1
        writer.computed.set_encoder(self._campaign.encoder)

    def _add_images(self, writer: Writer, count: int) -> None:
        fresh = self._campaign.images[self._images : count]
        for role, part in groupby(fresh, key=lambda image: image[1]):
            found: Iterator[FoundImage] = (FoundImage(c, c, 0, 0, 0) for c, _ in part)
            writer.images.add(found, [], root="replayed", role=role)
        if fresh:
            self._ids = {
                content: id_ for role in Role for id_, content in writer.images.ids_and_hashes(role)
            }
        self._images = max(self._images, count)

    def _change_roles(self, writer: Writer, count: int) -> None:
        """Changes that a draw of the audit set made are there already and change nothing."""
        for change in self._campaign.role_changes[self._roles : count]:
            image = self._ids[self._campaign.hashes[change.image_id]]
            writer.images.set_role([image], change.role, self._now, on_purpose=True)
        self._roles = max(self._roles, count)

    def _add_labels(self, writer: Writer, labels: int, take_backs: int) -> None:
        answers = [self._answer(each) for each in self._campaign.labels[self._labels : labels]]
        stored = writer.labels.add_many(answers, self._now)
        for then, now in zip(self._campaign.labels[self._labels : labels], stored, strict=True):
            self._label_ids[then.id] = now.id
        for back in self._campaign.take_backs[self._take_backs : take_backs]:
            writer.labels.retract(
                self._label_ids[back.label_id], back.event_id, back.annotator, self._now
            )
        self._labels = max(self._labels, labels)
        self._take_backs = max(self._take_backs, take_backs)

    def _answer(self, label: Label) -> Answer:
        """The label as an answer without an item: a replay has no leases."""
        return Answer(
            label.event_id,
            self._ids[self._campaign.hashes[label.image_id]],
            label.kind,
            label.annotator,
            class_id=label.class_id,
            source=label.source,
        )


_ONE_ANSWER = (
    "an earlier version of alworkbench made the record: it learned from the newest answer to each image, "
    "and this version learns from one answer of each annotator"
)
_CHANGED = "the record was changed after the round: a seed, a label, or the order of labels"
_SAME_VERSIONS = (
    "versions, threads and device are the same, so the data differ: features or a posterior file were "
    "replaced, or other strengths of adaptation were given"
)
