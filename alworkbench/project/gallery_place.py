"""Where a page of a gallery begins, and as of which moment. As text, it is the cursor of the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from alworkbench.core.domain import LabelMoment, NotesMoment
from alworkbench.core.errors import InvalidImageQuery
from alworkbench.project.image_facts import FactsMoment

_ID, _FILE = r"(\d{1,18})", r"(\d{1,9})"
_PLACE = re.compile(r"\.".join([_ID] * 3 + [_FILE] * 2 + [_ID] * 2) + r"@(\d{1,12})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page begins: in the order as of a moment. As text, it is the cursor."""

    moment: FactsMoment
    scores: int = 0
    """Number of the predictions that sort and filter; 0 for none."""
    groups: int = 0
    """Number of the comparison that sorts and filters; 0 for none."""
    start: int = 0
    notes: NotesMoment = field(default_factory=NotesMoment)

    def __str__(self) -> str:
        labels, notes = self.moment.labels, self.notes
        parts = (
            labels.label, labels.take_back, self.moment.image, self.scores, self.groups,
            notes.note, notes.flag,
        )  # fmt: skip
        return ".".join(map(str, parts)) + f"@{self.start}"

    @classmethod
    def read(cls, text: str) -> Place:
        """The place of a cursor. Raises InvalidImageQuery."""
        found = _PLACE.fullmatch(text)
        if found is None:
            raise InvalidImageQuery("the cursor is not one that a page gave")
        label, take_back, image, scores, groups, note, flag, start = map(int, found.groups())
        moment = FactsMoment(LabelMoment(label, take_back), image)
        return cls(moment, scores, groups, start, NotesMoment(note, flag))
