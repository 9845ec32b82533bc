"""Evidence: labelled images, and what the newest learner says of each without having learned its label.

Two sets are kept apart. The audit set was drawn at random and is never learned from: it measures the pool.
Labels of the pool that are left out one by one were chosen, as a rule by a strategy: they show which classes
are taken for which, and do not measure the pool.

Predictions are of the newest learner, or of the zero-shot model before the first one. Labels of the audit set
are those of now; labels that are left out are those that the newest learner has learned. A set is computed
when it is first asked for, and kept in memory until something changes that it depends on. The pages of a
server let a job compute it, which stores it in a file (`stored_evidence`).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from alworkbench import __version__
from alworkbench.core.domain import JobKind, MetricRecord, Role
from alworkbench.core.errors import NoOpenRound, TooFewLabels
from alworkbench.core.progress import Progress, silent
from alworkbench.evaluation.confusions import Confusions
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.learned_images import learned_hashes
from alworkbench.project.session import Session
from alworkbench.project.stored_evidence import EvidenceMarks, newest_stored, store_evidence

if TYPE_CHECKING:
    from alworkbench.project.calibration_evidence import CalibrationEvidence
    from alworkbench.project.class_sets import SetCheck
    from alworkbench.project.learners import Learners
    from alworkbench.project.predictions import Predictions

TITLES = {
    EvidenceSet.AUDIT: "compare the audit set with predictions",
    EvidenceSet.LEFT_OUT: "leave out each label that was learned",
}
"""Of the jobs that compute the sets."""


class Evidence:
    """The evidence of one project. Threads share it; it writes nothing but what `compute` stores."""

    def __init__(
        self,
        session: Session,
        learners: Callable[[], Learners],
        predictions: Callable[[], Predictions],
    ) -> None:
        """Functions, so that a list of images without evidence loads no model."""
        self._session = session
        self._learners = learners
        self._predictions = predictions
        self._lock = threading.Lock()
        self._images: dict[EvidenceSet, tuple[str, EvidenceImages | None]] = {}
        self._calibrations: dict[EvidenceSet, tuple[EvidenceMarks, CalibrationEvidence | None]] = {}

    def images(self, source: EvidenceSet) -> EvidenceImages | None:
        """One set; None where it has no labelled image that the model can predict.

        Raises FeaturesMissing and PosteriorMissing.
        """
        return self._at(source)[1]

    def confusions(self, source: EvidenceSet = EvidenceSet.AUDIT) -> Confusions | None:
        """Labels against predictions of one set; None and raises as `images`."""
        found = self.images(source)
        return None if found is None else found.confusions

    def calibration(self, source: EvidenceSet = EvidenceSet.AUDIT) -> CalibrationEvidence | None:
        """Whether the probabilities hold on one set; None and raises as `images`."""
        return self._calibrated(source)[1]

    def compute(self, source: EvidenceSet, progress: Progress = silent) -> None:
        """Compute one set and its calibration in a job, and store both for other processes.

        Raises what `images` raises, JobRuns and JobCancelled.
        """
        jobs = self._session.jobs
        with jobs.claim(JobKind.ERRORS, lambda: TITLES[source], progress) as told:
            told("predicting labelled images", 0, 2)
            self.images(source)
            told("checking probabilities", 1, 2)
            marks, calibration, images = self._calibrated(source)
            told("storing", 2, 2)  # the last moment at which it can be stopped
            store_evidence(self._session.folder, source, marks, images, calibration)

    def waits(self, source: EvidenceSet, *, calibration: bool = False) -> str | None:
        """The mark of what `compute` has to compute first; None where a page has its answer at once.

        That is the case where the answer is kept, where a label, a learner or a posterior is missing, and
        where nothing can be stored. With `calibration` it says so of the calibration as well.
        """
        if self._session.read_only or not self._can_be_there(source):
            return None
        mark = self._mark(source)
        marks = EvidenceMarks(mark, _digest(self._measured()) if calibration else None)
        kept, known = self._images.get(source), self._calibrations.get(source)
        if kept and kept[0] == mark and (not calibration or (known and known[0] == marks)):
            return None
        stored = newest_stored(self._session.folder, source)
        if stored is not None and stored.fits(marks):
            return None
        return _digest(marks)

    # ------------------------------------------------------------------------------------ what is kept
    def _at(self, source: EvidenceSet) -> tuple[str, EvidenceImages | None]:
        """The images, and the mark at which they were read."""
        with self._lock:
            mark = self._mark(source)
            kept = self._images.get(source)
            if kept is not None and kept[0] == mark:
                return mark, kept[1]
            stored = newest_stored(self._session.folder, source)
            if stored is not None and stored.fits(EvidenceMarks(mark)):
                with self._session.store.read() as reader:
                    found = stored.read_images(reader.classes.get)
            else:
                found = self._audit() if source is EvidenceSet.AUDIT else self._left_out()
            self._images[source] = (mark, found)
            return mark, found

    def _calibrated(
        self, source: EvidenceSet
    ) -> tuple[EvidenceMarks, CalibrationEvidence | None, EvidenceImages | None]:
        """The calibration of a set with its marks, and the images that it was computed of."""
        from alworkbench.project.calibration import audit_temperature, logit_source
        from alworkbench.project.calibration_evidence import calibration_evidence

        mark, found = self._at(source)
        measured = self._measured()
        marks = EvidenceMarks(mark, _digest(measured))
        if found is None:
            return marks, None, None
        kept = self._calibrations.get(source)
        if kept is not None and kept[0] == marks:
            return marks, kept[1], found
        stored = newest_stored(self._session.folder, source)
        if stored is not None and stored.fits(marks):
            made = stored.read_calibration()
        else:
            newest = self._predictions().newest()
            encoder_id = self._session.engine().encoder_id
            source_of = logit_source(newest.learner, found.learner_id, found.classes, encoder_id)
            record = audit_temperature(source_of, measured)
            made = calibration_evidence(found, newest.calibration, record.fit if record else None)
        self._calibrations[source] = (marks, made)
        return marks, made, found

    def set_checks(self) -> list[SetCheck]:
        """Of each round with likely classes and answers: how often the answer was among them."""
        from alworkbench.project.class_sets import check_sets

        with self._session.store.read() as reader:
            found = [
                check_sets(each, reader.rounds.items(each.id))
                for each in reader.rounds.all()
                if each.class_sets is not None
            ]
        return [each for each in found if each is not None]

    # ------------------------------------------------------------------------------ the two sets
    def _can_be_there(self, source: EvidenceSet) -> bool:
        """Whether there is something to predict, and something that predicts."""
        with self._session.store.read() as reader:
            encoder = reader.computed.encoder()
            if encoder is None or reader.computed.posterior(encoder.id) is None:
                return False
            if source is EvidenceSet.LEFT_OUT:
                return reader.computed.learner() is not None
            return reader.labels.moment(Role.AUDIT).label > 0

    def _measured(self) -> list[MetricRecord]:
        """The records themselves: a new measurement of a learner replaces the one before."""
        with self._session.store.read() as reader:
            return reader.computed.metrics()

    def _mark(self, source: EvidenceSet) -> str:
        """Equal marks, equal evidence."""
        with self._session.store.read() as reader:
            newest = reader.computed.learner()
            encoder = reader.computed.encoder()
            posterior = reader.computed.posterior(encoder.id) if encoder else None
            mark = (
                newest.id if newest else None,
                encoder,
                posterior.id if posterior else None,
                reader.classes.current().id,
                reader.images.mark(),
                reader.labels.moment(Role.AUDIT) if source is EvidenceSet.AUDIT else None,
                reader.settings(),
            )
        # Images are encoded after they are imported.
        encoded = len(self._session.engine().table()) if encoder else 0
        return _digest((__version__, *mark, encoded))

    def _audit(self) -> EvidenceImages | None:
        import torch

        from alworkbench.project.measurements import audit_answers, audit_truth, logits_of

        with self._session.store.read() as reader:
            classes = reader.classes.current()
            truth = audit_truth(reader, classes)
            if not truth:
                return None
            newest = reader.computed.learner()
            posterior = self._session.posterior_record(reader)
            learned = learned_hashes(self._session, reader)
            id_of = {content: image for image, content in reader.images.ids_and_hashes(Role.AUDIT)}
            answers = audit_answers(reader, classes, list(truth))
        engine = self._session.engine()
        hashes = list(truth)
        found = engine.table().find(hashes)
        rows = [row for row, each in enumerate(hashes) if found[row] >= 0 and each not in learned]
        if not rows:
            return None
        kept = [hashes[row] for row in rows]
        with self._session.computing:
            learner = self._learners().load(newest, classes, posterior)
            logits = logits_of(engine, learner, torch.from_numpy(found[rows]))
        return EvidenceImages(
            EvidenceSet.AUDIT,
            classes,
            np.array([id_of[each] for each in kept], np.int64),
            np.array([truth[each] for each in kept], np.int64),
            logits.cpu(),
            answers[torch.tensor(rows)].cpu(),
            newest.id if newest else None,
            newest.labels if newest else 0,
        )

    def _left_out(self) -> EvidenceImages | None:
        import torch

        from alworkbench.project.left_out_labels import left_out_predictions

        try:
            with self._session.computing:
                found = left_out_predictions(self._session, self._learners())
        except (NoOpenRound, TooFewLabels):
            return None
        if not found.images:
            return None
        return EvidenceImages(
            EvidenceSet.LEFT_OUT,
            found.classes,
            np.array(found.images, np.int64),
            found.given.numpy(),
            found.logits,
            torch.nn.functional.one_hot(found.given, len(found.classes)).double(),
            found.learner.id,
            found.learner.labels,
        )


def _digest(values: object) -> str:
    """The SHA-256 of values that say in their `repr` all that they are, such as records."""
    return hashlib.sha256(repr(values).encode()).hexdigest()
