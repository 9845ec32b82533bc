"""The audit set: how many images it needs, and how they are drawn.

Images of the pool without an answer are drawn at random without replacement. They get the role audit and
are asked in a round of their own, without suggestions, because annotators who see a prediction tend to
agree with it. The audit set then represents the images that had no answer at that time, and not those
that were labelled before. To measure the whole pool, draw the audit set before the first round.

Dimensions used in this file
    n  images that can be drawn
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Int

from alworkbench.core.domain import AUDIT_STRATEGY, JobKind, NewItem, NewRound, Role, Round
from alworkbench.core.errors import NoImages, NothingToAsk, PoolExhausted, PosteriorMissing
from alworkbench.core.ports import Reader
from alworkbench.core.provenance import circumstances, versions
from alworkbench.evaluation.intervals import Z95, wilson
from alworkbench.project.accuracy_report import AccuracyReport, accuracy_report, history
from alworkbench.project.askable import Chosen, choose_askable, refuse_nothing_to_ask
from alworkbench.project.evidence import Evidence
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.image_files import file_faults, hashes_of
from alworkbench.project.opened_batch import opened_by
from alworkbench.project.session import Session, refuse_open, stored_id
from alworkbench.project.shared_work import shared_out
from alworkbench.project.status import newest_accuracy
from alworkbench.project.stopping import Advice, advise

if TYPE_CHECKING:
    from alworkbench.project.learners import Learners
    from alworkbench.project.predictions import Predictions

UNKNOWN_ACCURACY = 0.5
"""Expected where no accuracy is known. No other value needs more images for the same width."""


def half_width(images: int, expected_accuracy: float = UNKNOWN_ACCURACY) -> float:
    """Half of the 95 % Wilson interval of an accuracy measured on so many images; 0.07 is 7 points."""
    if images < 1:
        raise ValueError(f"an interval needs at least one image, found {images}")
    return wilson(expected_accuracy, images)[1]


def suggest_audit_size(
    wanted_half_width: float, expected_accuracy: float = UNKNOWN_ACCURACY
) -> int:
    """The fewest images whose 95 % Wilson interval is at most this wide to either side.

    Wilson's half-width h solved for 1/n: with p the accuracy and z = 1.96,
    z^4 (1/4 - h^2) / n^2 + z^2 (p (1 - p) - 2 h^2) / n - h^2 = 0. Raises ValueError outside (0, 0.5).
    """
    if not 0 < wanted_half_width < 0.5:
        raise ValueError(f"half a width lies between 0 and 0.5, found {wanted_half_width}")
    h, p, z = wanted_half_width, expected_accuracy, Z95
    a = z**4 * (0.25 - h * h)
    b = z * z * (p * (1 - p) - 2 * h * h)
    inverse = (-b + math.sqrt(b * b + 4 * a * h * h)) / (2 * a)
    return max(1, math.ceil(1 / inverse - 1e-9))


@dataclass(frozen=True, slots=True)
class AuditOffer:
    """What drawing an audit set would give, before anything is drawn."""

    images: int
    """To be answered now: those left from earlier draws, and new ones."""
    leftover: int
    """Of these, images drawn earlier that have no answer yet."""
    pool: int
    """Images without an answer that new ones are drawn from."""
    labelled_before: int
    """Images of the pool with an answer: the audit set does not represent them."""
    audit_before: int
    """Audit images with an answer."""
    expected_accuracy: float
    half_width: float
    """Of the accuracy, once all are answered, with those that were answered before."""


class Audit:
    """Draws the audit set, and says what was measured with it."""

    def __init__(
        self,
        session: Session,
        learners: Callable[[], Learners],
        predictions: Callable[[], Predictions],
    ) -> None:
        """Functions, so that nothing is loaded before it is asked for."""
        self._session = session
        self._learners, self._predictions = learners, predictions

    @cached_property
    def evidence(self) -> Evidence:
        """Labelled images against predictions that did not learn their label: errors and calibration."""
        return Evidence(self._session, self._learners, self._predictions)

    def offer(self, count: int) -> AuditOffer:
        """What drawing `count` images would give, at the newest accuracy that is known.

        Reads records only; nothing is drawn.
        """
        with self._session.store.read() as reader:
            known = newest_accuracy(reader.computed.metrics())
            expected = UNKNOWN_ACCURACY if known is None else known
            answered = reader.labels.current(Role.POOL)
            before = len(reader.labels.current(Role.AUDIT))
            pool = reader.images.count(Role.POOL) - len(answered)
            leftover = len(_leftover(reader))
        images = min(count, pool + leftover)
        width = half_width(max(1, before + images), expected)
        return AuditOffer(
            images, min(count, leftover), pool, len(answered), before, expected, width
        )

    def draw(self, count: int, seed: int | None = None, *, without: Collection[str] = ()) -> Round:
        """Draw unanswered images at random into the audit set, and open a round that asks them.

        Images of earlier draws without an answer come first. Images without features are not drawn,
        since nothing can be measured on them, nor are images whose file is gone or changed; `without` are
        content hashes of others, for a replay. Closing the round measures; nothing is learned from it.
        Raises RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted, NothingToAsk, ImageInUse, and
        JobRuns where somebody else opens a round at this moment.
        """
        title = f"draw {count} images for the audit set"
        with self._session.jobs.claim(JobKind.RANK, lambda: title):
            return self._draw(count, seed, without)

    def _draw(self, count: int, seed: int | None, without: Collection[str]) -> Round:
        started = time.perf_counter()
        session = self._session
        engine = session.engine()
        with session.store.read() as reader:
            refuse_open(reader)
            pool = ImageColumns.read(reader, Role.POOL)
            answered = reader.labels.current(Role.POOL)
            before = len(reader.labels.current(Role.AUDIT))
            posterior = session.posterior_record(reader)
            newest = reader.computed.learner()
            number = len(reader.rounds.all()) + 1
            settings = reader.settings()
            seed = settings.seed + number if seed is None else seed
            leftover = _leftover(reader)
            audit = dict(reader.images.ids_and_hashes(Role.AUDIT))
            classes = reader.classes.current()
            record = circumstances(reader, seed)
        encoded = session.encoded_of(pool).ids
        if posterior is None:
            if not leftover:
                refuse_nothing_to_ask(session, pool, answered, encoded, without)
            raise PosteriorMissing(engine.encoder_id)
        gone = set(without)
        if session.has_files:
            gone |= hashes_of(file_faults(session, {audit[image] for image in leftover}))
        leftover = [image for image in leftover if audit[image] not in gone][:count]

        def draw(free: Int[np.ndarray, "n"]) -> tuple[list[int], list[int]]:
            order = torch.randperm(len(free), generator=torch.Generator().manual_seed(seed))
            chosen = free[order[: count - len(leftover)].numpy()].tolist()
            return chosen, chosen

        try:
            asked = choose_askable(session, pool, answered, encoded, draw, gone)
        except (NoImages, PoolExhausted, NothingToAsk):
            if not leftover:
                raise
            asked = Chosen([], 0, tuple(sorted(gone)))
        drawn = asked.choice
        new = NewRound(
            strategy=AUDIT_STRATEGY,
            seed=seed,
            class_list_id=stored_id(classes.id),
            posterior_id=posterior.id,
            learner_id=newest.id if newest else None,
            seconds=time.perf_counter() - started,
            items=shared_out(
                [NewItem(image, None, None) for image in leftover]
                + [
                    NewItem(image, None, None, 1 / (asked.candidates - m))
                    for m, image in enumerate(drawn)
                ],
                settings,
                seed,
            ),
            settings={
                "wanted": count,
                "leftover": len(leftover),
                "candidates": asked.candidates,
                **({"left_out": list(asked.left_out)} if asked.left_out else {}),
                "labelled_before": len(answered),
                "audit_before": before,
                "record": record,
                "versions": versions(engine.device),
            },
        )
        with session.store.write() as writer:
            refuse_open(writer)
            now = session.now()
            writer.images.set_role(drawn, Role.AUDIT, now)
            return writer.rounds.open(opened_by(new, session.jobs.asked_by(JobKind.RANK)), now)

    def report(self, *, replayed: bool = True) -> AccuracyReport:
        """What the project's records say of its accuracy, each source under its own name.

        Raises InvalidResult for a damaged file of the replay, unless it is left out (`replayed`).
        """
        with self._session.store.read() as reader:
            reports = self._session.round_reports
            return accuracy_report(reader, self._session.folder, reports, replayed=replayed)

    def advise(self, target: float | None = None) -> Advice:
        """Whether to go on labelling, from what was recorded when rounds were closed.

        `target` is the accuracy that is wanted, between 0 and 1; None: that of the settings, if there is one.
        """
        with self._session.store.read() as reader:
            wanted = reader.settings().target_accuracy if target is None else target
            return advise(history(reader, wanted or None))


def _leftover(reader: Reader) -> list[int]:
    """Images of earlier draws that nobody answered, in the order in which they were drawn."""
    answered = reader.labels.current(Role.AUDIT)
    asked = [
        item.image_id
        for round_ in reader.rounds.all()
        if round_.strategy == AUDIT_STRATEGY
        for item in reader.rounds.items(round_.id)
    ]
    return [image for image in dict.fromkeys(asked) if image not in answered]
