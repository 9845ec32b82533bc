"""What a store holds of answers: they are only ever added. A protocol, as those in `repositories`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import (
    Answer,
    Label,
    LabelMoment,
    LabelOrigin,
    RecordedAnswer,
    Role,
    TakeBack,
)


@runtime_checkable
class Labels(Protocol):
    """Answers; they are only ever added."""

    def add(self, answer: Answer, now: datetime) -> Label:
        """Record an answer; a known event id gives the stored label and adds nothing.

        An answer to an image that the open round asks answers its item, wherever the answer comes from.
        """
        ...

    def add_many(self, answers: Sequence[Answer], now: datetime) -> list[Label]:
        """One label for each answer, in their order; all are recorded or none."""
        ...

    def add_recorded(self, recorded: Sequence[RecordedAnswer]) -> list[Label]:
        """Record answers of another project, in order; known event ids add nothing. The labels added."""
        ...

    def origins(self, labels: Sequence[int] | None = None) -> dict[int, LabelOrigin]:
        """Label id -> where it was asked for, of labels that another project recorded.

        `labels` are some ids of labels, such as those of one image; None for all.
        """
        ...

    def by_event(self, event_id: str) -> Label | None:
        """The label with this event id; None for an unknown one."""
        ...

    def known(self, event_ids: Sequence[str]) -> set[str]:
        """Those of the event ids that labels have."""
        ...

    def retract(
        self, label_id: int, event_id: str, annotator: str, now: datetime, *, recorded: bool = False
    ) -> None:
        """Take one label back, by adding the record of that; the same event id acts once.

        `recorded` take-backs come from a history, in which people could take back answers of others.
        Raises NotYourAnswer for the label of another person unless `recorded`.
        """
        ...

    def retract_many(self, events: Mapping[int, str], annotator: str, now: datetime) -> None:
        """Take labels back, by label id -> event id of the take-back: all, or none. See `retract`."""
        ...

    def retracted_by(self, event_id: str) -> Label | None:
        """The label that this take-back took back, or None for an unknown event id."""
        ...

    def take_backs(self, labels: Sequence[int] | None = None) -> list[TakeBack]:
        """Every take-back, oldest first; `labels` as in `origins`."""
        ...

    def all(self) -> list[Label]:
        """Every label ever recorded, those taken back included, oldest first."""
        ...

    def newest_of(self, annotator: str, round_id: int) -> Label | None:
        """The annotator's newest label in the round that was not taken back."""
        ...

    def current(self, role: Role) -> dict[int, Label]:
        """Image id -> its label, where only one can be used: `deciding_label` of its answers."""
        ...

    def by_annotator(self, role: Role) -> dict[int, list[Label]]:
        """Image id -> the answers that count, oldest first: `counting_opinions` of its opinions."""
        ...

    def opinions(self, role: Role) -> dict[int, list[Label]]:
        """Image id -> the newest answer of each annotator, oldest first.

        Answers that were taken back do not count. A person who answers again replaces the own answer,
        and no other person's. A late answer replaces only late ones. A label from a file is an answer of
        the annotator that the import names.
        """
        ...

    def opinions_of(
        self, images: Collection[int], until: LabelMoment | None = None
    ) -> dict[int, list[Label]]:
        """As `opinions`, of these images, whatever their role; with `until`, as they were at that moment.

        An image without an opinion is not in it.
        """
        ...

    def moment(self, role: Role | None = None) -> LabelMoment:
        """How far the records have come; with `role`, those of the images that have this role now."""
        ...

    def touched(self, since: LabelMoment) -> set[int]:
        """Images that got an answer, or of which one was taken back, after that moment."""
        ...

    def of_act(self, act_id: str) -> list[Label]:
        """Labels of one act on a selection of images (`Answer.event_id`), oldest first."""
        ...

    def of_annotator(self, annotator: str) -> dict[int, Label]:
        """Image id -> the answer of this annotator that counts, in pool and audit set."""
        ...

    def opinion(self, annotator: str, image_id: int) -> Label | None:
        """The answer of this annotator to the image that counts, or None."""
        ...

    def unanswered(self, images: Iterable[int]) -> set[int]:
        """Of these image ids, those of the pool without an answer that counts."""
        ...

    def history(self, image_id: int) -> list[Label]:
        """Every label ever given to the image, those taken back included, oldest first."""
        ...

    def recent(self, annotator: str, limit: int) -> list[Label]:
        """The newest labels that this annotator gave at the labelling page, newest first."""
        ...

    def count(self) -> int:
        """How many labels were ever recorded (take-backs are not labels)."""
        ...
