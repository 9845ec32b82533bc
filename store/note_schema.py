"""The tables of notes and flags of images; they belong to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import Base


class NoteRow(Base):
    """What a person wrote about an image. Rows are only ever added: see `triggers`."""

    __tablename__ = "note"
    __table_args__ = (CheckConstraint("length(text) >= 1", name="text"), Index(None, "image_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    person: Mapped[str]
    text: Mapped[str]
    recorded_at: Mapped[datetime]


class FlagChangeRow(Base):
    """A flag put on an image or taken off. Rows are only ever added: see `triggers`."""

    __tablename__ = "flag_change"
    __table_args__ = (Index(None, "image_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[str] = mapped_column(unique=True)
    image_id: Mapped[int] = mapped_column(ForeignKey("image.id"))
    person: Mapped[str]
    raised: Mapped[bool]
    reason: Mapped[str | None]
    recorded_at: Mapped[datetime]
