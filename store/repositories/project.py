"""The settings of a project."""

from __future__ import annotations

from dataclasses import asdict, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from alworkbench.core.domain import (
    Consensus,
    Goal,
    LabelFreeCalibration,
    LateAnswers,
    ProjectSettings,
)
from alworkbench.core.errors import ProjectDamaged, ProjectMissing
from store.schema import ProjectRow

_DEFAULTS_OF_OLD_PROJECTS = {"goal": Goal.ACCURACY.value, "adaptation": "linearised"}
"""Settings of projects that were made before a user could choose them."""
_CHOICES: dict[str, type[StrEnum]] = {
    "goal": Goal,
    "label_free_calibration": LabelFreeCalibration,
    "late_answers": LateAnswers,
    "consensus": Consensus,
}
"""Settings that are stored as words."""


class ProjectRepository:
    """The settings of the project."""

    def __init__(self, connection: Connection, where: object) -> None:
        self._connection = connection
        self._where = where

    def settings(self) -> ProjectSettings:
        """The settings. Raises ProjectMissing in an empty store, and ProjectDamaged."""
        stored = self._stored()
        if stored is None:
            raise ProjectMissing(self._where)
        known = {field.name for field in fields(ProjectSettings)}
        values = _DEFAULTS_OF_OLD_PROJECTS | {k: v for k, v in stored.items() if k in known}
        try:
            typed = {name: kind(values[name]) for name, kind in _CHOICES.items() if name in values}
            return ProjectSettings(**values | typed)
        except (TypeError, ValueError) as error:
            raise ProjectDamaged(self._where, f"its settings cannot be read: {error}") from error

    def save(self, settings: ProjectSettings) -> None:
        """Replace the settings. Stored settings that this version does not know are kept."""
        stored = self._stored()
        if stored is None:
            self._connection.execute(insert(ProjectRow).values(id=1, settings=asdict(settings)))
        else:
            merged = stored | asdict(settings)
            self._connection.execute(update(ProjectRow).values(settings=merged))

    def _stored(self) -> dict[str, Any] | None:
        return self._connection.scalar(select(ProjectRow.settings))
