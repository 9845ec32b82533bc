"""Small projects for the tests of people who label together, one in SQLite and one on a server.

What is slow (a schema, images, features) is made once and copied.
"""

from __future__ import annotations

import atexit
import dataclasses
import functools
import itertools
import shutil
import tempfile
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
import torch

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    EncoderRecord,
    Item,
    ProjectFolder,
    ProjectSettings,
    Role,
    RoundState,
)
from alworkbench.features.table import FeatureTable
from alworkbench.project.artifacts import FixedEngine
from alworkbench.project.taught_labels import taught_labels
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from store.server_url import write_pointer
from tests.factories import small_model
from tests.making_project import Clock
from tests.project.team_model import Case, Place, Said, Stored
from tests.store.making import CLASSES, NOW, content, import_pictures
from tests.store.server import run_on_server, server

IMAGES = 6
SETTINGS = ProjectSettings("team", strategy="random", adaptation="linearised", seed=3)
numbers = itertools.count()


@functools.cache
def engine() -> FixedEngine:
    """Features of the images and a model of the three classes, in memory."""
    model = small_model(images=IMAGES, classes=len(CLASSES), dtype=torch.float32)
    hashes = [content(n + 1) for n in range(IMAGES)]
    table = FeatureTable.from_features(hashes, model.images)
    return FixedEngine("small", model.head, table, model.classes, model.posterior)


@functools.cache
def template(on_server: bool) -> Path | str:
    """An imported project without rounds: its folder, or the name of its database."""
    folder = Path(tempfile.mkdtemp(prefix="alworkbench-team-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    name = f"team{next(numbers)}"
    url = new_database(name, "template0") if on_server else None
    with create_store(folder, SETTINGS, CLASSES, NOW, server=url) as store:
        import_pictures(store, IMAGES)
        with store.write() as writer:
            writer.computed.set_encoder(EncoderRecord("small", "made"))
            writer.computed.add_posterior("small", "made", {}, NOW)
    return name if on_server else folder


def new_database(name: str, like: str) -> str:
    """The URL of a new database with the content of another one."""
    run_on_server(f"CREATE DATABASE {name} TEMPLATE {like}")
    return server().set(database=name).render_as_string(hide_password=False)


class TeamProject:
    """A project that can be closed and opened again, and how the model names what it holds."""

    def __init__(self, clock: Clock, *, on_server: bool) -> None:
        self.kind = "server" if on_server else "file"
        self._clock = clock
        self._database = None
        self.folder = Path(tempfile.mkdtemp(prefix="alworkbench-team-"))
        made = template(on_server)
        if on_server:
            self._database = f"team{next(numbers)}"
            url = sa.make_url(new_database(self._database, str(made)))
            write_pointer(ProjectFolder(self.folder).pointer, url)
        else:
            shutil.copytree(made, self.folder, dirs_exist_ok=True)
        self.items: dict[Place, int] = {}
        self.tokens: dict[int, str] = {}
        self.cases: list[int] = []
        self.open()

    def open(self) -> None:
        """Open the project."""
        place = ProjectFolder(self.folder)
        self.bench = Workbench(
            place,
            open_store(self.folder),
            engine=engine(),
            clock=self._clock,
            take_snapshots=False,
        )

    def remove(self) -> None:
        """Close and delete it."""
        self.bench.close()
        shutil.rmtree(self.folder)
        if self._database:
            run_on_server(f"DROP DATABASE {self._database} WITH (FORCE)")

    # ------------------------------------------------------------------------- names of the model
    def answer(self, said: Said) -> Answer:
        """What is sent to this project."""
        return Answer(
            said.event,
            said.image,
            AnswerKind.SKIP if said.class_id is None else AnswerKind.CLASS,
            said.person,
            class_id=said.class_id,
            item_id=None if said.item is None else self.items.get(said.item, 10_000),
            lease_token=None if said.token is None else self.tokens.get(said.token, "never given"),
            duration_ms=said.duration,
            source=said.source,
        )

    def claimed(self, found: list[Item]) -> list[tuple[Place, str, datetime]]:
        """Claimed items as place, token and end of the lease."""
        places = {id_: place for place, id_ in self.items.items()}
        return [(places[item.id], item.lease.token, item.lease.until) for item in found]

    def state(self) -> dict[str, object]:
        """Everything that people and the model can see, in the words of the model."""
        with self.bench.session.store.read() as reader:
            rounds = reader.rounds.all()
            items = {(r.number, i.position): i for r in rounds for i in reader.rounds.items(r.id)}
            counts = {r.number: reader.rounds.progress(r.id) for r in rounds}
            labels = reader.labels.all()
            gone = reader.labels.take_backs()
            opinions = reader.labels.opinions(Role.POOL)
            counting = reader.labels.by_annotator(Role.POOL)
            current = reader.labels.current(Role.POOL)
            cases = reader.reviews.all()
            classes = reader.classes.current()
            taught = taught_labels(reader, classes)
            unanswered = reader.labels.unanswered(range(1, IMAGES + 1))
        self.items = {place: item.id for place, item in items.items()}
        self.cases = [case.id for case in cases]
        place_of = {item.id: place for place, item in items.items()}
        number = {label.id: n for n, label in enumerate(labels)} | {None: None}
        rows = zip(taught.images, taught.targets.tolist(), taught.weights.tolist(), strict=True)
        return {
            "rounds": {r.number: r.state is RoundState.OPEN for r in rounds},
            "items": {
                place: (
                    item.image_id,
                    item.wanted,
                    item.blind,
                    list(item.answered_by),
                    None if item.label is None else number[item.label.id],
                    {(e.annotator, e.token, e.until) for e in item.leases},
                )
                for place, item in items.items()
            },
            "counts": {n: dataclasses.astuple(count) for n, count in counts.items()},
            "answers": [
                Stored(
                    e.event_id if e.source != "review" else "review",
                    e.image_id,
                    e.annotator,
                    e.class_id,
                    place_of.get(e.item_id),
                    e.recorded_at,
                    None if e.late is None else e.late.value,
                    e.source,
                    e.duration_ms,
                )
                for e in labels
            ],
            "taken back": [
                (number[e.label_id], e.event_id, e.annotator, e.recorded_at) for e in gone
            ],
            "opinions": {i: [number[e.id] for e in found] for i, found in opinions.items()},
            "counting": {i: [number[e.id] for e in found] for i, found in counting.items()},
            "deciding": {i: number[found.id] for i, found in current.items()},
            "unanswered": sorted(unanswered),
            "taught": {
                image: ({n + 1: s for n, s in enumerate(shares) if s}, weight)
                for image, shares, weight in rows
            },
            "cases": [
                Case(
                    e.image_id,
                    number[e.newest_label_id],
                    e.opened_at,
                    e.state.value,
                    e.closed_at,
                    e.closed_by,
                    number[e.label_id],
                    e.note,
                )
                for e in cases
            ],
            "pace": {e.person: (e.answers, e.late) for e in self.bench.team.pace()},
        }
