"""Labels become learners, and learners are measured on the audit set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import uuid4

import torch

from alworkbench.adaptation.learner import Learner, restore
from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.leave_one_out import leave_one_out, leaves_out
from alworkbench.adaptation.logit_adjustment import SEEN
from alworkbench.adaptation.method import LINEARISED
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    ClassList,
    Goal,
    LabelClass,
    LearnerRecord,
    MetricRecord,
    PosteriorRecord,
    Role,
    Round,
)
from alworkbench.core.errors import EncoderMismatch, NoOpenRound
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances, taught_marks
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features
from alworkbench.evaluation.metrics import measure
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.linearisation import WeightUpdate
from alworkbench.project import audit_set, stability
from alworkbench.project import imports as intake
from alworkbench.project.artifacts import starting_learner
from alworkbench.project.session import OpenProject, refuse_open, some_of, stored_id


class Learning(OpenProject):
    """One computation at a time; each is published in one short transaction."""

    def learner(self) -> Learner:
        """What the newest labels taught; the model as it came before the first. PosteriorMissing."""
        with self._computing:
            with self.store.read() as reader:
                classes = reader.classes.current()
                record = self._posterior_record(reader)
                newest = reader.computed.learner()
            return self._current_learner(newest, classes, record)

    def close_round(self, progress: Progress = silent) -> MetricRecord | None:
        """Learn from every label so far, measure on the audit set, and close the open round.

        A round of the audit set teaches nothing: it is measured on, also with the earlier learners.
        Items without an answer go back to the pool. None where there is no audit set to measure on.
        """
        with self._computing:
            with self.store.read() as reader:
                current = reader.rounds.current()
            if current is None:
                raise NoOpenRound
            asked = current.strategy == AUDIT_STRATEGY
            metrics = (self._measure_all if asked else self._learn)(current, progress)
            with self.store.write() as writer:
                writer.rounds.close(current.id, self._clock())
            return metrics

    def learn(self, progress: Progress = silent) -> MetricRecord | None:
        """Learn again from every label so far, outside of a round (labels came from a file)."""
        with self._computing:
            with self.store.read() as reader:
                rounds = reader.rounds.all()
            if not rounds:
                raise NoOpenRound
            return self._learn(rounds[-1], progress)

    def add_class(
        self, added: LabelClass, encoder: Encoder | None = None, progress: Progress = silent
    ) -> ClassList:
        """A new version of the class list with one more class; all answers stay, and all teach again.

        The prompts of the class are encoded by the project's encoder (or the one that is given); the
        audit set is measured with the larger list. Raises RoundStillOpen, InvalidClassList,
        FeaturesMissing before the first encoding, EncoderMismatch, UnknownEncoder where the features
        came from a file, which no encoder can add a name to.
        """
        with self._computing:
            with self.store.read() as reader:
                refuse_open(reader)
                classes = reader.classes.current()
                taught = reader.computed.learner() is not None
                name = reader.settings().encoder
            larger = ClassList((*classes.classes, added))
            known = self.engine().encoder_id
            if FeatureStore(self.folder.features / known).missing_prompts(list(added.prompts)):
                encoder = encoder or load_encoder(name, self._device)
                if encoder.id != known:
                    raise EncoderMismatch("The project's features", known, encoder.id)
                intake.encode_names(self.folder, encoder, larger)
            with self.store.write() as writer:
                stored = writer.classes.add(larger, self._clock())
            if taught:
                self.learn(progress)
            return stored

    def _current_learner(
        self, newest: LearnerRecord | None, classes: ClassList, record: PosteriorRecord | None
    ) -> Learner:
        """The newest learner, or the model as it came; kept until one of the three changes."""
        key = (newest.id if newest else None, classes.id, record.id if record else None)
        if self._learner is not None and self._learner[0] == key:
            return self._learner[1]
        learner = starting_learner(self.engine(), classes, record, self._strengths)
        if newest is not None:
            stored = load_learner(self.folder.path / newest.file)
            engine = self.engine()
            labelled = engine.table().gather(engine.table().rows_of(stored.hashes), engine.device)
            update = stored.update.map(lambda part: part.to(engine.device))
            way = newest.settings
            learner = find_method(str(way.get("adaptation", LINEARISED))).restore(
                learner,
                restore(
                    learner, update, labelled, prior=stored.prior, log_shares=stored.log_shares
                ),
                labelled,
                way.get("classes", ()),
                int(way.get("seed", 0)),
                self._surroundings,
            )
        self._learner = (key, learner)
        return learner

    def _learn(self, current: Round, progress: Progress) -> MetricRecord | None:
        progress("learning", 0, 2)
        with self.store.read() as reader:
            classes = reader.classes.current()
            record = self._posterior_record(reader)
            labels = reader.labels.current(Role.POOL)
            pool = reader.images.ids_and_hashes(Role.POOL)
            learned_at = circumstances(reader)
            settings = reader.settings()
        hash_of = dict(pool)
        engine = self.engine()
        # By label id: the order in which they were given, so that draws keep their noise.
        ordered = sorted(labels.values(), key=lambda label: label.id)
        targets = {
            hash_of[label.image_id]: index
            for label in ordered
            if label.class_id is not None
            and (index := classes.index_of_id(label.class_id)) is not None
        }
        start = starting_learner(engine, classes, record, self._strengths)
        rows = engine.table().rows_of(list(targets))
        onehot = torch.nn.functional.one_hot(
            torch.tensor(list(targets.values()), dtype=torch.long), len(classes)
        )
        labelled = engine.table().gather(rows, engine.device)
        method = find_method(settings.adaptation)
        learner = method.fit_base(start, labelled, onehot.double(), pool=self._surroundings())
        if learner.update is None:  # nothing but skips so far: the model as it came, as a learner
            prior = logs = None
            zero = torch.zeros_like
            update = WeightUpdate(
                zero(engine.head.image_projection), zero(engine.head.text_projection)
            )
        else:
            update, taught = learner.update, learner.taught
            prior, logs = (taught.prior, taught.log_shares) if taught else (None, None)
        # As it will be read from its file: opened again, a project goes on with the same bits.
        learner = method.restore(
            start,
            restore(start, update, labelled, prior=prior, log_shares=logs),
            labelled,
            list(targets.values()),
            settings.seed,
        )
        # A name of its own: learning again must not change what an earlier learner's record names.
        file = f"learners/round-{current.number:04d}-{uuid4().hex[:12]}.safetensors"
        save_learner(self.folder.path / file, update, list(targets), engine.encoder_id, prior, logs)
        with self.store.write() as writer:
            stored = writer.computed.add_learner(
                round_id=current.id,
                posterior_id=stored_id(record.id if record else None),
                class_list_id=stored_id(classes.id),
                file=file,
                labels=len(targets),
                settings={
                    "adaptation": settings.adaptation,
                    "classes": list(targets.values()),
                    "seed": settings.seed,
                    **asdict(self._strengths),
                    **({} if prior is None else {"prior": asdict(prior)}),
                    "record": learned_at,
                    "taught": taught_marks(
                        (c, stored_id(classes.classes[i].id)) for c, i in targets.items()
                    ),
                    **self._watched(learner, classes, pool, targets),
                    **self._left_out(learner, onehot),
                },
                now=self._clock(),
            )
        self._learner = ((stored.id, classes.id, stored.posterior_id), learner)
        progress("learning", 1, 2)
        metrics = self._measure(learner, classes, current.number, stored.id, len(targets))
        progress("learning", 2, 2)
        return metrics

    def _surroundings(self) -> Features | None:
        """Images of the pool, for learning to count all classes alike; None where the goal is another."""
        with self.store.read() as reader:
            settings = reader.settings()
            if settings.goal is not Goal.BALANCED:
                return None
            pool = reader.images.ids_and_hashes(Role.POOL)
        table, device = self.engine().table(), self.engine().device
        known = table.rows_by_hash()  # what was imported and not encoded yet is not seen
        rows = [known[content] for _, content in pool if content in known]
        chosen = some_of(rows, SEEN, settings.seed)
        return table.gather(torch.tensor(chosen, dtype=torch.long), device)

    def _measure(
        self, learner: Learner, classes: ClassList, number: int, learner_id: int | None, labels: int
    ) -> MetricRecord | None:
        """Metrics of a learner on the audit set; stored. None where nothing of it is labelled."""
        with self.store.read() as reader:
            answers = reader.labels.current(Role.AUDIT)
            hash_of = dict(reader.images.ids_and_hashes(Role.AUDIT))
        truth = {
            hash_of[image]: index
            for image, label in answers.items()
            if label.class_id is not None
            and (index := classes.index_of_id(label.class_id)) is not None
        }
        if not truth:
            return None
        table, device = self.engine().table(), self.engine().device
        rows = table.rows_of(list(truth))
        logits = torch.cat([learner.logits(block) for _, block in table.blocks(rows, 8192, device)])
        order = torch.tensor(list(truth.values()), dtype=torch.long, device=device)
        found = logits.softmax(dim=-1)
        values: Mapping[str, Any] = {
            **measure(found, order).as_json(classes.names),
            **audit_set.measured_details(found, order, list(truth)),
        }
        record = MetricRecord(number, learner_id, labels, len(truth), values, self._clock())
        with self.store.write() as writer:
            writer.computed.add_metrics(record)
        return record

    def _measure_all(self, current: Round, progress: Progress) -> MetricRecord | None:
        """Measure the model as it came and every learner of this class list on the audit set."""
        with self.store.read() as reader:
            classes = reader.classes.current()
            newest = self._posterior_record(reader)
            learners = [
                each for each in reader.computed.learners() if each.class_list_id == classes.id
            ]
            belief = {each.id: each for each in reader.computed.posteriors()}
            number = {each.id: each.number for each in reader.rounds.all()}
        progress("measuring", 0, len(learners) + 1)
        learner = self._current_learner(None, classes, newest)
        metrics = self._measure(learner, classes, 0, None, 0)
        for done, each in enumerate(learners, start=1):
            learner = self._current_learner(each, classes, belief[each.posterior_id])
            metrics = self._measure(learner, classes, number[each.round_id], each.id, each.labels)
            progress("measuring", done, len(learners) + 1)
        return metrics

    def _watched(
        self,
        learner: Learner,
        classes: ClassList,
        pool: list[tuple[int, str]],
        taught: Mapping[str, int],
    ) -> dict[str, Any]:
        """How a learner stands on the watched part of the pool, for stopping rules."""
        if not self._is_watched:
            return {}
        seed = self.settings().seed
        known = self.engine().table().rows_by_hash()
        part = [(image, c) for image, c in stability.sample(pool, seed) if c in known]
        if not part:
            return {}
        free = [content not in taught for _, content in part]
        rows = {known[content]: image for image, content in part}
        seen = stability.look(
            learner, self.engine().table(), rows, free, classes, len(taught), seed
        )
        return {"watch": seen.as_json()}

    def _left_out(self, learner: Learner, targets: torch.Tensor) -> dict[str, Any]:
        """What the learner says of each of its n labels without it; `targets`: n C, one-hot."""
        if not self._is_watched or not leaves_out(learner):
            return {}
        return {"leave_one_out": leave_one_out(learner, targets.double()).as_json()}
