"""The next round, prepared while people still answer the open one, so that they never wait.

When a share of the answers that a round wants is given (`ProjectSettings.prepare_at`), a learner of the
labels so far ranks the pool, and its batch is kept. When the round ends, `go_on` closes it and opens the
kept batch in one short transaction. The price is that the batch was ranked without the last labels of the
round; the strategy knows only which images will have them. The learner of all labels is computed
afterwards, while people answer.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    AheadLearner,
    Job,
    JobKind,
    JobState,
    PreparedRound,
    Round,
)
from alworkbench.core.errors import (
    JobRuns,
    NoOpenRound,
    NothingAnswered,
    NothingPrepared,
)
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances
from alworkbench.project.class_sets import DEFAULT_SETS, SetSettings
from alworkbench.project.computed_learner import ComputedLearner, drop_prepared, remove_files
from alworkbench.project.jobs import SHOWN
from alworkbench.project.kept_targets import targets_of_round
from alworkbench.project.learners import Learners
from alworkbench.project.opened_batch import opened_by, still_to_ask
from alworkbench.project.ranked_batch import Ranking, Wish
from alworkbench.project.session import Session, refuse_closed


class PreparedRounds:
    """Prepares the next round, and hands over to it."""

    def __init__(self, session: Session, learners: Learners, ranking: Ranking) -> None:
        self._session = session
        self._learners = learners
        self._ranking = ranking

    def kept(self) -> PreparedRound | None:
        """The batch that can follow the open round at once; None where there is none."""
        with self._session.store.read() as reader:
            return prepared_for(reader, reader.rounds.current())

    def due(self) -> bool:
        """Whether enough of the wanted answers are given, and nothing is prepared yet. Reads few rows.

        An image that two people shall answer counts twice, and once after its first answer.
        """
        with self._session.store.read() as reader:
            share = reader.settings().prepare_at
            current = reader.rounds.current()
            if not share or current is None or current.strategy == AUDIT_STRATEGY:
                return False
            if prepared_for(reader, current) is not None:
                return False
            count = reader.rounds.progress(current.id)
            return 0 < count.answers >= share * count.wanted

    def failed(self) -> Job | None:
        """The newest preparation of the open round, if it did not succeed; None where a batch is kept."""
        with self._session.store.read() as reader:
            current = reader.rounds.current()
            newest = next((j for j in reader.jobs.newest(SHOWN) if j.kind is JobKind.PREPARE), None)
            if current is None or newest is None or newest.queued_at < current.opened_at:
                return None
            if newest.state not in (JobState.FAILED, JobState.CANCELLED):
                return None
            return newest if prepared_for(reader, current) is None else None

    def prepare(self, progress: Progress = silent) -> PreparedRound:
        """Learn from the labels so far, rank the pool as the open round was ranked, and keep the batch.

        Nothing of the open round changes, and the learner is no learner of the project. Images that the
        round asks are not candidates. Raises NoOpenRound, NothingAnswered, PoolExhausted, NothingToAsk and
        what `Rounds.propose` raises, ChangedMeanwhile where the round was closed meanwhile, JobRuns and
        JobCancelled.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                current = _refuse_unanswered(reader)
            title = f"prepare the round after round {current.number}"
            with (
                self._session.jobs.claim(JobKind.PREPARE, lambda: title, progress) as told,
                self._learners.computed(current, told, watched=False) as found,
            ):
                return self.keep(current, found, self._wish_like(current), told)

    def keep(
        self, current: Round, found: ComputedLearner, wish: Wish, progress: Progress = silent
    ) -> PreparedRound:
        """Rank by a learner ahead and keep the batch; `prepare` does so with the wishes of the open round."""
        with self._session.store.read() as reader:
            asked = reader.rounds.items(current.id)
            count = reader.rounds.progress(current.id)
        ranked = self._ranking.rank(wish, progress, found, {item.image_id for item in asked}).round
        batch = replace(
            ranked,
            settings={
                **ranked.settings,
                "prepared": {
                    "after_round": current.number,
                    "answered": count.answers,
                    "asked": count.wanted,
                    "labels": found.labels,
                },
            },
        )
        learner = AheadLearner(
            found.posterior_id, found.class_list_id, found.file, found.labels, found.settings
        )
        made = PreparedRound(current.id, learner, batch, self._session.now())
        progress("ranking the pool", 2, 2)  # the last moment at which it can be stopped
        with self._session.store.write() as writer:
            refuse_closed(writer, current)
            former = drop_prepared(writer)
            writer.prepared.put(made)
        remove_files(self._session.folder.path, former)
        return made

    def go_on(self, *, force: bool = False, by: str | None = None) -> Round:
        """Close the open round and open the prepared one, in one short transaction; returns the new round.

        `by` is who does so; None: whoever opened the project.
        Its images are the prepared batch without those that were answered meanwhile. Learn afterwards, with
        `Learners.learn` after the closed round. Raises NoOpenRound, NothingAnswered unless `force` is
        given, NothingPrepared, and JobRuns where somebody else closes the round at this moment.
        """
        with self._session.store.write() as writer:
            current = _refuse_unanswered(writer, force=force)
            for job in writer.jobs.live([JobKind.LEARN]):
                if job.title == f"close round {current.number}":
                    since = job.started_at or job.queued_at
                    raise JobRuns(job.id, job.title, job.asked_by, since, job.process.pid)
            prepared = prepared_for(writer, current)
            batch = None if prepared is None else still_to_ask(writer, prepared.batch)
            if prepared is None or batch is None:
                raise NothingPrepared(current.number)
            ahead, now = prepared.learner, self._session.now()
            learner = writer.computed.add_learner(
                round_id=current.id,
                posterior_id=ahead.posterior_id,
                class_list_id=ahead.class_list_id,
                file=ahead.file,
                labels=ahead.labels,
                settings=ahead.settings,
                now=now,
                ahead=True,
            )
            writer.prepared.drop()
            who = by or self._session.jobs.asked_by(JobKind.LEARN)
            writer.rounds.close(current.id, now, who)
            settings = {**batch.settings, "handed_over": circumstances(writer)}
            opened = replace(batch, learner_id=learner.id, settings=settings)
            return writer.rounds.open(opened_by(opened, who), now)

    def unlearned(self) -> Round | None:
        """The newest closed round that a learner is still due for: it was closed by `go_on`; else None."""
        with self._session.store.read() as reader:
            closed = [
                each
                for each in reader.rounds.all()
                if each.closed_at is not None and each.strategy != AUDIT_STRATEGY
            ]
            newest = reader.computed.learner()
        if not closed or (newest is not None and newest.round_id >= closed[-1].id):
            return None
        followed = [each for each in self._rounds_after(closed[-1]) if "prepared" in each.settings]
        return closed[-1] if followed else None

    def _rounds_after(self, closed: Round) -> list[Round]:
        with self._session.store.read() as reader:
            return [each for each in reader.rounds.all() if each.number == closed.number + 1]

    def _wish_like(self, current: Round) -> Wish:
        """What the open round was: the same strategy, size, targets, memory and numbers."""
        settings = current.settings
        sets: dict[str, Any] | None = settings.get("class_sets")
        return Wish(
            current.strategy,
            current.batch_size,
            None,
            targets_of_round(self._session.folder, settings),
            int(settings["memory"]),
            AcquisitionSettings.from_record(settings.get("acquisition_settings", {})),
            SetSettings(by_class=bool(sets["by_class"])) if sets else DEFAULT_SETS,
            frozenset(),
        )


def prepared_for(reader: Reader, current: Round | None) -> PreparedRound | None:
    """What was prepared to follow this round; None where nothing was."""
    found = reader.prepared.get()
    return found if found and current and found.after_round_id == current.id else None


def _refuse_unanswered(reader: Reader, *, force: bool = False) -> Round:
    """The open round. Raises NoOpenRound, and NothingAnswered unless `force` is given."""
    current = reader.rounds.current()
    if current is None:
        raise NoOpenRound
    items = reader.rounds.items(current.id)
    if not force and not any(item.label for item in items):
        raise NothingAnswered(current.number, len(items))
    return current
