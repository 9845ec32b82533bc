"""The batch that a strategy chose from the pool: everything of a round that is computed before it is opened.

Nothing is written here. Whoever opens the round stores the batch in one short transaction.

Dimensions used in this file
    N  images of the pool that have features
    n  candidates
    M  targets
    R  images of the pool that were refused or are asked
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
from alworkbench.project.image_columns import EncodedImages, ImageColumns
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
            pool = ImageColumns.read(reader, Role.POOL)
            answered = reader.labels.current(Role.POOL)
            taught = taught_labels(reader, classes)
            number = len(reader.rounds.all()) + 1
            seed = settings.seed + number if wish.seed is None else wish.seed
            record = self._session.posterior_record(reader)
            newest = reader.computed.learner()
            measured = reader.computed.metrics()
            asked_at = circumstances(reader, seed)
        encoded = self._session.encoded_of(pool)
        if record is None:
            refuse_nothing_to_ask(self._session, pool, answered, encoded.ids, wish.without)
        progress("ranking the pool", 0, 2)
        first = None
        if ahead is not None:
            learner, newest = ahead.learner, None
            measured = [*measured, *([ahead.measured] if ahead.measured else [])]
        else:
            learner = self._learners.load(newest, classes, record, pool)
        if not measured and ahead is None:
            first = self._measurements.compute(learner, classes, 0, None, 0)
            measured = [first] if first else []
        predicting = self._predictions.calibrated(learner, newest, classes, record, measured)
        taught_rows = encoded.rows_of(taught.images).tolist()
        given = {
            row: index for row, index in zip(taught_rows, taught.classes, strict=True) if row >= 0
        }
        context = AcquisitionContext(
            table=self._session.engine().table(),
            candidates=torch.tensor([], dtype=torch.long),
            targets=self._target_rows(wish.targets, encoded.rows, settings.seed),
            learner=learner.base,  # strategies choose better by it (L18)
            batch_size=wish.batch_size or settings.batch_size,
            seed=seed,
            draw_seed=settings.seed,
            labelled=torch.tensor(list(given), dtype=torch.long),
            labels=torch.tensor(list(given.values()), dtype=torch.long),
            refused=_rows_among(encoded, _refused(answered)),
            pending=_rows_among(encoded, set(asked) - answered.keys()),
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

        def choose(images: Int[np.ndarray, "n"]) -> tuple[Batch, list[int]]:
            candidates = torch.from_numpy(encoded.rows_of(images))
            selected = chosen.select(replace(context, candidates=candidates))
            return selected, encoded.images_of(selected.rows)

        taken = {*answered, *asked}
        found = choose_askable(self._session, pool, taken, encoded.ids, choose, wish.without)
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
                    NewItem(image, score, suggestion, probability)
                    for image, score, suggestion, probability in zip(
                        encoded.images_of(batch.rows),
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
        self, targets: TargetSet | None, pool: Int[np.ndarray, "N"], seed: int
    ) -> Int[torch.Tensor, "M"]:
        """Rows whose predictions matter: of a target set, of this workbench's targets, or the pool's."""
        if targets is None and self.targets:
            return self._session.engine().table().rows_of(self.targets)
        if targets is not None:
            pool = self._session.engine().table().rows_of(targets.hashes).numpy()
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


def _refused(answered: Mapping[int, Label]) -> set[int]:
    """Images that nobody gave a class: they were skipped or answered with `cannot tell`."""
    return {image for image, label in answered.items() if label.kind is not AnswerKind.CLASS}


def _rows_among(encoded: EncodedImages, images: Collection[int]) -> Int[torch.Tensor, "R"]:
    """The rows of those images that have features, in the order of their ids."""
    rows = encoded.rows_of(sorted(images))
    return torch.from_numpy(rows[rows >= 0])
