"""A batch that is looked at before its round is opened: chosen, kept, and opened as it was shown.

A project has at most one preview: a file in its folder, with the batch and with marks of everything in the
project that decides a batch. If a mark has changed, the batch is not opened, since another one may be chosen
now. Opening it writes what `Rounds.propose` writes for the same wishes, and the near-copies of the preview.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import JobKind, MetricRecord, NewRound, Role, Round
from alworkbench.core.errors import NoPreview, PreviewOutdated
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import circumstances
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.near_copies import (
    NEAR_COPIES,
    NearCopy,
    near_copies,
    read_near_copies,
)
from alworkbench.project.opened_batch import open_ranked
from alworkbench.project.ranked_batch import RankedBatch, Ranking, Wish
from alworkbench.project.session import Session, refuse_open

FILE = "preview.json"
FORMAT = 1
_CHANGES = {
    "labels": "labels were given or changed",
    "images": "images were imported, or changed their role",
    "classes": "the class list changed",
    "learner": "the model learned",
    "settings": "settings of the project changed",
    "rounds": "another round was asked",
}
"""What may have changed, in words."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A batch that was chosen and not asked yet."""

    key: str
    """Names this very batch: another choice has another key."""
    ranked: RankedBatch
    state: dict[str, Any]
    """What decided the batch, by the names of `_CHANGES`."""
    asked_by: str
    made_at: datetime

    @property
    def batch(self) -> NewRound:
        """The round as it would be opened."""
        return self.ranked.round

    @property
    def near(self) -> list[NearCopy]:
        """Images of the batch that look like another one of it, or like one with a label."""
        return read_near_copies(self.batch.settings) or []


class Previews:
    """Chooses a batch, keeps it, and opens it as it is."""

    def __init__(self, session: Session, ranking: Ranking) -> None:
        self._session = session
        self._ranking = ranking

    @property
    def _path(self) -> Path:
        return self._session.folder.path / FILE

    def make(self, wish: Wish, progress: Progress = silent) -> Preview:
        """Choose the batch of the next round, and keep it in place of an earlier preview.

        No round is opened. Raises what `Rounds.propose` raises.
        """
        session = self._session
        with session.computing:
            with session.store.read() as reader:
                refuse_open(reader)
            with session.jobs.claim(
                JobKind.RANK, lambda: "choose images to look at", progress
            ) as told:
                with session.store.read() as reader:
                    state = _state(reader)
                ranked = self._ranking.rank(wish, told)
                told("looking for near-copies", 0, 1)
                near = [asdict(each) for each in self._near(ranked.round)]
                settings = {**ranked.round.settings, NEAR_COPIES: near}
                made = _keyed(
                    replace(ranked, round=replace(ranked.round, settings=settings)),
                    state,
                    session.jobs.asked_by(JobKind.RANK),
                    session.now(),
                )
                told("looking for near-copies", 1, 1)  # the last moment at which it can be stopped
                write_atomically(self._path, _content(made))
        return made

    def kept(self) -> Preview | None:
        """The batch that was chosen last and not opened; None without one, or where its file is damaged."""
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            return _read(self._path.read_bytes())
        return None

    def changed(self, preview: Preview) -> str | None:
        """Why it cannot be opened any more, in words; None where it can."""
        with self._session.store.read() as reader:
            return _changed(preview, _state(reader))

    def open(self, key: str | None = None, *, by: str | None = None) -> Round:
        """Open the round of the kept batch, as it was shown; the preview is then gone.

        `key` is that of the preview which a person saw; None: whichever is kept. `by` is who opens it; None:
        whoever opened the project. Raises NoPreview, RoundStillOpen, and PreviewOutdated where something
        that decided the batch has changed, or another one was chosen.
        """
        found = self.kept()
        if found is None:
            raise NoPreview
        if key is not None and key != found.key:
            raise PreviewOutdated("another batch was chosen")
        session = self._session
        with session.store.write() as writer:
            refuse_open(writer)
            changed = _changed(found, _state(writer))
            if changed is not None:
                raise PreviewOutdated(changed)
            who = by or session.jobs.asked_by(JobKind.RANK)
            opened = open_ranked(writer, found.ranked, session.now(), who)
        self.drop()
        return opened

    def drop(self) -> None:
        """Keep no preview any more."""
        self._path.unlink(missing_ok=True)

    def _near(self, batch: NewRound) -> list[NearCopy]:
        session = self._session
        with session.store.read() as reader:
            pool = ImageColumns.read(reader, Role.POOL)
            answered = reader.labels.current(Role.POOL)
        encoded = session.encoded_of(pool)
        classified = sorted(i for i, label in answered.items() if label.class_id is not None)
        asked = [item.image_id for item in batch.items]
        labelled, rows = (
            {
                row: image
                for row, image in zip(encoded.rows_of(ids).tolist(), ids, strict=True)
                if row >= 0
            }
            for ids in (classified, asked)
        )
        return near_copies(session.engine().table(), encoded.rows, rows, labelled, batch.seed)


def _state(reader: Reader) -> dict[str, Any]:
    """Everything of a project that decides a batch, by the names of `_CHANGES`; plain JSON values."""
    record, settings = circumstances(reader), reader.settings()
    learner, encoder = reader.computed.learner(), reader.computed.encoder()
    posterior = reader.computed.posterior(encoder.id) if encoder else None
    return {
        "labels": [record.pop("labels"), record.pop("take_backs")],
        "images": [record.pop("images"), record.pop("role_changes"), encoder and encoder.id],
        "classes": reader.classes.current().id,
        "learner": [learner and learner.id, posterior and posterior.id],
        "settings": [
            record,
            settings.overlap,
            settings.overlap_share,
            settings.blind_share,
            settings.label_free_calibration.value,
        ],
        "rounds": len(reader.rounds.all()),
    }


def _changed(preview: Preview, now: dict[str, Any]) -> str | None:
    words = [said for name, said in _CHANGES.items() if preview.state.get(name) != now[name]]
    return ", and ".join(words) if words else None


def _keyed(ranked: RankedBatch, state: dict[str, Any], asked_by: str, now: datetime) -> Preview:
    made = Preview("", ranked, state, asked_by, now)
    return replace(made, key=hashlib.sha256(_content(made)).hexdigest()[:16])


def _content(made: Preview) -> bytes:
    measured = made.ranked.measured
    content = {
        "format": FORMAT,
        "key": made.key,
        "batch": asdict(made.batch),
        "measured": None
        if measured is None
        else {**asdict(measured), "measured_at": measured.measured_at.isoformat()},
        "state": made.state,
        "asked_by": made.asked_by,
        "made_at": made.made_at.isoformat(),
    }
    return json.dumps(content).encode()


def _read(data: bytes) -> Preview:
    """Raises ValueError, KeyError, TypeError or AttributeError for a file that is no preview."""
    content = json.loads(data)
    if content["format"] != FORMAT:
        raise ValueError(f"its format is {content['format']!r}, expected {FORMAT}")
    measured = content["measured"]
    if measured is not None:
        at = datetime.fromisoformat(measured["measured_at"])
        measured = MetricRecord(**{**measured, "measured_at": at})
    return Preview(
        str(content["key"]),
        RankedBatch(NewRound.from_record(content["batch"]), measured),
        dict(content["state"]),
        str(content["asked_by"]),
        datetime.fromisoformat(content["made_at"]),
    )
