"""Rounds: the pool is ranked, a batch is asked, and the round is closed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.acquisition.cost import Estimate
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    Item,
    JobKind,
    MetricRecord,
    Round,
    RoundCount,
)
from alworkbench.core.errors import NoOpenRound, NothingAnswered
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import versions
from alworkbench.engines.engine import Engine
from alworkbench.project.batch_estimate import estimate_batch
from alworkbench.project.class_sets import DEFAULT_SETS, SetSettings
from alworkbench.project.computed_learner import drop_prepared, remove_files
from alworkbench.project.kept_targets import TargetSet
from alworkbench.project.learners import Learners
from alworkbench.project.measurements import Measurements
from alworkbench.project.opened_batch import open_ranked
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.predictions import Predictions
from alworkbench.project.previews import Previews
from alworkbench.project.ranked_batch import MEMORY, Ranking, Wish
from alworkbench.project.replay_file import KeptReplay, newest_replay
from alworkbench.project.round_history import RoundReport
from alworkbench.project.session import Session, refuse_closed, refuse_open


@dataclass(frozen=True, slots=True)
class Taken:
    """How long the ranking of a round took."""

    number: int
    """Of the round."""
    seconds: float
    candidates: int
    """Images that it chose from."""


class Rounds:
    """A round is open until it is closed; at most one is open."""

    def __init__(
        self,
        session: Session,
        posteriors: Posteriors,
        measurements: Measurements,
        learners: Learners,
        predictions: Predictions,
        *,
        targets: Sequence[str] = (),
    ) -> None:
        """`targets` are content hashes of encoded images whose predictions matter.

        They may lie outside of the project. Without any, a random sample of the pool is the target.
        """
        self._session = session
        self._learners = learners
        self.ranking = Ranking(session, posteriors, measurements, learners, predictions, targets)
        self.previews = Previews(session, self.ranking)
        """Batches that are looked at before their round is opened."""

    def current(self) -> Round | None:
        """The open round."""
        with self._session.store.read() as reader:
            return reader.rounds.current()

    def all(self) -> list[Round]:
        """Every round, oldest first."""
        with self._session.store.read() as reader:
            return reader.rounds.all()

    def history(self) -> list[RoundReport]:
        """What every round was, and what it bought, oldest first; see `round_history`."""
        with self._session.store.read() as reader:
            return self._session.round_reports.read(reader)

    def items(self, round_id: int) -> list[Item]:
        """The images that a round asks, in the order of the batch, with their answers."""
        with self._session.store.read() as reader:
            return reader.rounds.items(round_id)

    def item(self, item_id: int) -> Item | None:
        """The image that a round asked under this id; None for an unknown id."""
        with self._session.store.read() as reader:
            return reader.rounds.item(item_id)

    def count(self, round_id: int) -> RoundCount:
        """How many of the answers that a round wants were given."""
        with self._session.store.read() as reader:
            return reader.rounds.progress(round_id)

    def propose(
        self,
        strategy: str | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        progress: Progress = silent,
        *,
        targets: TargetSet | None = None,
        memory: int = MEMORY,
        acquisition: AcquisitionSettings = DEFAULT_SETTINGS,
        sets: SetSettings | None = DEFAULT_SETS,
        without: Collection[str] = (),
        engine: Engine | None = None,
    ) -> Round:
        """Rank the pool, and open a round with the batch that a strategy chose.

        Defaults come from the project's settings; the seed moves on with the round number. With
        `targets` (see `Targets.take`), their predictions are what matters; of more than TARGETS a
        random sample, fixed by the project's seed. `memory` is what a strategy may hold beside the
        features, in bytes; `acquisition` are the tuned numbers of the strategies. `sets` is what the
        sets of likely classes promise (see `ClassSets`); None makes none, as in simulations. Images whose
        file is gone or changed are not asked; `without` are content hashes of others, for a replay. An
        `engine` weighs the pool, for strategies that stream.
        Raises UnknownStrategy, RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted,
        NothingToAsk, MemoryBudgetTooSmall, ChangedMeanwhile where the classes were changed meanwhile, JobRuns
        where somebody else ranks at this moment, EngineError, and JobCancelled.
        """
        wish = Wish(
            strategy,
            batch_size,
            seed,
            targets,
            memory,
            acquisition,
            sets,
            frozenset(without),
            engine,
        )
        with self._session.computing:
            with self._session.store.read() as reader:
                refuse_open(reader)
            with self._session.jobs.claim(JobKind.RANK, lambda: "rank the pool", progress) as told:
                ranked = self.ranking.rank(wish, told)
                told("ranking the pool", 2, 2)  # the last moment at which it can be stopped
                by = self._session.jobs.asked_by(JobKind.RANK)
                with self._session.store.write() as writer:
                    return open_ranked(writer, ranked, self._session.now(), by)

    def estimate(
        self,
        strategy: str | None = None,
        batch_size: int | None = None,
        *,
        targets: int | None = None,
        memory: int = MEMORY,
    ) -> Estimate:
        """What `propose` would cost, from sizes alone: nothing is ranked, opened or written.

        `targets` is how many images a target set would have; without it, the pool is the target.
        Raises UnknownStrategy, RoundStillOpen, FeaturesMissing, PoolExhausted.
        """
        own = targets is None and not self.ranking.targets
        return estimate_batch(self._session, strategy, batch_size, targets, memory, own)

    def took(self, strategy: str) -> Taken | None:
        """What the ranking of the newest round of this strategy took, here; None where none was ranked here.

        Here means: by the same versions, on the same device, with as many threads. Raises FeaturesMissing.
        """
        here = versions(self._session.engine().device)
        for each in reversed(self.all()):
            if each.strategy == strategy and each.settings.get("versions") == here:
                return Taken(each.number, each.seconds, int(each.settings.get("candidates", 0)))
        return None

    def newest_replay(self) -> KeptReplay | None:
        """The newest replay of the rounds, see `simulation.kept_replay`; None without one."""
        return newest_replay(self._session.folder)

    def close(self, progress: Progress = silent, *, force: bool = False) -> MetricRecord | None:
        """Learn from all labels, measure on the audit set, and close the open round.

        The learner, its measurement and the end of the round are stored in one transaction, or none of
        them. The round takes answers until then; those that come while the learner is computed belong to
        the next learner. A round of the audit set is measured with every learner, and nothing is learned
        from it. Items without an answer return to the pool. Returns None where there is no audit set to
        measure on. Raises NoOpenRound, FeaturesMissing, PosteriorMissing, NothingAnswered if no item has
        an answer, unless `force` is given, ChangedMeanwhile where somebody else closed the round or
        stored a learner meanwhile, JobRuns where somebody else learns at this moment, and JobCancelled.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                current = reader.rounds.current()
                items = reader.rounds.items(current.id) if current else []
            if current is None:
                raise NoOpenRound
            if not force and not any(item.label for item in items):
                raise NothingAnswered(current.number, len(items))
            title = f"close round {current.number}"
            with self._session.jobs.claim(JobKind.LEARN, lambda: title, progress) as told:
                if current.strategy == AUDIT_STRATEGY:
                    return self._close_audit(current, told)
                with (
                    self._learners.computed(current, told) as found,
                    self._session.store.write() as writer,
                ):
                    refuse_closed(writer, current)
                    stored, metrics = found.store(writer, self._session.now())
                    former = drop_prepared(writer)  # this learner ranks better
                    writer.rounds.close(current.id, self._session.now(), self._closer())
                remove_files(self._session.folder.path, former)
                self._learners.keep(found, stored)
                return metrics

    def _closer(self) -> str:
        return self._session.jobs.asked_by(JobKind.LEARN)

    def _close_audit(self, current: Round, progress: Progress) -> MetricRecord | None:
        measured = self._learners.all_measured(progress)
        with self._session.store.write() as writer:
            refuse_closed(writer, current)
            for each in measured:
                writer.computed.add_metrics(each)
            writer.rounds.close(current.id, self._session.now(), self._closer())
        return measured[-1] if measured else None
