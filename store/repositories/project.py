"""The project's own row: what its user decided."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, insert, select, update

from alworkbench.core.domain import Goal, ProjectSettings
from alworkbench.core.errors import ProjectDamaged, ProjectMissing
from store.schema import ProjectRow

_BEFORE_THEY_WERE_SETTINGS = {"goal": Goal.ACCURACY.value, "adaptation": "linearised"}
"""How projects worked that were made before these could be chosen."""


class ProjectRepository:
    """The settings of the project."""

    def __init__(self, connection: Connection, where: object) -> None:
        self._connection = connection
        self._where = where

    def settings(self) -> ProjectSettings:
        """Raises ProjectMissing in a store that was opened empty and given no settings yet."""
        stored = self._stored()
        if stored is None:
            raise ProjectMissing(self._where)
        known = {field.name for field in fields(ProjectSettings)}
        values = _BEFORE_THEY_WERE_SETTINGS | {k: v for k, v in stored.items() if k in known}
        try:
            return ProjectSettings(**values | {"goal": Goal(values["goal"])})
        except (TypeError, ValueError) as error:
            raise ProjectDamaged(self._where, f"its settings cannot be read: {error}") from error

    def save(self, settings: ProjectSettings) -> None:
        """Settings that only a newer program knows are kept."""
        stored = self._stored()
        if stored is None:
            self._connection.execute(insert(ProjectRow).values(id=1, settings=asdict(settings)))
        else:
            merged = stored | asdict(settings)
            self._connection.execute(update(ProjectRow).values(settings=merged))

    def _stored(self) -> dict[str, Any] | None:
        return self._connection.scalar(select(ProjectRow.settings))
