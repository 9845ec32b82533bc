"""Soft labels as records of an export: one row for each image, with the share of each class.

Columns: image, hash, role; label, the class that decides; answers, how many count; and p:NAME for each class
in use. The shares of a row add to 1. They are what a learner learns from: see `consensus` for the rule of the
project. A row can be read back as a label, since other columns are ignored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from alworkbench.core.domain import Role, deciding_label
from alworkbench.core.ports import Reader
from alworkbench.project.consensus import answers_that_teach, soft_labels
from alworkbench.project.image_files import places
from alworkbench.project.session import stored_id

_FIRST: dict[str, type] = {"image": str, "hash": str, "role": str, "label": str, "answers": int}


class SoftRecords:
    """Soft labels of the pool, then of the audit set; images by their oldest answer.

    Images without an answer that names a class in use have no row. `role` leaves out the other set, and
    `annotators` the answers of everybody else.
    """

    def __init__(
        self, reader: Reader, *, role: Role | None = None, annotators: Collection[str] = ()
    ) -> None:
        classes = reader.classes.current()
        index_of, rule = classes.counted, reader.settings().consensus
        self._names = classes.names
        self._rows: list[tuple[tuple[str, str, Role], int, int, list[float]]] = []
        place_of = places(reader)
        for each in [role] if role is not None else Role:
            taught = answers_that_teach(reader, classes, each, annotators)
            decided = [index_of[stored_id(deciding_label(a, index_of).class_id)] for a in taught]
            given = [[(x.annotator, index_of[stored_id(x.class_id)]) for x in a] for a in taught]
            targets, _ = soft_labels(given, decided, len(classes), rule)
            self._rows += [
                (place_of[answers[0].image_id], chosen, len(answers), target)
                for answers, chosen, target in zip(taught, decided, targets.tolist(), strict=True)
            ]

    @property
    def kinds(self) -> dict[str, type]:
        """Column -> type of its values."""
        return {**_FIRST, **{f"p:{name}": float for name in self._names}}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for (path, content, role), chosen, answers, target in self._rows:
            yield {
                "image": path,
                "hash": content,
                "role": role.value,
                "label": self._names[chosen],
                "answers": answers,
                **{f"p:{name}": share for name, share in zip(self._names, target, strict=True)},
            }
