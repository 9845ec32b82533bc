"""A workbench without an engine: rounds and labels in memory, in a journal file if one is named.

It keeps the promises that screens rely on (idempotent answers, leases, take-backs), draws small
pictures instead of reading files, and counts what was written so that a test can say "nothing was".
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image as Pillow
from PIL import ImageDraw

from alworkbench.acquisition.cost import Estimate as CostEstimate
from alworkbench.acquisition.cost import Size
from alworkbench.core.domain import (
    AUDIT_STRATEGY,
    DEFAULT_STRATEGY,
    LIKELIEST,
    Answer,
    AnswerKind,
    ClassList,
    Image,
    Item,
    Label,
    LabelClass,
    Lease,
    MetricRecord,
    NameKnowledge,
    ProjectFolder,
    ProjectSettings,
    Role,
    Round,
    RoundCount,
    RoundState,
    Suggestion,
)
from alworkbench.core.errors import (
    LeaseLost,
    NoOpenRound,
    NothingToCorrect,
    NothingToUndo,
    PoolExhausted,
    RoundStillOpen,
    UnknownItem,
)
from alworkbench.core.progress import Progress, silent
from alworkbench.evaluation.forecast import Forecast
from alworkbench.evaluation.lure import Estimate, RoundEstimate
from alworkbench.project.accuracy_report import AccuracyReport, AuditPopulation
from alworkbench.project.audit_set import AuditOffer, half_width
from alworkbench.project.class_versions import ClassVersion
from alworkbench.project.corrections import HISTORY, Correction
from alworkbench.project.fair_share import Share, fair_share
from alworkbench.project.jobs import Jobs
from alworkbench.project.next_step import Step
from alworkbench.project.renditions import Rendition
from alworkbench.project.round_history import RoundReport, bought
from alworkbench.project.status import Status
from alworkbench.project.stopping import Advice, Finding, Verdict
from alworkbench.prompts.library import template_sets
from store import memory_store
from tests.made_results import made_points, made_result
from tests.ui.fake_cards import FakeCards
from tests.ui.fake_evidence import FakeEvidence
from tests.ui.fake_notes import FakeNotes
from tests.ui.fake_people import FakePeople

NAMES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
    "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
LEASE = timedelta(minutes=10)
VERSION = "1-65535"
"""Of the pictures; see `Images.version`."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class FakeWorkbench:
    def __init__(
        self,
        folder: Path,
        *,
        names: tuple[str, ...] = NAMES,
        pool: int = 200,
        audit: int = 100,
        batch_size: int = 10,
        side: int = 28,
        name: str = "Fashion sample",
        journal: Path | None = None,
        measured: bool = True,
        unknown_classes: tuple[str, ...] = (),
    ) -> None:
        kept = ProjectFolder(folder)
        shutil.rmtree(kept.simulations, ignore_errors=True)
        if measured:
            points = made_points(seeds=3, rounds=10)
            made_result(kept.simulations / "abc123", points)
        self._settings = ProjectSettings(name=name, batch_size=batch_size)
        self._classes = ClassList(tuple(LabelClass(n, id=100 + i) for i, n in enumerate(names)), 1)
        self._pool, self._audit, self._side = pool, audit, side
        self._lock = threading.RLock()
        self._rounds: list[Round] = []
        self._items: dict[int, list[Item]] = {}
        self._labels: list[Label] = []
        self._taken_back: dict[str, Label] = {}
        self._measured = measured
        self._metrics = [self._metric(0, 0)] if measured and audit else []
        self._unknown = unknown_classes
        self.writes = 0
        """How often something was recorded, proposed, claimed or closed."""
        self.session = SimpleNamespace(
            folder=kept,
            settings=lambda: self._settings,
            now=lambda: datetime.now(UTC),
            read_only=False,
        )
        kept.path.mkdir(parents=True, exist_ok=True)
        store = memory_store(self._settings, self._classes, datetime.now(UTC))
        self.session_store = store
        self.jobs = Jobs(store, lambda: datetime.now(UTC), "a script", lambda: True)
        self.prepared = SimpleNamespace(
            kept=lambda: None,
            due=lambda: False,
            unlearned=lambda: None,
            failed=lambda: None,
        )
        self.cards = FakeCards(self)
        self.notes = FakeNotes(self)
        self.people = FakePeople(kept.path / "people.json")
        self.gallery = SimpleNamespace(people=list)
        self.classes = SimpleNamespace(
            current=lambda: self._classes,
            history=lambda: [ClassVersion(1, EPOCH, len(self._classes), ())],
        )
        self.prompts = SimpleNamespace(
            unreadable=lambda: None, compared=lambda: None, sets=template_sets
        )
        self.images = SimpleNamespace(
            get=self._image,
            some=lambda ids: [self._image(each) for each in ids],
            rendition=self._rendition,
            version=lambda: VERSION,
        )
        self.measurements = SimpleNamespace(all=lambda: list(self._metrics))
        self.labels = SimpleNamespace(
            claim=self._claim,
            take_share=self._take_share,
            people_at_work=lambda: 1,
            record=self._record,
            undo=self._undo,
            correct=self._correct,
            newest=self._newest,
            release=self._release,
        )
        self.rounds = SimpleNamespace(
            current=self._open_round,
            all=lambda: list(self._rounds),
            items=self._items_of,
            item=self._asked,
            count=self._count,
            propose=self._propose,
            close=self._close,
            history=self._history,
            previews=SimpleNamespace(kept=lambda: None),
            estimate=self._estimate,
            took=lambda strategy: None,
            newest_replay=lambda: None,
        )
        self.targets = SimpleNamespace(names=list)
        self.found_errors = 0
        self.team = SimpleNamespace(
            reviews=SimpleNamespace(
                open_label_errors=lambda progress: self.found_errors,
                errors_opened=lambda begun: self.found_errors,
            )
        )
        self.audit = SimpleNamespace(
            offer=self._offer,
            draw=self._draw_audit,
            report=self._report,
            advise=self._advise,
            evidence=FakeEvidence(self._classes, audit if measured else 0),
        )
        self._journal = journal
        if journal is not None and journal.exists():
            self._replay(journal)

    # ------------------------------------------------------------------------------ reading

    def _open_round(self) -> Round | None:
        return next((r for r in self._rounds if r.state is RoundState.OPEN), None)

    def _asked(self, item_id: int) -> Item | None:
        items = (item for each in self.rounds.all() for item in self._items_of(each.id))
        return next((item for item in items if item.id == item_id), None)

    def _items_of(self, round_id: int) -> list[Item]:
        with self._lock:
            current = self._current()
            given = [(item, current.get(item.image_id)) for item in self._items[round_id]]
            return [
                replace(item, label=label, answered_by=(label.annotator,) if label else ())
                for item, label in given
            ]

    def _count(self, round_id: int) -> RoundCount:
        items = self._items_of(round_id)
        complete = sum(item.complete for item in items)
        return RoundCount(complete, len(items), complete, len(items))

    def _history(self) -> list[RoundReport]:
        """As `round_history.round_history` reads it."""
        reports = []
        for each in self._rounds:
            items = self._items_of(each.id)
            people = Counter(name for item in items for name in item.answered_by)
            answered = sum(item.label is not None for item in items)
            result = bought(each, self._metrics)
            count = self._count(each.id)
            reports.append(RoundReport(each, count, answered, people, result, None))
        return reports

    def _estimate(
        self, strategy: str, batch_size: int, *, targets: int | None = None
    ) -> CostEstimate:
        asked = {i.image_id for items in self._items.values() for i in items}
        size = Size(self._pool - len(asked), 100, len(self._classes), 128, batch_size, 0, 8, 8)
        return CostEstimate(strategy, size, 10**9, 0.05, 2**20, 2**30)

    def _image(self, image_id: int) -> Image:
        return Image(
            image_id, self._hash(image_id), Role.POOL, self._side, self._side, (f"{image_id}.png",)
        )

    def _rendition(self, content_hash: str, side: int | None = None) -> Rendition:
        for image_id in range(1, self._pool + 1):
            if self._hash(image_id) == content_hash:
                return Rendition("image/png", self._draw(image_id), VERSION)
        raise KeyError(content_hash)

    def status(self) -> Status:
        with self._lock:
            current = self._current().values()
            open_round = self._open_round()
            per_class = [sum(v.class_id == c.id for v in current) for c in self._classes.classes]
            answered = (
                sum(i.label is not None for i in self._items_of(open_round.id)) if open_round else 0
            )
            newest = self._metrics[-1].values["accuracy"] if len(self._metrics) > 1 else None
            first = self._metrics[0].values["accuracy"] if self._metrics else None
            return Status(
                name=self._settings.name,
                encoder="bundled",
                model="bundled",
                pool_images=self._pool,
                audit_images=self._audit,
                quarantined=3,
                encoded=self._pool + self._audit,
                classes=self._classes.names,
                labels=sum(per_class),
                labels_per_class=tuple(per_class),
                skipped=len(current) - sum(per_class),
                rounds_closed=sum(r.state is RoundState.CLOSED for r in self._rounds),
                open_round=open_round,
                open_answered=answered,
                has_posterior=True,
                zero_shot_accuracy=first,
                audit_accuracy=newest,
                next_step="Start a round.",
                step=self._step(open_round, answered),
                names=tuple(
                    NameKnowledge(name, 1e6 if name in self._unknown else 1.0, 0)
                    for name in self._classes.names
                ),
            )

    def _step(self, open_round: Round | None, answered: int) -> Step:
        if open_round is not None:
            return Step.LABEL if answered < open_round.batch_size else Step.CLOSE
        if not self._pool:
            return Step.IMPORT
        return Step.ASK if len(self._current()) < self._pool else Step.IMPORT_MORE

    def _offer(self, count: int) -> AuditOffer:
        asked = {i.image_id for items in self._items.values() for i in items}
        free = self._pool - len(asked)
        before = self._audit if self._measured else 0
        images = min(count, free)
        return AuditOffer(
            images,
            0,
            free,
            len(self._current()),
            before,
            0.7,
            half_width(before + max(1, images), 0.7),
        )

    def _advise(self, target: float | None = None) -> Advice:
        findings = (
            Finding(
                "audit", Verdict.GO_ON, "accuracy on 100 audit images is 71.0 % [61.5 %, 79.0 %]"
            ),
            Finding("gain", Verdict.CANNOT_SAY, "3 recorded learners; 5 are needed"),
        )
        needed = None if target is None else Forecast(target, 60.0, 20.0, None, "4 measurements")
        return Advice(False, findings[0].because, target, findings, needed, self._measured)

    def _report(self) -> AccuracyReport:
        closed = [
            r for r in self._rounds if r.state is RoundState.CLOSED and r.strategy == "random"
        ]
        drawn = tuple(
            RoundEstimate(
                r.number, r.learner_id, r.strategy,
                Estimate(0.7, 0.55, 0.82, 0.6, 12.0, r.batch_size, self._pool), 0.1, 0,
            )
            for r in closed
        )  # fmt: skip
        population = AuditPopulation(self._audit, 0, 0, 0)
        left = {"labels": 10, "accuracy": 0.8, "accuracy_low": 0.49, "accuracy_high": 0.94}
        left |= {"ece": 0.12, "ece_floor": 0.1, "groups": 5}
        pooled = drawn[0].accuracy if drawn else None
        return AccuracyReport(
            tuple(self._metrics), population, drawn, pooled, None, left if drawn else None
        )

    def recorded(self) -> list[tuple[str, int, str, int | None]]:
        """(event id, item id, kind, class id) of every label that was not taken back, in order."""
        back = {label.event_id for label in self._taken_back.values()}
        return [
            (x.event_id, x.item_id or 0, x.kind.value, x.class_id)
            for x in self._labels
            if x.event_id not in back
        ]

    # ------------------------------------------------------------------------------ writing

    def _claim(self, annotator: str, limit: int, tab: str | None = None) -> list[Item]:
        with self._lock:
            round_ = self._open_round()
            if round_ is None:
                raise NoOpenRound
            self.writes += 1
            free = [i for i in self._items_of(round_.id) if i.label is None][:limit]
            until = datetime.now(UTC) + LEASE
            return [replace(i, lease=Lease(annotator, self._token(i.id), until)) for i in free]

    def _take_share(self, annotator: str, tab: str | None = None) -> Share:
        """The share of one person alone."""
        with self._lock:
            round_ = self._open_round()
            left = 0 if round_ is None else self._count(round_.id).items_left
            limit = fair_share(left, 1)
            return Share(self._claim(annotator, limit, tab), limit, 1, done=False)

    def _release(self, annotator: str, tab: str | None, item_ids: list[int]) -> None:
        self.released = (annotator, tab, item_ids)

    def _record(self, answer: Answer) -> Label:
        with self._lock:
            for known in self._labels:
                if known.event_id == answer.event_id:
                    return known
            items = {i.id: i for items in self._items.values() for i in items}
            if answer.item_id not in items:
                raise UnknownItem(f"There is no item {answer.item_id}.")
            if answer.lease_token != self._token(answer.item_id):
                raise LeaseLost
            label = Label(
                len(self._labels) + 1, answer.event_id, answer.image_id, answer.kind,
                answer.class_id, answer.annotator, answer.item_id, datetime.now(UTC),
                answer.duration_ms, answer.suggested_class_id, answer.source,
            )  # fmt: skip
            self._labels.append(label)
            self._write({"do": "answer", "event_id": answer.event_id, "image_id": answer.image_id,
                         "kind": answer.kind.value, "class_id": answer.class_id,
                         "item_id": answer.item_id, "duration_ms": answer.duration_ms})  # fmt: skip
            return label

    def _undo(self, annotator: str, event_id: str, answer: str | None = None) -> Label:
        with self._lock:
            if event_id in self._taken_back:
                return self._taken_back[event_id]
            round_ = self._open_round()
            items = {i.id for i in self._items[round_.id]} if round_ else set()
            back = {label.event_id for label in self._taken_back.values()}
            standing = [x for x in self._labels if x.item_id in items and x.event_id not in back]
            standing = [x for x in standing if answer in (None, x.event_id)]
            if not standing:
                raise NothingToUndo(annotator)
            self._taken_back[event_id] = standing[-1]
            self._write({"do": "undo", "event_id": event_id, "answer": answer})
            return standing[-1]

    def _correct(self, correction: Correction) -> Label:
        with self._lock:
            known = {label.event_id: label for label in self._labels}
            if correction.event_id in known:
                return known[correction.event_id]
            old = known.get(correction.corrects)
            if old is None or old.event_id in {x.event_id for x in self._taken_back.values()}:
                raise NothingToCorrect(correction.annotator)
            label = replace(
                old, id=len(self._labels) + 1, event_id=correction.event_id, kind=correction.kind,
                class_id=correction.class_id, recorded_at=datetime.now(UTC),
            )  # fmt: skip
            self._labels.append(label)
            self._write({"do": "correct", "event_id": label.event_id, "kind": label.kind.value,
                         "corrects": old.event_id, "class_id": label.class_id})  # fmt: skip
            return label

    def _newest(self, annotator: str) -> list[Label]:
        current = sorted(self._current().values(), key=lambda each: -each.id)
        return [each for each in current if each.annotator == annotator][:HISTORY]

    def _likeliest(self, image_id: int) -> list[int]:
        """The suggestion and the eight classes behind it, in a circle."""
        first = self._suggest(image_id).class_id - 100
        return [100 + (first + n) % len(self._classes) for n in range(LIKELIEST)]

    def _propose(
        self,
        strategy: str | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
        progress: Progress = silent,
    ) -> Round:
        with self._lock:
            if (open_round := self._open_round()) is not None:
                raise RoundStillOpen(open_round.number, 1)
            asked = {i.image_id for items in self._items.values() for i in items}
            free = [i for i in range(1, self._pool + 1) if i not in asked]
            if not free:
                raise PoolExhausted
            size = batch_size or self._settings.batch_size
            number = len(self._rounds) + 1
            progress("Scoring the pool", self._pool, self._pool)
            round_ = Round(
                number, number, strategy or DEFAULT_STRATEGY, seed or 0, min(size, len(free)), 1, 1,
                None if number == 1 else number - 1, RoundState.OPEN, datetime.now(UTC), None, 0.4,
                {"likeliest": [self._likeliest(i) for i in free[:size]]}
                if self._classes.more_than_digits
                else {},
            )  # fmt: skip
            self._rounds.append(round_)
            self._items[round_.id] = [
                Item(1000 * number + n, round_.id, image_id, n, 0.5, self._suggest(image_id))
                for n, image_id in enumerate(free[:size])
            ]
            self._write({"do": "propose", "strategy": round_.strategy, "batch_size": size})
            return round_

    def _draw_audit(self, count: int, seed: int | None = None) -> Round:
        with self._lock:
            round_ = self._propose(AUDIT_STRATEGY, count, seed)
            bare = [replace(i, suggestion=None, score=None) for i in self._items[round_.id]]
            self._items[round_.id] = bare
            return round_

    def _close(self, progress: Progress = silent, *, force: bool = False) -> MetricRecord | None:
        with self._lock:
            round_ = self._open_round()
            if round_ is None:
                raise NoOpenRound
            progress("Adapting the projections", 1, 2)
            closed = replace(round_, state=RoundState.CLOSED, closed_at=datetime.now(UTC))
            self._rounds[self._rounds.index(round_)] = closed
            self._write({"do": "close"})
            if not self._measured or not self._audit:
                return None
            self._metrics.append(self._metric(round_.number, len(self._current())))
            return self._metrics[-1]

    def close(self) -> None:
        """Nothing is open."""

    # ------------------------------------------------------------------------------ inside

    def _current(self) -> dict[int, Label]:
        back = {label.event_id for label in self._taken_back.values()}
        return {x.image_id: x for x in self._labels if x.event_id not in back}

    def _token(self, item_id: int | None) -> str:
        return f"lease-{item_id}"

    def _hash(self, image_id: int) -> str:
        return hashlib.sha256(f"{self._settings.name}/{image_id}".encode()).hexdigest()

    def _suggest(self, image_id: int) -> Suggestion:
        classes = self._classes.classes
        chosen = classes[image_id % len(classes)]
        assert chosen.id is not None
        return Suggestion(chosen.id, 0.35 + (image_id * 37 % 60) / 100)

    def _draw(self, image_id: int) -> bytes:
        noise = random.Random(image_id)
        picture = Pillow.new("L", (self._side, self._side), 12)
        pen = ImageDraw.Draw(picture)
        unit = self._side / 28
        for _ in range(5):
            x, y = noise.randint(3, 14), noise.randint(3, 14)
            size = noise.randint(4, 11)
            box = [unit * x, unit * y, unit * (x + size), unit * (y + size)]
            pen.rectangle(box, fill=noise.randint(70, 240))
        data = io.BytesIO()
        picture.save(data, "PNG")
        return data.getvalue()

    def _metric(self, number: int, labels: int) -> MetricRecord:
        accuracy = 0.62 + 0.2 * (1 - 0.97**labels)
        values: Mapping[str, Any] = {
            "accuracy": accuracy,
            "accuracy_low": accuracy - 0.03,
            "accuracy_high": accuracy + 0.03,
            "per_class": {
                n: min(1.0, accuracy - 0.3 + 0.06 * i + 0.01 * number * (i % 3))
                for i, n in enumerate(self._classes.names)
            },
        }
        return MetricRecord(number, number or None, labels, self._audit, values, datetime.now(UTC))

    def _write(self, event: dict[str, Any]) -> None:
        self.writes += 1
        if self._journal is None:
            return
        with self._journal.open("a") as file:
            file.write(json.dumps(event) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _replay(self, journal: Path) -> None:
        lines = journal.read_text().splitlines(keepends=True)
        self._journal = None
        for line in lines:
            if not line.endswith("\n"):
                break  # the process was killed while it wrote this one: it was not acknowledged
            event = json.loads(line)
            match event.pop("do"):
                case "answer":
                    event["kind"] = AnswerKind(event["kind"])
                    token = self._token(event["item_id"])
                    self._record(Answer(annotator="annotator", lease_token=token, **event))
                case "undo":
                    self._undo("annotator", event["event_id"], event["answer"])
                case "correct":
                    kind = AnswerKind(event.pop("kind"))
                    self._correct(Correction(annotator="annotator", kind=kind, **event))
                case "propose":
                    self._propose(**event)
                case "close":
                    self._close()
        self._journal = journal
        whole = "".join(line for line in lines if line.endswith("\n"))
        journal.write_text(whole)
