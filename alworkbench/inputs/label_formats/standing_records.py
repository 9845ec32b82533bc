"""Formats with one label for each picture: which record says what it is, and the order of all records.

The label of a picture is the most common class of the answers that count; of two classes that are equally
common, the one with the newest answer. The other records of the picture travel beside it, so that nothing is
lost.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.protocol import Export
from alworkbench.inputs.label_formats.record import full_record

ORDER = "order"
"""The place of a record among all records of the export, from 1: formats store them apart."""

SPLIT_OF = {Role.POOL.value: "train", Role.AUDIT.value: "test"}
"""Role -> split: nothing is trained on the audit set."""

Ordered = tuple[int, dict[str, Any]]
"""A record, and its place in the export."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What the records of an export say about its pictures."""

    order_of: Mapping[str, int]
    """Content hash -> place of the record that says its class; pictures without a class are left out."""
    class_names: tuple[str, ...]
    """The class list in its order, then classes of labels that left it."""

    def stands(self, order: int, row: Mapping[str, Any]) -> bool:
        """Whether this record says what its picture is."""
        return self.order_of.get(row["hash"]) == order


def standing(export: Export) -> Standing:
    """One pass over the records."""
    named: dict[str, list[tuple[int, str]]] = {}
    classes = dict.fromkeys(export.class_names)
    for order, row in numbered(export):
        if row["counts"] and row["kind"] == AnswerKind.CLASS:
            named.setdefault(row["hash"], []).append((order, row["label"]))
            classes.setdefault(row["label"])
    return Standing({content: _newest(said) for content, said in named.items()}, tuple(classes))


def _newest(said: list[tuple[int, str]]) -> int:
    votes = Counter(label for _, label in said)
    return max((votes[label], order) for order, label in said)[1]


def numbered(export: Export) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """The records with their places, from 1."""
    return enumerate(export.rows, 1)


def as_text(order: int, row: Mapping[str, Any]) -> str:
    """The record as one text of JSON, for formats whose fields must have one type in every row."""
    return json.dumps({**row, ORDER: order}, ensure_ascii=False)


def from_text(text: str, where: str) -> Ordered:
    """The record of `as_text`. Raises InvalidTable."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidTable(f"{where}: the record is not JSON: {error}", _REMEDY) from error
    return from_fields(found, where)


def from_fields(found: Any, where: str) -> Ordered:
    """The record and its place. Raises InvalidTable."""
    if not isinstance(found, Mapping):
        raise InvalidTable(f"{where}: the record is no JSON object", _REMEDY)
    order = found.get(ORDER)
    if isinstance(order, str) and order.isascii() and order.isdigit():
        order = int(order)
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        raise InvalidTable(f"{where}: the record has no place ({ORDER}) among the others", _REMEDY)
    return order, full_record(where, found)


def in_order(found: Iterable[Ordered]) -> Iterator[dict[str, Any]]:
    """The records in the order of the export."""
    return (record for _, record in sorted(found, key=lambda each: each[0]))


_REMEDY = "Use an export of `alworkbench export` that nobody edited, or read the labels without --history."
