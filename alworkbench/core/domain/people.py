"""The people of a project: who answers, what each may do, and the proof that somebody signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class PersonRole(StrEnum):
    """What a person may do. Each role may do what those before it may."""

    ANNOTATOR = "annotator"
    """Labels images."""
    REVIEWER = "reviewer"
    """Also decides where answers differ."""
    MANAGER = "manager"
    """Also opens and closes rounds, and changes the project and its people."""

    def includes(self, needed: PersonRole) -> bool:
        """Whether a person with this role may do what `needed` may."""
        order = tuple(PersonRole)
        return order.index(self) >= order.index(needed)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who works on the project. The name never changes: answers are recorded under it."""

    id: int
    name: str
    role: PersonRole
    active: bool
    """A person who is not active cannot sign in, and is signed out everywhere."""
    has_password: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """A browser in which a person signed in. The store knows the SHA-256 of its token, not the token."""

    person: Person
    created_at: datetime
    expires_at: datetime
    last_seen_at: datetime
    revoked_at: datetime | None
