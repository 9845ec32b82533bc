"""Versions of the class list: names, order and prompt templates."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, select

from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import NotInProject
from store.repositories.common import in_chunks, new_id
from store.schema import ClassListEntryRow, ClassListRow, ClassRow


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
            select(ClassRow.name, ClassListEntryRow.templates, ClassRow.id)
            .join(ClassListEntryRow, ClassListEntryRow.class_id == ClassRow.id)
            .where(ClassListEntryRow.class_list_id == class_list_id)
            .order_by(ClassListEntryRow.position)
        )
        classes = tuple(LabelClass(name, tuple(templates), id_) for name, templates, id_ in rows)
        if not classes:
            raise NotInProject("class list", class_list_id)
        return ClassList(classes, class_list_id)

    def add(self, classes: ClassList, now: datetime) -> ClassList:
        """Store a new version. Known names keep their class id, whatever `id` is given."""
        known = self._ids(classes.names)
        unknown = [{"name": name} for name in classes.names if name not in known]
        if unknown:
            self._connection.execute(insert(ClassRow), unknown)
            known = self._ids(classes.names)
        version = new_id(self._connection, insert(ClassListRow).values(created_at=now))
        numbered = tuple(replace(c, id=known[c.name]) for c in classes.classes)
        self._connection.execute(
            insert(ClassListEntryRow),
            [
                {
                    "class_list_id": version,
                    "position": position,
                    "class_id": c.id,
                    "templates": list(c.templates),
                }
                for position, c in enumerate(numbered)
            ],
        )
        return ClassList(numbered, version)

    def _ids(self, names: tuple[str, ...]) -> dict[str, int]:
        ids: dict[str, int] = {}
        for chunk in in_chunks(names):
            rows = self._connection.execute(
                select(ClassRow.name, ClassRow.id).where(ClassRow.name.in_(chunk))
            )
            ids.update(rows.all())
        return ids
