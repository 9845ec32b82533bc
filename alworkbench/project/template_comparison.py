"""Templates compared on the pool, and the newest comparison kept for screens.

A ranking of many templates takes seconds to minutes, so it runs as a job. Its figures lie in the file
`templates.json` beside the features. It is a cache: it may be deleted, and then they are computed again.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ClassList, Role
from alworkbench.core.errors import FeaturesMissing
from alworkbench.core.kept_values import KeptValues
from alworkbench.core.ports import Reader
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.measurements import audit_truth
from alworkbench.project.session import Session
from alworkbench.prompts.audit_figures import AuditFigures
from alworkbench.prompts.effect import Effect
from alworkbench.prompts.ranking import Ranking


@dataclass(frozen=True, slots=True)
class TemplateComparison:
    """The ranking of templates, and what all of them together would change."""

    ranking: Ranking
    effect: Effect
    made_at: datetime
    cut: tuple[str, ...]
    """Names of classes with a prompt that the model cannot read to its end."""
    marks: dict[str, str]
    """Of what the figures depend on, when they were computed: see `marks_of`."""

    def changed(self, session: Session) -> tuple[str, ...]:
        """What of it has changed since, such as `the classes`."""
        now = marks_of(session)
        return tuple(what for what, mark in now.items() if self.marks.get(what) != mark)

    def interval(self, figures: AuditFigures) -> tuple[float, float]:
        """95 % Wilson interval of an accuracy of this comparison."""
        images = self.ranking.audit_images
        return wilson_interval(round(figures.accuracy * images), images)


def keep_comparison(session: Session, found: TemplateComparison) -> None:
    """Make this the newest comparison."""
    write_atomically(_path(session), json.dumps(asdict(found), default=str).encode())


def kept_comparison(session: Session) -> TemplateComparison | None:
    """The newest comparison; None before the first, or where its file cannot be read."""
    from pydantic import TypeAdapter

    with suppress(OSError, ValueError, FeaturesMissing):
        return TypeAdapter(TemplateComparison).validate_json(_path(session).read_bytes())
    return None


def _path(session: Session) -> Path:
    return session.folder.features / session.encoder_record().id / "templates.json"


def marks_of(session: Session) -> dict[str, str]:
    """What figures of templates depend on -> its mark; equal marks, equal figures. Raises FeaturesMissing."""
    encoded = len(session.engine().table())
    with session.store.read() as reader:
        classes = reader.classes.current()
        return {
            "the classes": _digest([[c.name, *c.templates] for c in classes.classes]),
            "the images": _digest([*reader.images.mark(), encoded]),
            "the seed": _digest(reader.settings().seed),
            "the labels of the audit set": _truth_mark(session, reader, classes),
        }


def _truth_mark(session: Session, reader: Reader, classes: ClassList) -> str:
    """The mark of the labels of the audit set: computed again where one of their records changed."""
    moment = reader.labels.moment(Role.AUDIT)
    key = (str(session.folder.path.resolve()), moment, reader.images.mark(), classes.id)
    return _TRUTH.of(key, lambda: _digest(sorted(audit_truth(reader, classes).items())))


_TRUTH: KeptValues[str] = KeptValues(most=8)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
