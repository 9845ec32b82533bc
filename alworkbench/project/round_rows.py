"""A round as plain rows, for scripts and spreadsheets: what was asked, suggested and answered."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from alworkbench.acquisition.strategy_cards import score_unit
from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.domain import AnswerKind, Item, Label, Role, Round
from alworkbench.core.errors import InvalidLabelFile, NoOpenRound, UnknownRound
from alworkbench.core.ports import Reader
from alworkbench.inputs.formula_guard import harmless
from alworkbench.project.session import Session, resolve


@dataclass(frozen=True, slots=True)
class RoundRow:
    """An image of a round. The names of the fields are the columns of the file, in this order.

    `alworkbench label` reads the columns `image` and `label`, and not the columns of the suggestion.
    """

    image: str
    """Its path as the project stores it: absolute, or relative to the project folder."""
    path: str
    """Where the file lies now."""
    hash: str
    """SHA-256 of the file's bytes, 64 hexadecimal digits."""
    round: int
    """Number of the round."""
    position: int
    """In the round, from 1: the strategy's order."""
    suggestion: str
    """The class that the model suggested; empty without a suggestion, and where none is shown."""
    suggestion_probability: float | None
    calibration: str
    """On what this probability is calibrated, in words; empty without a suggestion."""
    score: float | None
    """The strategy's score, in the unit `RoundRows.score_unit`."""
    label: str
    """The class of the answer that counts, whether it came from the screen or from a file; else empty."""
    answer: str
    """`class`, `skip` or `cannot_tell`; empty while the image has no answer."""


_OF_PEOPLE = frozenset({"answered_by", "leases"})

COLUMNS = tuple(field.name for field in fields(RoundRow))
"""Columns of a file with a round."""


@dataclass(frozen=True, slots=True)
class RoundRows:
    """A round and the rows of its images, in its order."""

    round: Round
    score_unit: str
    """Such as `nats`; empty for a score without a unit."""
    rows: tuple[RoundRow, ...]

    @property
    def answered(self) -> int:
        """Images with an answer."""
        return sum(bool(row.answer) for row in self.rows)

    def without_answer(self) -> RoundRows:
        """The same round with the rows of images that have no answer."""
        left = tuple(row for row in self.rows if not row.answer)
        return RoundRows(self.round, self.score_unit, left)


def round_rows(session: Session, number: int | None = None) -> RoundRows:
    """The round with this number; without a number the open round, or else the newest.

    Raises NoOpenRound before the first round, and UnknownRound.
    """
    with session.store.read() as reader:
        rounds = reader.rounds.all()
        if not rounds:
            raise NoOpenRound
        if number is None:
            found = reader.rounds.current() or rounds[-1]
        else:
            numbered = [each for each in rounds if each.number == number]
            if not numbered:
                raise UnknownRound(number, len(rounds))
            found = numbered[0]
        items = reader.rounds.items(found.id)
        names, counted = class_names(reader, found), reader.classes.current().counted_names
        places = stored_places(reader, items)
        # Of the image, since an answer that came after the round was closed may belong to no item.
        given = {
            image: each for role in Role for image, each in reader.labels.current(role).items()
        }
    rows = tuple(
        _row(
            session, found, item, (names, counted), places[item.image_id], given.get(item.image_id)
        )
        for item in items
    )
    return RoundRows(found, score_unit(found.strategy), rows)


def placed_items(session: Session, items: Sequence[Item]) -> list[dict[str, Any]]:
    """Items as mappings of their fields, and of `image`, `path` and `hash` as in `RoundRow`.

    Without what annotators must not see: who answered, who holds it, and the suggestion of a blind item.
    """
    with session.store.read() as reader:
        places = stored_places(reader, items)
    return [
        {
            **{name: value for name, value in asdict(item).items() if name not in _OF_PEOPLE},
            "suggestion": asdict(shown) if (shown := item.shown_suggestion) else None,
            "image": places[item.image_id][1],
            "path": str(resolve(session.folder, places[item.image_id][1])),
            "hash": places[item.image_id][0],
        }
        for item in items
    ]


def class_names(reader: Reader, round_: Round) -> dict[int | None, str]:
    """Class id -> name, of the round's class list and of the newest, whose names count."""
    return (
        reader.classes.get(round_.class_list_id).given_names | reader.classes.current().given_names
    )


def stored_places(reader: Reader, items: Sequence[Item]) -> dict[int, tuple[str, str]]:
    """Image id -> (content hash, newest stored path) of the images of some items."""
    wanted = {item.image_id for item in items}
    return {
        image: (content, path)
        for role in Role
        for (image, content), (_, path) in zip(
            reader.images.ids_and_hashes(role), reader.images.hashes_and_paths(role), strict=True
        )
        if image in wanted
    }


def write_round(path: Path, found: RoundRows) -> None:
    """Write the rows as a CSV table, whole or not at all.

    `alworkbench label` reads the file after a person has filled in its column `label`. Raises
    InvalidLabelFile for another kind of file.
    """
    if path.suffix != ".csv":
        raise InvalidLabelFile(
            f"A round can be written as .csv, not as {path.suffix or 'a file without suffix'!r}. "
            f"Name the file round.csv, for example."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as draft, draft.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        for row in found.rows:
            writer.writerow({name: harmless(value) for name, value in asdict(row).items()})


def _row(
    session: Session,
    round_: Round,
    item: Item,
    names: tuple[dict[int | None, str], dict[int | None, str]],
    place: tuple[str, str],
    given: Label | None,
) -> RoundRow:
    content, stored = place
    suggested, counted = names
    shown = item.shown_suggestion
    return RoundRow(
        image=stored,
        path=str(resolve(session.folder, stored)),
        hash=content,
        round=round_.number,
        position=item.position + 1,
        suggestion=suggested.get(shown.class_id, "") if shown else "",
        suggestion_probability=shown.probability if shown else None,
        calibration=round_.calibration.words if shown else "",
        score=item.score,
        label=counted.get(given.class_id, "") if given and given.kind is AnswerKind.CLASS else "",
        answer=given.kind.value if given else "",
    )
