"""The tables of classes and their versions; they belong to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from store.columns import Base


class ClassRow(Base):
    """A class and its first name; its id is the same in every version of the class list."""

    __tablename__ = "label_class"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class ClassListRow(Base):
    """A version of the class list."""

    __tablename__ = "class_list"

    id: Mapped[int] = mapped_column(primary_key=True)
    created_at: Mapped[datetime]


class ClassListEntryRow(Base):
    """A class in a version of the class list."""

    __tablename__ = "class_list_entry"
    __table_args__ = (UniqueConstraint("class_list_id", "class_id"),)

    class_list_id: Mapped[int] = mapped_column(ForeignKey("class_list.id"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[int] = mapped_column(ForeignKey("label_class.id"))
    templates: Mapped[list[str]] = mapped_column(JSON)
    name: Mapped[str | None]
    """In this version; NULL: the name in `label_class`, which is the first that the class had."""
    key: Mapped[str | None]
    colour: Mapped[str | None]
    description: Mapped[str | None]
    place: Mapped[int | None]
    examples: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Content hashes; NULL: none."""
    retired: Mapped[bool] = mapped_column(server_default=false())
    """No longer in use: retired, or merged where `into_id` is given. The last positions are of these."""
    into_id: Mapped[int | None]
    """The class for which the labels of a merged class count."""
