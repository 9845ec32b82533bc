"""The record of one label, which every format carries: its columns, and how they are read back.

A record is a mapping of column -> value with the types of JSON; None where there is none. Formats that hold
texts only give the same values back, because every value has one text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.core.names import fault_of_name
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping

KINDS: dict[str, type] = {
    "image": str,  # the path that the project has
    "hash": str,  # SHA-256 of the picture: what identifies it
    "label": str,  # the class; none exactly where `kind` is not class
    "kind": str,
    "role": str,
    "annotator": str,
    "recorded_at": datetime,
    "source": str,  # where the answer came from: browser, csv, manifest, oracle, or a script's own word
    "event_id": str,
    "counts": bool,  # whether it decides now what the image is
    "taken_back_at": datetime,
    "taken_back_by": str,
    "taken_back_event": str,
    "round": int,  # the number of the round that asked
    "position": int,  # in the round, from 1
    "strategy": str,
    "score": float,  # of the strategy
    "draw_probability": float,  # of this draw among the images left at that time
    "suggestion": str,  # the class that was suggested
    "suggestion_probability": float,
    "calibration": str,  # on what this probability is calibrated, in words
    "duration_ms": int,
    "class_list": int,  # the version that the round asked with
    "posterior": int,  # the posterior and the learner that ranked, as the project numbers them
    "learner": int,
    "project": str,  # the name of the project that recorded the label
    "note": str,  # the newest note that a person wrote about the image
    "flagged": bool,  # whether the image is flagged
}
"""Column -> type of its values. Times are texts in ISO 8601, in UTC."""

COLUMNS = tuple(KINDS)
"""The columns of an exported label, in their order."""

NEEDED = ("image", "label")
"""Columns of every label file."""

ORIGIN = (
    "round",
    "position",
    "strategy",
    "score",
    "draw_probability",
    "suggestion",
    "suggestion_probability",
    "calibration",
    "class_list",
    "posterior",
    "learner",
    "project",
)
"""The columns that say where and how a label was asked for."""

MOST_CHARACTERS = 4096
"""Of a value."""
_MOST = 2**63 - 1
_COUNTS = {"": True, "true": True, "false": False}
_HASH = re.compile(r"[0-9a-f]{64}")
_PROBABILITIES = ("draw_probability", "suggestion_probability")
_ALWAYS = ("hash", "kind", "annotator", "recorded_at", "source", "event_id")
_TAKEN_BACK = ("taken_back_at", "taken_back_by", "taken_back_event")


@dataclass(frozen=True, slots=True)
class LabelRow:
    """What a row of a label file says about an image."""

    line: int
    """Of the file, from 1; in formats without lines, the place in the order of the file."""
    image: str
    """A path or a content hash."""
    hash: str
    """The content hash, or an empty text. It decides which image is meant, whatever the path is."""
    kind: AnswerKind
    label: str
    """A class name; empty exactly where `kind` is not CLASS."""
    role: Role | None = None
    """That of the image, where the file says it."""
    place: str = ""
    """Where it stands in a format without lines, such as a path inside the folder."""

    @property
    def where(self) -> str:
        """`line 3`, or the place."""
        return self.place or f"line {self.line}"


def text_of(value: Any, name: str) -> str:
    """The one text of a value of JSON. Raises ValueError for a list, an object or another type."""
    if value is None:
        return ""
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"{name} is neither a text nor a number")
    return str(value)


def label_row(
    line: int, fields: Mapping[str, str], mapping: ColumnMapping = OUR_OWN, place: str = ""
) -> LabelRow | None:
    """The answer of a row of texts; None where it holds none that counts. Raises InvalidTable."""
    where = place or f"line {line}"
    fields = mapping.renamed(fields, "image")
    image, label = fields["image"], fields["label"]
    kind, counts = (fields.get(name, "").strip().lower() for name in ("kind", "counts"))
    kinds = [each.value for each in AnswerKind]
    if counts not in _COUNTS:
        raise InvalidTable(
            f"{where}: counts is {counts[:80]!r}", "Write true or false, or leave it empty."
        )
    if kind and kind not in kinds:
        raise InvalidTable(
            f"{where}: {kind[:80]!r} is no kind of answer", f"Write {', '.join(kinds)}."
        )
    named = bool(label.strip())
    if kind and named is not (kind == AnswerKind.CLASS):
        found = f"the label is {label[:80]!r}" if named else "there is no label"
        raise InvalidTable(
            f"{where}: the kind is {kind}, and {found}",
            "An answer has a label exactly if its kind is class.",
        )
    if not (named or kind) or not _COUNTS[counts]:
        return None
    return LabelRow(
        line,
        image,
        hash_of(fields),
        AnswerKind(kind) if kind else AnswerKind.CLASS,
        label,
        _role(where, fields, mapping),
        place,
    )


def hash_of(fields: Mapping[str, str]) -> str:
    """The content hash of a row in lower case, or an empty text."""
    return fields.get("hash", "").strip().lower()


def _role(where: str, fields: Mapping[str, str], mapping: ColumnMapping) -> Role | None:
    """The role that a row gives its image: by its split, or else by the column `role`."""
    if mapping.split_map:
        split = fields.get("split", "").strip()
        if split and split not in mapping.split_map:
            raise InvalidTable(
                f"{where}: the split {split[:80]!r} has no meaning",
                f"Say what it means: --split-map {split[:80]}=pool, or =audit.",
            )
        if split:
            return mapping.split_map[split]
    role = fields.get("role", "").strip().lower()
    if role and role not in [each.value for each in Role]:
        raise InvalidTable(
            f"{where}: {role[:80]!r} is no role", "Write pool or audit, or leave it empty."
        )
    return Role(role) if role else None


def full_record(where: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A record of a history with every column, read from values or from their texts.

    Raises InvalidTable for a row that does not say what a history needs, or that contradicts itself.
    """
    try:
        texts = {name: text_of(fields.get(name), name) for name in COLUMNS}
        found = {name: _value(name, text) for name, text in texts.items()}
    except ValueError as error:
        raise InvalidTable(f"{where}: {error}", _NO_HISTORY) from error
    fault = _fault(found)
    if fault is not None:
        raise InvalidTable(f"{where}: {fault}", _NO_HISTORY)
    return found


_NO_HISTORY = (
    "A history is read as `alworkbench export --history` wrote it. To record what a file says now as new "
    "answers, read it without --history."
)


def _fault(found: Mapping[str, Any]) -> str | None:
    """Why a record with values of the right types is none of a history; None for a good one."""
    missing = [name for name in _ALWAYS if found[name] is None]
    if missing:
        return f"it has no {missing[0]}"
    if _HASH.fullmatch(found["hash"]) is None:
        return f"hash is {found['hash'][:80]!r}, and not 64 hexadecimal digits in lower case"
    if found["kind"] not in [each.value for each in AnswerKind]:
        return f"{found['kind'][:80]!r} is no kind of answer"
    if (found["kind"] == AnswerKind.CLASS) != (found["label"] is not None):
        return "an answer has a label exactly if its kind is class"
    if found["role"] not in (None, *(each.value for each in Role)):
        return f"{found['role'][:80]!r} is no role"
    given = [name for name in _TAKEN_BACK if found[name] is not None]
    if given and len(given) < len(_TAKEN_BACK):
        return f"it has {given[0]}, and not all of {', '.join(_TAKEN_BACK)}"
    return None


def _value(name: str, text: str) -> Any:
    """The value of a text. Raises ValueError, which names the column."""
    kind = KINDS[name]
    if not text:
        return None
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"{name} has {len(text):,} characters, over {MOST_CHARACTERS:,}")
    try:
        if kind is int:
            number = int(text)
            if not 0 <= number <= _MOST:
                raise ValueError
            return number
        if kind is float:
            share = float(text)
            if math.isnan(share) or (name in _PROBABILITIES and not 0 <= share <= 1):
                raise ValueError
            return share
        if kind is bool:
            return {"true": True, "false": False}[text.lower()]
        if kind is datetime:
            moment = datetime.fromisoformat(text)
            if moment.tzinfo is None:
                raise ValueError
            return text
    except (ValueError, KeyError) as error:
        raise ValueError(f"{name} is {text[:80]!r}, which cannot be used") from error
    if (fault := fault_of_name(text)) is not None:
        raise ValueError(f"{name} {fault}")
    return text
