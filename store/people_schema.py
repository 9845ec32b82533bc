"""The tables of people and their sign-ins; they belong to the tables of `schema`."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from alworkbench.core.domain import PersonRole
from store.columns import Base, words_of


class PersonRow(Base):
    """A person. Rows are never deleted: answers name people."""

    __tablename__ = "person"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    """Equal for names that differ only in case or blanks; see `core.names.twin_key`."""
    role: Mapped[PersonRole] = mapped_column(words_of(PersonRole))
    active: Mapped[bool]
    password_hash: Mapped[str | None]
    """Argon2id, with its parameters and salt; NULL: no password."""
    created_at: Mapped[datetime]


class SignInRow(Base):
    """A browser in which a person signed in."""

    __tablename__ = "sign_in"
    __table_args__ = (
        CheckConstraint("length(token_hash) = 64", name="hash_is_sha256"),
        Index(None, "person_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    token_hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the token: who reads the database learns no token."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
