"""Learners: the model adapted to all labels, stored with what stopping rules read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any
from uuid import uuid4

import torch

from alworkbench.adaptation.adaptation_settings import (
    DEFAULT_SETTINGS,
    AdaptationSettings,
    Strengths,
)
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.leave_one_out import leave_one_out, leaves_out
from alworkbench.adaptation.method_cards import LINEARISED
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import (
    ClassList,
    JobKind,
    LearnerRecord,
    MetricRecord,
    PosteriorRecord,
    Role,
    Round,
)
from alworkbench.core.errors import NoOpenRound
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances, taught_marks
from alworkbench.project import stability
from alworkbench.project.artifacts import starting_learner
from alworkbench.project.computed_learner import ComputedLearner
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.measured_learners import measured_learners, measured_zero_shot
from alworkbench.project.measurements import Measurements
from alworkbench.project.pool_samples import PoolSamples
from alworkbench.project.session import Session, stored_id
from alworkbench.project.taught_labels import TaughtLabels, taught_labels


class Learners:
    """One computation at a time. What belongs together is stored in one short transaction."""

    def __init__(
        self,
        session: Session,
        measurements: Measurements,
        *,
        strengths: Strengths | None = None,
        take_snapshots: bool = True,
    ) -> None:
        """What stopping rules read is recorded unless `take_snapshots` is off, as in simulations."""
        self._session = session
        self._measurements = measurements
        self._strengths = strengths or Strengths()
        self._take_snapshots = take_snapshots
        self._kept: tuple[tuple[object, ...], Learner] | None = None

    def newest(self) -> Learner:
        """The learner of the newest labels; before the first label, the zero-shot model.

        Raises FeaturesMissing, PosteriorMissing.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                classes = reader.classes.current()
                record = self._session.posterior_record(reader)
                newest = reader.computed.learner()
            return self.load(newest, classes, record)

    def zero_shot(self, classes: ClassList, record: PosteriorRecord | None) -> Learner:
        """The model before labels, and without anything that the pool taught.

        Raises PosteriorMissing, FeaturesMissing.
        """
        return starting_learner(self._session.engine(), classes, record, self._strengths)

    def change_method(self, name: str) -> None:
        """Learn by this method from now on. Raises UnknownAdaptation."""
        method = find_method(name)
        with self._session.store.write() as writer:
            writer.save_settings(replace(writer.settings(), adaptation=method.name))

    def learn(
        self,
        progress: Progress = silent,
        adaptation: AdaptationSettings = DEFAULT_SETTINGS,
        after: Round | None = None,
    ) -> MetricRecord | None:
        """Learn again from all labels, under the newest round, such as after labels came from a file.

        With `after`, the learner is that of this round. Learner and measurement are stored together, or
        neither. Returns None where there is no audit set.
        Raises NoOpenRound before the first round, ChangedMeanwhile, JobRuns and JobCancelled.
        """
        with self._session.computing:
            with self._session.store.read() as reader:
                rounds = reader.rounds.all()
            if not rounds:
                raise NoOpenRound
            title = f"learn from round {after.number}" if after else "learn from all labels"
            with (
                self._session.jobs.claim(JobKind.LEARN, lambda: title, progress) as told,
                self.computed(after or rounds[-1], told, adaptation) as found,
                self._session.store.write() as writer,
            ):
                stored, measured = found.store(writer, self._session.now())
            self.keep(found, stored)
            return measured

    def load(
        self,
        newest: LearnerRecord | None,
        classes: ClassList,
        record: PosteriorRecord | None,
        pool: ImageColumns | None = None,
    ) -> Learner:
        """The learner of a record, or without one the zero-shot model; the last of a stored list is kept.

        `pool` are the pool's images, where the caller has read them already.
        Raises PosteriorMissing, FeaturesMissing, InvalidLearnerFile.
        """
        usual = self._session.settings().adaptation
        samples = PoolSamples(self._session, pool)
        known = newest.id if newest else (usual, samples.sizes())
        key = (known, classes.id, record.id if record else None)
        if self._kept is not None and self._kept[0] == key:
            return self._kept[1]
        learner = self.zero_shot(classes, record)
        if newest is not None:
            stored = load_learner(self._session.folder.path / newest.file)
            engine = self._session.engine()
            labelled = engine.table().gather(engine.table().rows_of(stored.hashes), engine.device)
            recorded = newest.settings
            adaptation = AdaptationSettings.from_record(recorded.get("adaptation_settings", {}))
            # Before files held the labels, the record named one class for each image.
            one_class = torch.tensor(recorded.get("classes", ()), dtype=torch.long)
            targets, weights = stored.labels or (
                torch.nn.functional.one_hot(one_class, len(classes)).double(),
                torch.ones(len(one_class), dtype=torch.float64),
            )
            learner = find_method(str(recorded.get("adaptation", LINEARISED))).restore(
                learner,
                stored.weights,
                labelled,
                targets,
                weights,
                int(recorded.get("seed", 0)),
                partial(samples.for_class_prior, adaptation),
                adaptation,
                partial(samples.unlabelled, adaptation, stored.hashes),
            )
        else:
            unlabelled = partial(samples.unlabelled, DEFAULT_SETTINGS, ())
            learner = find_method(usual).without_labels(learner, unlabelled)
        if classes.id is not None:
            self._kept = (key, learner)
        return learner

    @contextmanager
    def computed(
        self,
        current: Round,
        progress: Progress = silent,
        adaptation: AdaptationSettings = DEFAULT_SETTINGS,
        *,
        watched: bool = True,
        classes: ClassList | None = None,
    ) -> Iterator[ComputedLearner]:
        """A learner of all labels under this round, measured, for the block that stores it.

        It knows the newest class list, or these `classes`, which the block then stores. Its file is
        written; it is deleted again where the block does not store the learner. Unless it is `watched`, it
        records nothing for stopping rules. Raises FeaturesMissing, PosteriorMissing.
        """
        progress("learning", 0, 3)
        with self._session.store.read() as reader:
            classes = classes or reader.classes.current()
            record = self._session.posterior_record(reader)
            taught = taught_labels(reader, classes)
            pool = ImageColumns.read(reader, Role.POOL)
            learned_at = circumstances(reader)
            settings = reader.settings()
            newest = reader.computed.learner()
        hashes = pool.hashes_of(taught.images)
        engine = self._session.engine()
        start = self.zero_shot(classes, record)
        labelled = engine.table().gather(engine.table().rows_of(hashes), engine.device)
        method, samples = find_method(settings.adaptation), PoolSamples(self._session, pool)
        base = method.fit_base(
            start,
            labelled,
            taught.targets,
            taught.weights,
            pool=samples.for_class_prior(adaptation),
            settings=adaptation,
            unlabelled=samples.unlabelled(adaptation, hashes) if method.pool_taught else None,
        )
        learned = LearnedWeights.of(base)
        # As it will be read from its file: opened again, a project goes on with the same bits.
        learner = method.restore(
            start,
            learned,
            labelled,
            taught.targets,
            taught.weights,
            settings.seed,
            settings=adaptation,
            unlabelled=partial(samples.unlabelled, adaptation, hashes),
        )
        progress("learning", 1, 3)
        # A name of its own: learning again must not change what an earlier learner's record names.
        file = f"learners/round-{current.number:04d}-{uuid4().hex[:12]}.safetensors"
        found = ComputedLearner(
            learner,
            classes,
            round_id=current.id,
            posterior_id=stored_id(record.id if record else None),
            file=file,
            labels=len(hashes),
            settings={
                "adaptation": settings.adaptation,
                "seed": settings.seed,
                **asdict(self._strengths),
                "adaptation_settings": adaptation.record(),
                **({} if learned.prior is None else {"prior": learned.prior.as_record()}),
                "record": learned_at,
                "taught": taught_marks(zip(hashes, taught.answers, strict=True)),
                **(self.snapshot(learner, classes, pool, set(hashes)) if watched else {}),
                **(self._left_out(learner, taught) if watched else {}),
            },
            measured=self._measurements.compute(
                learner, classes, current.number, None, len(hashes)
            ),
            before=newest.id if newest else None,
        )
        progress("learning", 2, 3)
        path = self._session.folder.path / file
        try:
            save_learner(path, learned, hashes, taught.targets, taught.weights, engine.encoder_id)
            progress("learning", 3, 3)  # the last moment at which it can be stopped
            yield found
        except BaseException:
            found.discard(self._session.store, self._session.folder.path)
            raise

    def keep(self, found: ComputedLearner, stored: LearnerRecord) -> None:
        """Keep a learner that was stored, so that it is not read from its file."""
        self._kept = ((stored.id, found.classes.id, stored.posterior_id), found.learner)

    def measured_zero_shot(self, classes: ClassList) -> MetricRecord | None:
        """The model before any label measured with these classes, for whoever stores it with them.

        None without an audit set. Raises FeaturesMissing, PosteriorMissing.
        """
        return measured_zero_shot(self._session, self._measurements, self.load, classes)

    def measure_all(self, progress: Progress = silent) -> None:
        """Measure the zero-shot model and every learner of this class list, and store it."""
        measured = self.all_measured(progress)
        with self._session.store.write() as writer:
            for each in measured:
                writer.computed.add_metrics(each)

    def all_measured(self, progress: Progress = silent) -> list[MetricRecord]:
        """What `measure_all` stores, for whoever stores more with it."""
        return measured_learners(self._session, self._measurements, self.load, progress)

    def snapshot(
        self,
        learner: Learner,
        classes: ClassList,
        pool: ImageColumns,
        taught: Collection[str],
    ) -> dict[str, Any]:
        """A snapshot of a learner as an entry of its stored settings; empty where none are taken.

        `taught` are the content hashes of learned images.
        """
        if not self._take_snapshots:
            return {}
        table, seed = self._session.engine().table(), self._session.settings().seed
        seen = stability.of_pool(learner, table, classes, pool, taught, seed)
        return {} if seen is None else {"watch": seen.as_json()}

    def _left_out(self, learner: Learner, taught: TaughtLabels) -> dict[str, Any]:
        """The leave-one-out accuracy as an entry of stored settings."""
        if not self._take_snapshots or not leaves_out(learner):
            return {}
        labels = torch.tensor(taught.classes, dtype=torch.long)
        return {"leave_one_out": leave_one_out(learner, taught.targets, labels=labels).as_json()}
