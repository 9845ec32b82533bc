"""The batch that a strategy chose from the pool: everything of a round that is computed before it is opened.

Nothing is written here. Whoever opens the round stores the batch in one short transaction.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Int

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext, Batch
from alworkbench.core.domain import (
    LIKELIEST,
    AnswerKind,
    ClassList,
    Label,
    MetricRecord,
    NewItem,
    NewRound,
    Role,
    Suggestion,
)
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances, versions
from alworkbench.engines.engine import Engine
from alworkbench.project.askable import choose_askable, refuse_nothing_to_ask
from alworkbench.project.batch_estimate import DRAWS, TARGETS
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.class_sets import DEFAULT_SETS, SetSettings, class_sets
from alworkbench.project.computed_learner import ComputedLearner
from alworkbench.project.feature_map import find_keys
from alworkbench.project.kept_targets import TargetSet
from alworkbench.project.learners import Learners
from alworkbench.project.measurements import Measurements
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.predictions import Predictions
from alworkbench.project.session import Session, some_of, stored_id
from alworkbench.project.shared_work import shared_out
from alworkbench.project.taught_labels import taught_labels

MEMORY = 1 << 30
"""Default of the memory that a strategy may use beside the features, in bytes."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a batch shall be; None stands for the project's settings. See `Rounds.propose`."""

    strategy: str | None = None
    batch_size: int | None = None
    seed: int | None = None
    targets: TargetSet | None = None
    memory: int = MEMORY
    acquisition: AcquisitionSettings = DEFAULT_SETTINGS
    sets: SetSettings | None = DEFAULT_SETS
    without: Collection[str] = frozenset()
    engine: Engine | None = None
    """Computes the scores; None: this process does."""


@dataclass(frozen=True, slots=True)
class RankedBatch:
    """A round that can be opened."""

    round: NewRound
    measured: MetricRecord | None
    """The first measurement of the zero-shot model, to be stored with the round; None: it has one."""


class Ranking:
    """Ranks the pool with the newest learner."""

    def __init__(
        self,
        session: Session,
        posteriors: Posteriors,
        measurements: Measurements,
        learners: Learners,
        predictions: Predictions,
        targets: Sequence[str],
    ) -> None:
        """`targets` are content hashes of images whose predictions matter; see `Rounds`."""
        self._session = session
        self._posteriors = posteriors
        self._measurements = measurements
        self._learners = learners
        self._predictions = predictions
        self.targets = tuple(targets)

    def rank(
        self,
        wish: Wish,
        progress: Progress = silent,
        ahead: ComputedLearner | None = None,
        asked: Collection[int] = (),
    ) -> RankedBatch:
        """The batch of the next round. Raises what `Rounds.propose` raises, but for RoundStillOpen.

        It is ranked by the newest learner, or by one `ahead` that no record names yet. Images that are
        `asked` already (ids) are no candidates.
        """
        started = time.perf_counter()
        with self._session.store.read() as reader:
            settings = reader.settings()
            chosen = find_strategy(wish.strategy or settings.strategy)
            classes = reader.classes.current()
            pool = reader.images.ids_and_hashes(Role.POOL)
            answered = reader.labels.current(Role.POOL)
            taught = taught_labels(reader, classes)
            number = len(reader.rounds.all()) + 1
            seed = settings.seed + number if wish.seed is None else wish.seed
            record = self._session.posterior_record(reader)
            newest = reader.computed.learner()
            measured = reader.computed.metrics()
            asked_at = circumstances(reader, seed)
        image_of_row = self._session.rows_of(pool)
        if record is None:
            ids = list(image_of_row.values())
            refuse_nothing_to_ask(self._session, pool, answered, ids, wish.without)
        progress("ranking the pool", 0, 2)
        first = None
        if ahead is not None:
            learner, newest = ahead.learner, None
            measured = [*measured, *([ahead.measured] if ahead.measured else [])]
        else:
            learner = self._learners.load(newest, classes, record)
        if not measured and ahead is None:
            first = self._measurements.compute(learner, classes, 0, None, 0)
            measured = [first] if first else []
        predicting = self._predictions.calibrated(learner, newest, classes, record, measured)
        encoded = list(image_of_row.values())
        rows_of = _RowsOfImages(image_of_row)
        given = {
            row: index
            for row, index in zip(rows_of(taught.images).tolist(), taught.classes, strict=True)
            if row >= 0
        }
        context = AcquisitionContext(
            table=self._session.engine().table(),
            candidates=torch.tensor([], dtype=torch.long),
            targets=self._target_rows(wish.targets, list(image_of_row), settings.seed),
            learner=learner.base,  # strategies choose better by it (L18)
            batch_size=wish.batch_size or settings.batch_size,
            seed=seed,
            draw_seed=settings.seed,
            labelled=torch.tensor(list(given), dtype=torch.long),
            labels=torch.tensor(list(given.values()), dtype=torch.long),
            refused=torch.tensor(_refused(image_of_row, answered), dtype=torch.long),
            pending=torch.tensor(_pending(image_of_row, answered, asked), dtype=torch.long),
            pool_is_target=wish.targets is None and not self.targets,
            goal=settings.goal,
            unknown_names=sum(
                each.unknown for each in self._posteriors.known_names(classes, record)
            ),
            draws=DRAWS,
            memory=wish.memory,
            settings=wish.acquisition,
            engine=wish.engine,
        )

        def choose(images: list[int]) -> tuple[Batch, list[int]]:
            selected = chosen.select(replace(context, candidates=rows_of(images)))
            return selected, [image_of_row[row] for row in selected.rows]

        taken = {*answered, *asked}
        found = choose_askable(self._session, pool, taken, encoded, choose, wish.without)
        batch = found.choice
        progress("ranking the pool", 1, 2)
        suggestions, likeliest = self._suggest(predicting, classes, batch.rows)
        likely = wish.sets and class_sets(
            self._session, learner, classes, batch, found.candidates, wish.sets
        )
        new = NewRound(
            strategy=chosen.name,
            seed=context.seed,
            class_list_id=stored_id(classes.id),
            posterior_id=record.id if record else None,
            learner_id=newest.id if newest else None,
            seconds=time.perf_counter() - started,
            items=shared_out(
                [
                    NewItem(image_of_row[row], score, suggestion, probability)
                    for row, score, suggestion, probability in zip(
                        batch.rows,
                        batch.scores,
                        suggestions,
                        batch.probabilities or (None,) * len(batch.rows),
                        strict=True,
                    )
                ],
                settings,
                seed,
            ),
            settings={
                "draws": context.draws,
                "candidates": found.candidates,
                **({"left_out": list(found.left_out)} if found.left_out else {}),
                "memory": wish.memory,
                "acquisition_settings": wish.acquisition.record(),
                **({"targets": wish.targets.name} if wish.targets else {}),
                "calibration": predicting.calibration.as_record(),
                **({"class_sets": likely.as_record()} if likely else {}),
                **({"likeliest": likeliest} if classes.more_than_digits else {}),
                "record": asked_at,
                "versions": versions(self._session.engine().device),
                **({} if newest or ahead else self._learners.snapshot(learner, classes, pool, ())),
            },
        )
        return RankedBatch(new, first)

    def _target_rows(
        self, targets: TargetSet | None, pool: list[int], seed: int
    ) -> Int[torch.Tensor, "M"]:
        """Rows whose predictions matter: of a target set, of this workbench's targets, or the pool's."""
        if targets is None and self.targets:
            return self._session.engine().table().rows_of(self.targets)
        if targets is not None:
            pool = self._session.engine().table().rows_of(targets.hashes).tolist()
        return torch.tensor(some_of(pool, TARGETS, seed))

    def _suggest(
        self, learner: CalibratedLearner, classes: ClassList, rows: tuple[int, ...]
    ) -> tuple[list[Suggestion], list[list[int]]]:
        """For each row the most probable class, and the ids of the `LIKELIEST` most probable ones."""
        features = (
            self._session.engine().table().gather(torch.tensor(rows), self._session.engine().device)
        )
        ids = [stored_id(each.id) for each in classes.classes]
        # A stable order: of equal probabilities the first class comes first, on every run.
        found = learner.probabilities(features).sort(dim=-1, descending=True, stable=True)
        likeliest = [[ids[k] for k in best] for best in found.indices[:, :LIKELIEST].tolist()]
        suggestions = [
            Suggestion(best[0], probability)
            for best, probability in zip(likeliest, found.values[:, 0].tolist(), strict=True)
        ]
        return suggestions, likeliest


class _RowsOfImages:
    """The rows of images by their ids, as two arrays: a dictionary takes five times the memory."""

    def __init__(self, image_of_row: Mapping[int, int]) -> None:
        rows = np.fromiter(image_of_row.keys(), np.int64, len(image_of_row))
        images = np.fromiter(image_of_row.values(), np.int64, len(image_of_row))
        order = np.argsort(images, kind="stable")
        self._images, self._rows = images[order], rows[order]

    def __call__(self, images: Sequence[int]) -> Int[torch.Tensor, "M"]:
        """The row of each image, -1 for one without features."""
        at, there = find_keys(self._images, np.array(images, np.int64))
        found = np.full(len(at), -1, np.int64)
        found[there] = self._rows[at[there]]
        return torch.from_numpy(found)


def _refused(image_of_row: Mapping[int, int], answered: Mapping[int, Label]) -> list[int]:
    """Rows of images that nobody gave a class: they were skipped or answered with `cannot tell`."""
    return [
        row
        for row, image in image_of_row.items()
        if image in answered and answered[image].kind is not AnswerKind.CLASS
    ]


def _pending(
    image_of_row: Mapping[int, int], answered: Mapping[int, Label], asked: Collection[int]
) -> list[int]:
    """Rows of images that the open round asks and nobody has answered."""
    waiting = {image for image in asked if image not in answered}
    return [row for row, image in image_of_row.items() if image in waiting]
