"""Versions of the class list: names, order, prompt templates, and what the labelling screen shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import NotInProject
from store.class_schema import ClassListEntryRow, ClassListRow, ClassRow
from store.repositories.common import in_chunks, new_id


class ClassRepository:
    """See `core.repositories.Classes`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def current(self) -> ClassList:
        """The newest version. Raises NotInProject before the first."""
        newest = self._connection.scalar(select(func.max(ClassListRow.id)))
        return self.get(0 if newest is None else newest)

    def get(self, class_list_id: int) -> ClassList:
        """Raises NotInProject for an unknown id."""
        rows = self._connection.execute(
            select(
                func.coalesce(ClassListEntryRow.name, ClassRow.name).label("name"),
                ClassListEntryRow.templates,
                ClassRow.id,
                ClassListEntryRow.key,
                ClassListEntryRow.colour,
                func.coalesce(ClassListEntryRow.description, "").label("description"),
                ClassListEntryRow.place,
                ClassListEntryRow.examples,
                ClassListEntryRow.retired,
                ClassListEntryRow.into_id,
            )
            .join(ClassListEntryRow, ClassListEntryRow.class_id == ClassRow.id)
            .where(ClassListEntryRow.class_list_id == class_list_id)
            .order_by(ClassListEntryRow.position)
        )
        used: list[LabelClass] = []
        former: list[LabelClass] = []
        for name, templates, id_, key, colour, text, place, examples, retired, into in rows:
            shown = (key, colour, text, place, tuple(examples or ()))
            listed = LabelClass(name, tuple(templates), id_, *shown, into)
            (former if retired else used).append(listed)
        if not used:
            raise NotInProject("class list", class_list_id)
        return ClassList(tuple(used), class_list_id, tuple(former))

    def stored_at(self) -> dict[int, datetime]:
        """See `core.repositories.Classes.stored_at`."""
        rows = self._connection.execute(
            select(ClassListRow.id, ClassListRow.created_at).order_by(ClassListRow.id)
        )
        return dict(rows.all())

    def add(self, classes: ClassList, now: datetime) -> ClassList:
        """Store a new version.

        A class with an id of this store keeps it, under whatever name. Another class is known by the
        first name that it had here; a class that is unknown gets a new id.
        """
        numbered, first_names = self._numbered(classes)
        version = new_id(self._connection, insert(ClassListRow).values(created_at=now))
        in_use = len(classes)
        self._connection.execute(
            insert(ClassListEntryRow),
            [
                {
                    "class_list_id": version,
                    "position": position,
                    "class_id": c.id,
                    "templates": list(c.templates),
                    "name": c.name if first_names.get(c.id, c.name) != c.name else None,
                    "key": c.key,
                    "colour": c.colour,
                    "description": c.description or None,
                    "place": c.place,
                    "examples": list(c.examples) or None,
                    "retired": position >= in_use,
                    "into_id": c.into,
                }
                for position, c in enumerate(numbered)
            ],
        )
        return ClassList(numbered[:in_use], version, numbered[in_use:])

    def number(self, classes: ClassList) -> ClassList:
        """See `core.repositories.Classes.number`."""
        numbered, _ = self._numbered(classes)
        in_use = len(classes)
        return ClassList(numbered[:in_use], None, numbered[in_use:])

    def _numbered(self, classes: ClassList) -> tuple[tuple[LabelClass, ...], dict[int | None, str]]:
        """All classes with their ids, and the first names of those that had one."""
        every = (*classes.classes, *classes.former)
        first_names = self._first_names([c.id for c in every if c.id is not None])
        others = tuple(c.name for c in every if c.id not in first_names)
        known = self._ids(others)
        unknown = [{"name": name} for name in others if name not in known]
        if unknown:
            self._connection.execute(insert(ClassRow), unknown)
            known = self._ids(others)
        numbered = tuple(c if c.id in first_names else replace(c, id=known[c.name]) for c in every)
        return numbered, first_names

    def _first_names(self, ids: list[int]) -> dict[int | None, str]:
        names: dict[int | None, str] = {}
        for chunk in in_chunks(ids):
            rows = self._connection.execute(
                select(ClassRow.id, ClassRow.name).where(ClassRow.id.in_(chunk))
            )
            names.update((id_, name) for id_, name in rows)
        return names

    def _ids(self, names: tuple[str, ...]) -> dict[str, int]:
        ids: dict[str, int] = {}
        for chunk in in_chunks(names):
            rows = self._connection.execute(
                select(ClassRow.name, ClassRow.id).where(ClassRow.name.in_(chunk))
            )
            ids.update(rows.all())
        return ids
