"""The service: everything that can be done with one project, in the words of the domain.

Screens, commands and simulations all call this and nothing below it. Each method is one use; what it
computes it computes outside of any transaction, and publishes in one short one. Safe to share between
the threads of a process.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from alworkbench import intake
from alworkbench.acquisition.catalogue import find_strategy, strategies
from alworkbench.acquisition.cost import Size
from alworkbench.acquisition.estimate import Estimate
from alworkbench.acquisition.registry import Question, Strategy
from alworkbench.adaptation.applying import apply_adaptation
from alworkbench.adaptation.learner import Learner, Strengths, learn, restore
from alworkbench.adaptation.leaving_out import leave_one_out, leaves_out
from alworkbench.adaptation.registry import DEFAULT
from alworkbench.campaign import audit, watch
from alworkbench.campaign.curve import HonestCurve, history, honest_curve
from alworkbench.campaign.record import circumstances, taught_marks, versions
from alworkbench.campaign.stopping import Advice, advise
from alworkbench.datasets.pairs import open_pairs
from alworkbench.domain import (
    Answer,
    AnswerKind,
    ClassList,
    Image,
    ImportSummary,
    Item,
    Label,
    LabelClass,
    LearnerRecord,
    MetricRecord,
    NewItem,
    NewRound,
    PosteriorRecord,
    ProjectFolder,
    ProjectSettings,
    Role,
    Round,
    RoundState,
    Suggestion,
)
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.feature_file import FROM_FILE, read_feature_file
from alworkbench.engine import Engine, ProjectEngine, resolve, starting_learner
from alworkbench.errors import (
    EncoderMismatch,
    FeaturesMissing,
    LeaseLost,
    LoopError,
    NoOpenRound,
    NothingToUndo,
    PoolExhausted,
    PosteriorMissing,
    RoundStillOpen,
    UnknownEncoder,
    UnknownImage,
    UnknownItem,
    UnreadableSource,
)
from alworkbench.explaining import Explanation, explain
from alworkbench.features import FeatureStore
from alworkbench.fitting import PAIR_BATCH, fit_posterior, posterior_of_pairs
from alworkbench.images import DisplayImage, Undecodable, display, read_bytes
from alworkbench.images import content_hash as content_digest
from alworkbench.labelfiles import exported, write_labels
from alworkbench.learnerfiles import load_learner, save_learner
from alworkbench.lookup import find_image
from alworkbench.metrics import measure
from alworkbench.pool_fitting import fit_from_pool, prompts_of
from alworkbench.ports import Reader, Store
from alworkbench.posterior.bundled import bundled_posterior
from alworkbench.posterior.files import PosteriorFile, load_posterior, save_posterior
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.linearised import Step
from alworkbench.posterior.published import WEIGHT, Prior, Published, export_factors, import_factors
from alworkbench.posterior.summary import PosteriorSummary
from alworkbench.posterior.vocabulary import NameKnowledge, has_captions, known_names
from alworkbench.progress import Progress, silent
from alworkbench.simulation.report import SimulationResult, load_results
from alworkbench.targets import TargetSet, count_targets, load_targets, take_targets

LEASE = timedelta(minutes=10)
DRAWS = 128
"""Posterior draws behind a batch."""
MEMORY = 1 << 30
"""Bytes that a strategy may hold beside the features, unless it is told otherwise."""
TARGETS = 1000
"""Images of the pool whose predictions a batch should teach about: a random sample, fixed by the seed."""


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project in figures."""

    name: str
    encoder: str
    pool_images: int
    audit_images: int
    quarantined: int
    encoded: int
    """Of pool and audit set together."""
    classes: tuple[str, ...]
    labels: int
    """Pool images with a class label."""
    labels_per_class: tuple[int, ...]
    skipped: int
    """Pool images that were skipped or that nobody could tell."""
    rounds_closed: int
    open_round: Round | None
    open_answered: int
    has_posterior: bool
    zero_shot_accuracy: float | None
    audit_accuracy: float | None
    """Of the newest learner."""
    next_step: str
    class_list: int = 1
    """Version of the class list; 1 is what the project was made with."""
    leave_one_out: Mapping[str, Any] | None = None
    """Of the newest learner, about its own labels and not about the pool; see `leaving_out`."""
    names: tuple[NameKnowledge, ...] = ()
    """What the model knows of the class names, in their order; none where it cannot be told."""

    @property
    def unknown_classes(self) -> tuple[str, ...]:
        """Names that the model does not know: their first labels teach most."""
        return tuple(each.name for each in self.names if each.unknown)


class Workbench:
    """One project, open."""

    def __init__(
        self,
        folder: ProjectFolder,
        store: Store,
        *,
        engine: Engine | None = None,
        device: torch.device | None = None,
        strengths: Strengths | None = None,
        targets: Sequence[str] = (),
        clock: Callable[[], datetime] = utc_now,
        watched: bool = True,
    ) -> None:
        """`engine` replaces the one that is read from the folder: simulations share theirs.

        `targets` are content hashes of encoded images whose predictions matter; they may lie outside
        of the project. Without any, a random sample of the pool stands for all of it. What stopping
        rules read is recorded unless `watched` is off, as where nobody will ask for advice.
        """
        self.folder = folder
        self.store = store
        self._device = device or torch.device("cpu")
        self._engine = engine
        self._strengths = strengths or Strengths()
        self._targets = tuple(targets)
        self._clock = clock
        self._is_watched = watched
        self._learner: tuple[tuple[object, ...], Learner] | None = None
        self._names: tuple[tuple[object, ...], tuple[NameKnowledge, ...]] | None = None
        # Computing is serialised; nothing that only reads or records takes this lock.
        self._computing = threading.RLock()
        self._loading = threading.Lock()

    # ------------------------------------------------------------------------------------ reading

    def settings(self) -> ProjectSettings:
        with self.store.read() as reader:
            return reader.settings()

    def classes(self) -> ClassList:
        with self.store.read() as reader:
            return reader.classes.current()

    def learner(self) -> Learner:
        """What the newest labels taught; the model as it came before the first. PosteriorMissing."""
        with self._computing:
            with self.store.read() as reader:
                classes = reader.classes.current()
                record = self._posterior_record(reader)
                newest = reader.computed.learner()
            return self._current_learner(newest, classes, record)

    def now(self) -> datetime:
        """The time by this service's clock."""
        return self._clock()

    def open_round(self) -> Round | None:
        with self.store.read() as reader:
            return reader.rounds.current()

    def rounds(self) -> list[Round]:
        with self.store.read() as reader:
            return reader.rounds.all()

    def items(self, round_id: int) -> list[Item]:
        with self.store.read() as reader:
            return reader.rounds.items(round_id)

    def image(self, image_id: int) -> Image:
        with self.store.read() as reader:
            return reader.images.get(image_id)

    def metrics(self) -> list[MetricRecord]:
        with self.store.read() as reader:
            return reader.computed.metrics()

    def status(self) -> Status:
        with self.store.read() as reader:
            settings = reader.settings()
            classes = reader.classes.current()
            current = reader.rounds.current()
            items = reader.rounds.items(current.id) if current else []
            labels = reader.labels.current(Role.POOL).values()
            metrics = reader.computed.metrics()
            encoder = reader.computed.encoder()
            posterior = reader.computed.posterior(encoder.id) if encoder else None
            newest = reader.computed.learner()
            hashes = [h for role in Role for _, h in reader.images.ids_and_hashes(role)]
            pool, audit = reader.images.count(Role.POOL), reader.images.count(Role.AUDIT)
            quarantined = len(reader.images.quarantined())
            closed = sum(r.state is RoundState.CLOSED for r in reader.rounds.all())
        encoded = 0
        if encoder is not None:
            known = set(self.engine().table().hashes)
            encoded = sum(h in known for h in hashes)
        named = [label.class_id for label in labels if label.kind is AnswerKind.CLASS]
        answered = sum(item.label is not None for item in items)
        return Status(
            name=settings.name,
            encoder=encoder.id if encoder else settings.encoder,
            pool_images=pool,
            audit_images=audit,
            quarantined=quarantined,
            encoded=encoded,
            classes=classes.names,
            labels=len(named),
            labels_per_class=tuple(named.count(c.id) for c in classes.classes),
            skipped=len(labels) - len(named),
            rounds_closed=closed,
            open_round=current,
            open_answered=answered,
            has_posterior=posterior is not None,
            zero_shot_accuracy=_accuracy([m for m in metrics if m.learner_id is None]),
            audit_accuracy=_accuracy(metrics),
            next_step=_next_step(pool, encoded < pool + audit, posterior, current, items),
            class_list=_known(classes.id),
            leave_one_out=newest.settings.get("leave_one_out") if newest else None,
            names=self._names_known(classes, posterior),
        )

    def strategies(self) -> list[Strategy]:
        return strategies()

    def simulations(self) -> list[SimulationResult]:
        """Finished simulations of this project, newest first."""
        return load_results(self.folder.simulations)

    def display(self, content_hash: str) -> DisplayImage:
        """The picture as a browser can show it: exactly the pixels that the model saw.

        Raises UnknownImage, or UnreadableSource when the file is gone or was changed.
        """
        with self.store.read() as reader:
            image = reader.images.by_hash(content_hash)
        if image is None:
            raise UnknownImage(content_hash)
        problems = []
        for path in reversed(image.paths):
            file = resolve(self.folder, path)
            try:
                data = read_bytes(file)
            except Undecodable as error:
                problems.append(f"{file}: {error.detail}")
                continue
            if content_digest(data) == content_hash:
                return display(data)
            problems.append(f"{file}: its content is not what was imported")
        raise UnreadableSource(
            f"The image {content_hash[:12]} cannot be shown: {'; '.join(problems)}. Bring the file "
            f"back, or import it from where it is now: `alworkbench import FOLDER`."
        )

    # ------------------------------------------------------------------------------- taking things in

    def import_images(
        self,
        location: Path,
        *,
        role: Role = Role.POOL,
        pool_labels: bool = False,
        progress: Progress = silent,
    ) -> ImportSummary:
        """Take the images of a folder, CSV manifest or archive into the project.

        Rows of a manifest whose `split` is test or audit go to the audit set, whatever `role` is.
        Labels that come along are recorded for the audit set, and with `pool_labels` for the pool.
        """
        return intake.import_images(
            self.folder,
            self.store,
            location,
            role=role,
            pool_labels=pool_labels,
            now=self._clock,
            progress=progress,
        )

    def encode(
        self, *, workers: int | None = None, batch_size: int = 64, progress: Progress = silent
    ) -> intake.FeaturesSummary:
        """Compute the features of images that have none. Goes on where it was interrupted.

        With the bundled encoder, its posterior comes along. Raises EncoderMismatch when the project
        has features of another encoder.
        """
        encoder = load_encoder(self.settings().encoder, self._device)
        summary = intake.encode(
            self.folder,
            self.store,
            encoder,
            workers=workers,
            batch_size=batch_size,
            progress=progress,
        )
        bundled = bundled_posterior(self.settings().encoder)
        if bundled is not None:
            with self.store.read() as reader:
                known = reader.computed.posterior(encoder.id)
            if known is None:
                found = load_posterior(bundled, encoder_id=encoder.id)
                self._keep_posterior(found.posterior, dict(found.provenance))
        return summary

    def take_targets(
        self,
        location: Path | str,
        *,
        workers: int | None = None,
        batch_size: int = 64,
        progress: Progress = silent,
    ) -> TargetSet:
        """Keep the images of a folder, manifest or archive as a target set, and encode them.

        A name of a set that was kept before gives that set. See `targets`. Raises InvalidTargets,
        UnreadableSource, NothingToImport, and as `encode` does.
        """
        if not Path(location).exists():
            return load_targets(self.folder, str(location))
        return take_targets(
            self.folder,
            self.store,
            self.engine(),
            Path(location),
            device=self._device,
            workers=workers,
            batch_size=batch_size,
            progress=progress,
        )

    def count_targets(self, location: Path | str, progress: Progress = silent) -> int:
        """How many images `take_targets` would find; nothing is kept or encoded."""
        if not Path(location).exists():
            return len(load_targets(self.folder, str(location)))
        return count_targets(Path(location), progress)

    def take_features(self, path: Path, progress: Progress = silent) -> intake.FeaturesSummary:
        """Features of this project's images from a features file, instead of encoding them.

        Its training pairs, if it has any, become the posterior. See `encoders.feature_file`.
        """
        file = read_feature_file(path)
        summary = intake.take_features(self.folder, self.store, file, path.name, progress)
        if file.pairs is not None:
            texts = file.pairs.texts
            posterior = posterior_of_pairs(
                file.head, file.pairs.images, texts, file.encoder_id, batch=PAIR_BATCH
            )
            provenance = {"pairs": len(texts), "class_batch": PAIR_BATCH, "source": path.name}
            self._keep_posterior(posterior, provenance)
        return summary

    def fit(
        self, pairs: Path, *, batch: int = PAIR_BATCH, progress: Progress = silent
    ) -> PosteriorRecord:
        """Fit the posterior of the project's encoder from image-caption pairs (CSV, Parquet, tars).

        See `datasets.pairs`. Goes on where the same call was interrupted. Raises UnknownEncoder and
        EncoderMismatch where the pairs cannot be encoded as the project's images were.
        """
        settings = self.settings()
        with self.store.read() as reader:
            record = reader.computed.encoder()
        if record is not None and record.spec.startswith(FROM_FILE):
            raise UnknownEncoder(
                f"The features of this project came from a file ({record.spec}); there is no model "
                f"that could encode pairs. Fit from the pool (`alworkbench fit --from-pool`), or bring "
                f"in a file with pair_activations (`alworkbench encode --features FILE`)."
            )
        source = open_pairs(pairs)
        encoder = load_encoder(settings.encoder, self._device)
        if record is not None and encoder.id != record.id:
            raise EncoderMismatch("The project's features", record.id, encoder.id)
        found = fit_posterior(
            encoder,
            source,
            batch=batch,
            seed=settings.seed,
            progress=progress,
            partial=self.folder.posteriors,
        )
        return self._keep_posterior(found.posterior, found.provenance)

    def fit_from_pool(
        self, *, batch: int = PAIR_BATCH, progress: Progress = silent
    ) -> PosteriorRecord:
        """Fit the posterior without captions, from the pool's features and prompts.

        An approximation; see `pool_fitting`. Raises FeaturesMissing before the pool is encoded.
        """
        engine = self.engine()
        with self.store.read() as reader:
            settings = reader.settings()
            classes = reader.classes.current()
            pool = reader.images.ids_and_hashes(Role.POOL)
            record = reader.computed.encoder()
        encoder = None
        if record is not None and not record.spec.startswith(FROM_FILE):
            encoder = load_encoder(record.spec, self._device)
            if encoder.id != engine.encoder_id:
                raise EncoderMismatch("The project's features", engine.encoder_id, encoder.id)
        features = FeatureStore(self.folder.features / engine.encoder_id)
        found = fit_from_pool(
            engine.head,
            engine.table(),
            list(self._rows(pool)),
            prompts_of(features, classes, encoder, progress).to(engine.device),
            engine.encoder_id,
            batch=batch,
            seed=settings.seed,
            progress=progress,
        )
        return self._keep_posterior(found.posterior, found.provenance)

    def _keep_posterior(self, posterior: Posterior, provenance: dict[str, Any]) -> PosteriorRecord:
        now = self._clock()
        file = f"posteriors/{posterior.encoder_id}-{now:%Y%m%dT%H%M%S%f}.safetensors"
        save_posterior(self.folder.path / file, posterior, created_at=now, provenance=provenance)
        with self.store.write() as writer:
            return writer.computed.add_posterior(posterior.encoder_id, file, provenance, now)

    def import_posterior(
        self, folder: Path, *, prior: Prior = "evidence", weight: float | None = WEIGHT
    ) -> Published:
        """Take a folder of published factors as the posterior. See `posterior.published`.

        Raises InvalidPosteriorFile, NotPositiveDefinite, EncoderMismatch.
        """
        engine = self.engine()
        found = import_factors(folder, engine.head, engine.encoder_id, prior=prior, weight=weight)
        belief = found.posterior
        provenance = {
            "source": folder.resolve().name,
            "pairs": belief.image.pairs,
            "prior": prior,
            "pseudo_data_weight_image": belief.image.pseudo_data_weight,
            "pseudo_data_weight_text": belief.text.pseudo_data_weight,
            "prior_precision_image": belief.image.prior_precision,
            "prior_precision_text": belief.text.prior_precision,
            "rounding": {name: asdict(value) for name, value in found.rounding.items()},
        }
        self._keep_posterior(belief, provenance)
        return found

    def export_posterior(self, folder: Path) -> PosteriorSummary:
        """Write the newest posterior in the layout of published factor folders.

        Raises PosteriorMissing.
        """
        record, found = self._newest_posterior()
        export_factors(
            folder, found.posterior, created_at=found.created_at, provenance=found.provenance
        )
        return PosteriorSummary.of(record.file, found)

    def describe_posterior(self) -> PosteriorSummary:
        """The newest posterior of the project's encoder in figures. Raises PosteriorMissing."""
        record, found = self._newest_posterior()
        return PosteriorSummary.of(record.file, found)

    def _newest_posterior(self) -> tuple[PosteriorRecord, PosteriorFile]:
        engine = self.engine()
        with self.store.read() as reader:
            record = self._posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        path = self.folder.path / record.file
        return record, load_posterior(path, encoder_id=engine.encoder_id)

    def import_labels(self, path: Path, annotator: str) -> intake.LabelSummary:
        """Record the labels of a CSV (columns image and label): all rows, or none."""
        return intake.import_labels(self.store, path, annotator, self._clock())

    def export(self, target: Path, *, history: bool = False) -> int:
        """Write the labels that count, or with `history` all of them; how many."""
        with self.store.read() as reader:
            return write_labels(target, exported(reader, history=history))

    # ----------------------------------------------------------------------------------- labelling

    def claim(self, annotator: str, limit: int) -> list[Item]:
        """Lease up to `limit` unanswered items of the open round to an annotator."""
        now = self._clock()
        with self.store.write() as writer:
            current = writer.rounds.current()
            if current is None:
                raise NoOpenRound
            return writer.rounds.claim(current.id, annotator, limit, now, now + LEASE)

    def record(self, answer: Answer) -> Label:
        """Store an answer; durable when this returns. The same event id is stored once.

        An answer to a round that was closed meanwhile is kept: the next learner learns from it.
        Raises UnknownItem, or LeaseLost when someone else holds the item.
        """
        return self.record_many([answer])[0]

    def record_many(self, answers: Sequence[Answer]) -> list[Label]:
        """Store answers in one transaction, all or none; as `record` does for each."""
        now = self._clock()
        with self.store.write() as writer:
            items: dict[int, Item] = {}
            for answer in answers:
                if answer.item_id is not None and answer.item_id not in items:
                    items |= _items_beside(writer, answer.item_id, len(answers) > 1)
                refusal = _refusal(answer, items, now)
                if refusal and writer.labels.by_event(answer.event_id) is None:
                    raise refusal
            return writer.labels.add_many(answers, now)

    def undo(self, annotator: str, event_id: str) -> Label:
        """Take back the annotator's newest answer in the open round; the same event id acts once."""
        with self.store.write() as writer:
            done = writer.labels.retracted_by(event_id)
            if done is not None:
                return done
            current = writer.rounds.current()
            newest = writer.labels.newest_of(annotator, current.id) if current else None
            if newest is None:
                raise NothingToUndo(annotator)
            writer.labels.retract(newest.id, event_id, annotator, self._clock())
            return newest

    # ------------------------------------------------------------------------------ asking, learning

    def propose(
        self,
        strategy: str | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        progress: Progress = silent,
        *,
        targets: TargetSet | None = None,
        memory: int = MEMORY,
    ) -> Round:
        """Rank the pool, and open a round with the batch that a strategy chose.

        Defaults come from the project's settings; the seed moves on with the round number. With
        `targets` (see `take_targets`), their predictions are what matters; of more than TARGETS a
        random sample, fixed by the project's seed. `memory` is what a strategy may hold beside the
        features, in bytes. Raises UnknownStrategy, RoundStillOpen, FeaturesMissing, PosteriorMissing,
        PoolExhausted, MemoryBudgetTooSmall.
        """
        with self._computing:
            started = time.perf_counter()
            with self.store.read() as reader:
                settings = reader.settings()
                chosen = find_strategy(strategy or settings.strategy)
                _refuse_open(reader)
                classes = reader.classes.current()
                pool = reader.images.ids_and_hashes(Role.POOL)
                answered = reader.labels.current(Role.POOL)
                number = len(reader.rounds.all()) + 1
                record = self._posterior_record(reader)
                newest = reader.computed.learner()
                measured = reader.computed.metrics()
                asked_at = circumstances(reader, settings.seed + number if seed is None else seed)
            progress("ranking the pool", 0, 2)
            learner = self._current_learner(newest, classes, record)
            if not measured:
                self._measure(learner, classes, 0, None, 0)
            image_of_row = self._rows(pool)
            if targets is not None:
                wanted = self.engine().table().rows_of(targets.hashes).tolist()
                target_rows = torch.tensor(_sample(wanted, TARGETS, settings.seed))
            elif self._targets:
                target_rows = self.engine().table().rows_of(self._targets)
            else:
                target_rows = torch.tensor(_sample(list(image_of_row), TARGETS, settings.seed))
            candidates = [row for row, image in image_of_row.items() if image not in answered]
            if not candidates:
                raise PoolExhausted
            index_of = {c.id: index for index, c in enumerate(classes.classes)}
            told = [
                (answered[image].id, row, index_of[answered[image].class_id])
                for row, image in image_of_row.items()
                if image in answered and answered[image].class_id in index_of
            ]
            given = {row: index for _, row, index in sorted(told)}
            question = Question(
                table=self.engine().table(),
                candidates=torch.tensor(candidates),
                targets=target_rows,
                learner=learner,
                batch_size=batch_size or settings.batch_size,
                seed=settings.seed + number if seed is None else seed,
                draw_seed=settings.seed,
                labelled=torch.tensor(list(given), dtype=torch.long),
                labels=torch.tensor(list(given.values()), dtype=torch.long),
                refused=torch.tensor(
                    [
                        row
                        for row, image in image_of_row.items()
                        if image in answered and answered[image].kind is not AnswerKind.CLASS
                    ],
                    dtype=torch.long,
                ),
                goal=settings.goal,
                draws=DRAWS,
                memory=memory,
            )
            selection = chosen.select(question)
            progress("ranking the pool", 1, 2)
            suggestions = self._suggest(learner, classes, selection.rows)
            new = NewRound(
                strategy=chosen.name,
                seed=question.seed,
                class_list_id=_known(classes.id),
                posterior_id=record.id if record else None,
                learner_id=newest.id if newest else None,
                seconds=time.perf_counter() - started,
                items=[
                    NewItem(image_of_row[row], score, suggestion, probability)
                    for row, score, suggestion, probability in zip(
                        selection.rows,
                        selection.scores,
                        suggestions,
                        selection.probabilities or (None,) * len(selection.rows),
                        strict=True,
                    )
                ],
                settings={
                    "draws": question.draws,
                    "candidates": len(candidates),
                    "memory": memory,
                    **({"targets": targets.name} if targets else {}),
                    "record": asked_at,
                    "versions": versions(self.engine().device),
                    **({} if newest else self._watched(learner, classes, pool, {})),
                },
            )
            with self.store.write() as writer:
                opened = writer.rounds.open(new, self._clock())
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
        with self.store.read() as reader:
            settings = reader.settings()
            _refuse_open(reader)
            classes = len(reader.classes.current())
            pool = {image for image, _ in reader.images.ids_and_hashes(Role.POOL)}
            answered = reader.labels.current(Role.POOL)
        candidates = len(pool - answered.keys())
        if not candidates:
            raise PoolExhausted
        head = self.engine().head
        size = Size(
            candidates=candidates,
            targets=min(TARGETS, len(pool) if targets is None else targets),
            classes=classes,
            draws=DRAWS,
            batch=min(batch_size or settings.batch_size, candidates),
            labelled=sum(label.class_id is not None for label in answered.values()),
            embedding=head.image_projection.shape[0],
            activation=head.image_projection.shape[1],
            text_activation=head.text_projection.shape[1],
        )
        return Estimate.of(find_strategy(strategy or settings.strategy), size, memory)

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
            asked = current.strategy == audit.AUDIT
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
                _refuse_open(reader)
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

    def draw_audit(self, count: int, seed: int | None = None) -> Round:
        """Draw images without an answer at random into the audit set, and open a round that asks them.

        Closing it measures and teaches nothing. Images of earlier draws that have no answer come first.
        Raises RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted, ImageInUse.
        """
        engine = self.engine()
        return audit.draw(
            self.store, self._rows, engine.encoder_id, count, seed, self._clock, engine.device
        )

    def honest_curve(self) -> HonestCurve:
        """What the project's records say of its accuracy, each source named for what it is."""
        with self.store.read() as reader:
            return honest_curve(reader, self.folder)

    def advise(self, target: float | None = None) -> Advice:
        """Whether to go on labelling, by what was recorded when rounds were closed."""
        with self.store.read() as reader:
            return advise(history(reader, target))

    def audit_offer(self, count: int) -> audit.AuditOffer:
        """What drawing so many audit images would buy, by the newest accuracy that is known."""
        with self.store.read() as reader:
            known = _accuracy(reader.computed.metrics())
            return audit.offer(reader, count, audit.UNKNOWN_ACCURACY if known is None else known)

    def explain(self, image: str, progress: Progress = silent) -> Explanation:
        """Why the model is uncertain about an image, and where it stands in the pool.

        `image` is a path, the end of one, or a content hash. All images of the pool are ranked, those
        with an answer too; one of the audit set is ranked against them. Raises ImageNotFound,
        FeaturesMissing, PosteriorMissing.
        """
        with self._computing:
            with self.store.read() as reader:
                found = find_image(reader, image)
                settings = reader.settings()
                classes = reader.classes.current()
                pool = reader.images.ids_and_hashes(Role.POOL)
                answer = reader.labels.current(found.role).get(found.id)
                record = self._posterior_record(reader)
                newest = reader.computed.learner()
                label = None
                if answer is not None:
                    named = {c.id: c.name for c in classes.classes}.get(answer.class_id)
                    label = named or answer.kind.value
            learner = self._current_learner(newest, classes, record)
            table = self.engine().table()
            return explain(
                learner,
                table,
                int(table.rows_of([found.hash])[0]),
                torch.tensor(list(self._rows(pool)), dtype=torch.long),
                found,
                classes.names,
                seed=settings.seed,
                label=label,
                progress=progress,
            )

    # -------------------------------------------------------------------------------------- inside

    def posterior(self) -> Posterior:
        """The newest posterior of the project's encoder. Raises PosteriorMissing."""
        engine = self.engine()
        with self.store.read() as reader:
            record = self._posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        return engine.posterior(record)

    def engine(self) -> Engine:
        """The engine values of this project. Raises FeaturesMissing before the first encoding."""
        with self._loading:
            if self._engine is None:
                with self.store.read() as reader:
                    encoder = reader.computed.encoder()
                    images = sum(reader.images.count(role) for role in Role)
                if encoder is None:
                    raise FeaturesMissing(images, images)
                self._engine = ProjectEngine(self.folder, encoder, self._device)
            return self._engine

    def _names_known(
        self, classes: ClassList, record: PosteriorRecord | None
    ) -> tuple[NameKnowledge, ...]:
        """Of the class names; none without a posterior of captions or before prompts are encoded."""
        if record is None or not has_captions(record.provenance):
            return ()
        key = (classes.id, record.id)
        if self._names is None or self._names[0] != key:
            engine = self.engine()
            try:
                activations = engine.class_activations(classes)
            except FeaturesMissing:  # a class was added since; encoding is the next step
                return ()
            found = known_names(engine.posterior(record).text, classes.names, activations)
            self._names = key, found
        return self._names[1]

    def _posterior_record(self, reader: Reader) -> PosteriorRecord | None:
        return reader.computed.posterior(self.engine().encoder_id)

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
            step = Step(stored.step.image.to(engine.device), stored.step.text.to(engine.device))
            way = newest.settings
            learner = apply_adaptation(
                str(way.get("adaptation", DEFAULT)),
                learner,
                restore(learner, step, labelled),
                labelled,
                way.get("classes", ()),
                int(way.get("seed", 0)),
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
        learner = learn(start, labelled, onehot.double())
        if learner.step is None:  # nothing but skips so far: the model as it came, as a learner
            zero = torch.zeros_like
            step = Step(zero(engine.head.image_projection), zero(engine.head.text_projection))
        else:
            step = learner.step
        # As it will be read from its file: opened again, a project goes on with the same bits.
        learner = apply_adaptation(
            settings.adaptation,
            start,
            restore(start, step, labelled),
            labelled,
            list(targets.values()),
            settings.seed,
        )
        # A name of its own: learning again must not change what an earlier learner's record names.
        file = f"learners/round-{current.number:04d}-{uuid4().hex[:12]}.safetensors"
        save_learner(self.folder.path / file, step, list(targets), engine.encoder_id)
        with self.store.write() as writer:
            stored = writer.computed.add_learner(
                round_id=current.id,
                posterior_id=_known(record.id if record else None),
                class_list_id=_known(classes.id),
                file=file,
                labels=len(targets),
                settings={
                    "adaptation": settings.adaptation,
                    "classes": list(targets.values()),
                    "seed": settings.seed,
                    **asdict(self._strengths),
                    "record": learned_at,
                    "taught": taught_marks(
                        (c, _known(classes.classes[i].id)) for c, i in targets.items()
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
            **audit.measured_details(found, order, list(truth)),
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
        part = [(image, c) for image, c in watch.sample(pool, seed) if c in known]
        if not part:
            return {}
        free = [content not in taught for _, content in part]
        rows = {known[content]: image for image, content in part}
        seen = watch.look(learner, self.engine().table(), rows, free, classes, len(taught), seed)
        return {"watch": seen.as_json()}

    def _left_out(self, learner: Learner, targets: torch.Tensor) -> dict[str, Any]:
        """What the learner says of each of its n labels without it; `targets`: n C, one-hot."""
        if not self._is_watched or not leaves_out(learner):
            return {}
        return {"leave_one_out": leave_one_out(learner, targets.double()).as_json()}

    def _rows(self, images: list[tuple[int, str]]) -> dict[int, int]:
        """Row of the features -> image id, in the order of the images."""
        table = self.engine().table()
        known = table.rows_by_hash()
        found = {known[content]: image for image, content in images if content in known}
        unusable = table.quarantined()
        missing = sum(content not in known and content not in unusable for _, content in images)
        if missing:
            raise FeaturesMissing(missing, len(images))
        return found

    def _suggest(
        self, learner: Learner, classes: ClassList, rows: tuple[int, ...]
    ) -> list[Suggestion]:
        features = self.engine().table().gather(torch.tensor(rows), self.engine().device)
        top = learner.logits(features).softmax(dim=-1).max(dim=-1)
        return [
            Suggestion(_known(classes.classes[index].id), probability)
            for probability, index in zip(top.values.tolist(), top.indices.tolist(), strict=True)
        ]


def _refuse_open(reader: Reader) -> None:
    current = reader.rounds.current()
    if current is not None:
        unanswered = sum(item.label is None for item in reader.rounds.items(current.id))
        raise RoundStillOpen(current.number, unanswered)


def _items_beside(reader: Reader, item_id: int, others: bool) -> dict[int, Item]:
    """An item, and with `others` all of its round: answers to a whole round take two look-ups."""
    item = reader.rounds.item(item_id)
    if item is None:
        return {}
    return {each.id: each for each in (reader.rounds.items(item.round_id) if others else [item])}


def _refusal(answer: Answer, items: Mapping[int, Item], now: datetime) -> LoopError | None:
    """What is wrong with an answer to what was never asked, or to what someone else holds."""
    if answer.item_id is None:
        return None
    item = items.get(answer.item_id)
    if item is None or item.image_id != answer.image_id:
        return UnknownItem(
            f"Item {answer.item_id} with image {answer.image_id} was never asked in this "
            f"project. Reload the labelling page; nothing was recorded."
        )
    lease = item.lease
    if lease and lease.token != answer.lease_token and lease.until > now:
        return LeaseLost(
            f"Item {item.id} is being answered by {lease.annotator!r} until "
            f"{lease.until:%H:%M:%S} UTC. Go on with the next image; nothing was recorded."
        )
    return None


def _sample(rows: list[int], count: int, seed: int) -> list[int]:
    """A seeded random sample without replacement, in the order of the rows."""
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(rows), generator=generator)[:count].sort().values
    return [rows[i] for i in chosen.tolist()]


def _accuracy(metrics: list[MetricRecord]) -> float | None:
    return float(metrics[-1].values["accuracy"]) if metrics else None


def _known(value: int | None) -> int:
    """A stored value's id."""
    if value is None:
        raise ValueError("this value was never stored")
    return value


def _next_step(
    pool: int,
    unencoded: bool,
    posterior: PosteriorRecord | None,
    current: Round | None,
    items: list[Item],
) -> str:
    """What a person would do next, as one sentence."""
    if pool == 0:
        return "Import images: alworkbench import FOLDER"
    if unencoded:
        return "Encode the images: alworkbench encode"
    if posterior is None:
        return (
            "Fit a posterior: alworkbench fit --pairs captions.csv "
            "(without captions: alworkbench fit --from-pool)"
        )
    if current is None:
        return "Ask for a batch: alworkbench propose"
    left = sum(item.label is None for item in items)
    if left:
        return f"Label the {left} images left in round {current.number}: alworkbench serve"
    done = "measure" if current.strategy == audit.AUDIT else "learn"
    return f"Close round {current.number} and {done}: alworkbench close"
