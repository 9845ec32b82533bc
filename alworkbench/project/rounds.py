"""Rounds: the pool is ranked, a batch is asked, and the round is closed."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Int

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.cost import Estimate
from alworkbench.acquisition.strategy import AcquisitionContext, Batch
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    AnswerKind,
    ClassList,
    Item,
    Label,
    MetricRecord,
    NewItem,
    NewRound,
    Role,
    Round,
    Suggestion,
)
from alworkbench.core.errors import NoOpenRound, NothingAnswered
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances, versions
from alworkbench.project.askable import choose_askable
from alworkbench.project.batch_estimate import DRAWS, TARGETS, estimate_batch
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.class_sets import DEFAULT_SETS, SetSettings, class_sets
from alworkbench.project.learners import Learners
from alworkbench.project.measurements import Measurements
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.predictions import Predictions
from alworkbench.project.session import Session, refuse_open, some_of, stored_id
from alworkbench.project.target_sets import TargetSet
from alworkbench.project.taught_labels import taught_labels

MEMORY = 1 << 30
"""Default of the memory that a strategy may use beside the features, in bytes."""


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
        self._posteriors = posteriors
        self._measurements = measurements
        self._learners = learners
        self._predictions = predictions
        self._targets = tuple(targets)

    def current(self) -> Round | None:
        """The open round."""
        with self._session.store.read() as reader:
            return reader.rounds.current()

    def all(self) -> list[Round]:
        """Every round, oldest first."""
        with self._session.store.read() as reader:
            return reader.rounds.all()

    def items(self, round_id: int) -> list[Item]:
        """The images that a round asks, in the order of the batch, with their answers."""
        with self._session.store.read() as reader:
            return reader.rounds.items(round_id)

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
    ) -> Round:
        """Rank the pool, and open a round with the batch that a strategy chose.

        Defaults come from the project's settings; the seed moves on with the round number. With
        `targets` (see `Targets.take`), their predictions are what matters; of more than TARGETS a
        random sample, fixed by the project's seed. `memory` is what a strategy may hold beside the
        features, in bytes; `acquisition` are the tuned numbers of the strategies. `sets` is what the
        sets of likely classes promise (see `ClassSets`); None makes none, as in simulations. Images whose
        file is gone or changed are not asked; `without` are content hashes of others, for a replay.
        Raises UnknownStrategy, RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted,
        NothingToAsk, MemoryBudgetTooSmall.
        """
        with self._session.computing:
            started = time.perf_counter()
            with self._session.store.read() as reader:
                settings = reader.settings()
                chosen = find_strategy(strategy or settings.strategy)
                refuse_open(reader)
                classes = reader.classes.current()
                pool = reader.images.ids_and_hashes(Role.POOL)
                answered = reader.labels.current(Role.POOL)
                taught = taught_labels(reader, classes)
                number = len(reader.rounds.all()) + 1
                record = self._session.posterior_record(reader)
                newest = reader.computed.learner()
                measured = reader.computed.metrics()
                asked_at = circumstances(reader, settings.seed + number if seed is None else seed)
            progress("ranking the pool", 0, 2)
            learner = self._learners.load(newest, classes, record)
            if not measured:
                zero_shot = self._measurements.measure(learner, classes, 0, None, 0)
                measured = [zero_shot] if zero_shot else []
            predicting = self._predictions.calibrated(learner, newest, classes, record, measured)
            image_of_row = self._session.rows_of(pool)
            row_of = {image: row for row, image in image_of_row.items()}
            given = {
                row_of[image]: index
                for image, index in zip(taught.images, taught.classes, strict=True)
                if image in row_of
            }
            context = AcquisitionContext(
                table=self._session.engine().table(),
                candidates=torch.tensor([], dtype=torch.long),
                targets=self._target_rows(targets, list(image_of_row), settings.seed),
                learner=learner.base,  # strategies choose better by it (L18)
                batch_size=batch_size or settings.batch_size,
                seed=settings.seed + number if seed is None else seed,
                draw_seed=settings.seed,
                labelled=torch.tensor(list(given), dtype=torch.long),
                labels=torch.tensor(list(given.values()), dtype=torch.long),
                refused=torch.tensor(_refused(image_of_row, answered), dtype=torch.long),
                pool_is_target=targets is None and not self._targets,
                goal=settings.goal,
                unknown_names=sum(
                    each.unknown for each in self._posteriors.known_names(classes, record)
                ),
                draws=DRAWS,
                memory=memory,
                settings=acquisition,
            )

            def choose(images: list[int]) -> tuple[Batch, list[int]]:
                rows = torch.tensor([row_of[image] for image in images])
                selected = chosen.select(replace(context, candidates=rows))
                return selected, [image_of_row[row] for row in selected.rows]

            asked = choose_askable(self._session, pool, answered, list(row_of), choose, without)
            batch = asked.choice
            progress("ranking the pool", 1, 2)
            suggestions = self._suggest(predicting, classes, batch.rows)
            likely = sets and class_sets(
                self._session, learner, classes, batch, asked.candidates, sets
            )
            new = NewRound(
                strategy=chosen.name,
                seed=context.seed,
                class_list_id=stored_id(classes.id),
                posterior_id=record.id if record else None,
                learner_id=newest.id if newest else None,
                seconds=time.perf_counter() - started,
                items=[
                    NewItem(image_of_row[row], score, suggestion, probability)
                    for row, score, suggestion, probability in zip(
                        batch.rows,
                        batch.scores,
                        suggestions,
                        batch.probabilities or (None,) * len(batch.rows),
                        strict=True,
                    )
                ],
                settings={
                    "draws": context.draws,
                    "candidates": asked.candidates,
                    **({"left_out": list(asked.left_out)} if asked.left_out else {}),
                    "memory": memory,
                    "acquisition_settings": acquisition.record(),
                    **({"targets": targets.name} if targets else {}),
                    "calibration": predicting.calibration.as_record(),
                    **({"class_sets": likely.as_record()} if likely else {}),
                    "record": asked_at,
                    "versions": versions(self._session.engine().device),
                    **({} if newest else self._learners.snapshot(learner, classes, pool, ())),
                },
            )
            with self._session.store.write() as writer:
                opened = writer.rounds.open(new, self._session.now())
            progress("ranking the pool", 2, 2)
            return opened

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
        own = targets is None and not self._targets
        return estimate_batch(self._session, strategy, batch_size, targets, memory, own)

    def close(self, progress: Progress = silent, *, force: bool = False) -> MetricRecord | None:
        """Learn from all labels, measure on the audit set, and close the open round.

        A round of the audit set is measured with every learner, and nothing is learned from it. Items
        without an answer return to the pool. Returns None where there is no audit set to measure on.
        Raises NoOpenRound, FeaturesMissing, PosteriorMissing, and NothingAnswered if no item has an
        answer, unless `force` is given.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                current = reader.rounds.current()
                items = reader.rounds.items(current.id) if current else []
            if current is None:
                raise NoOpenRound
            if not force and not any(item.label for item in items):
                raise NothingAnswered(current.number, len(items))
            if current.strategy == AUDIT_STRATEGY:
                metrics = self._learners.measure_all(progress)
            else:
                metrics = self._learners.learn_from_round(current, progress)
            with self._session.store.write() as writer:
                writer.rounds.close(current.id, self._session.now())
            return metrics

    def _target_rows(
        self, targets: TargetSet | None, pool: list[int], seed: int
    ) -> Int[torch.Tensor, "M"]:
        """Rows whose predictions matter: of a target set, of this workbench's targets, or the pool's."""
        if targets is None and self._targets:
            return self._session.engine().table().rows_of(self._targets)
        if targets is not None:
            pool = self._session.engine().table().rows_of(targets.hashes).tolist()
        return torch.tensor(some_of(pool, TARGETS, seed))

    def _suggest(
        self, learner: CalibratedLearner, classes: ClassList, rows: tuple[int, ...]
    ) -> list[Suggestion]:
        features = (
            self._session.engine().table().gather(torch.tensor(rows), self._session.engine().device)
        )
        top = learner.probabilities(features).max(dim=-1)
        return [
            Suggestion(stored_id(classes.classes[index].id), probability)
            for probability, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        ]


def _refused(image_of_row: Mapping[int, int], answered: Mapping[int, Label]) -> list[int]:
    """Rows of images that nobody gave a class: they were skipped or answered with `cannot tell`."""
    return [
        row
        for row, image in image_of_row.items()
        if image in answered and answered[image].kind is not AnswerKind.CLASS
    ]
