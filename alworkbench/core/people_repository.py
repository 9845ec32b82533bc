"""The people that a store holds, and where they signed in, as a protocol."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable

from alworkbench.core.domain import Person, PersonRole, SignIn


@runtime_checkable
class People(Protocol):
    """People are added and changed, never deleted: their answers stay under their names."""

    def add(self, name: str, role: PersonRole, password_hash: str | None, now: datetime) -> Person:
        """A new, active person. Raises PersonExists where a name differs only in case or blanks."""
        ...

    def all(self) -> list[Person]:
        """Everybody, in the order in which they were added."""
        ...

    def get(self, person_id: int) -> Person | None:
        """The person with this id; None for an unknown id."""
        ...

    def by_name(self, name: str) -> Person | None:
        """The person with this name, in whatever case; None for an unknown name."""
        ...

    def set_role(self, person_id: int, role: PersonRole) -> None:
        """Change what the person may do."""
        ...

    def set_active(self, person_id: int, active: bool) -> None:
        """Let the person sign in, or not."""
        ...

    def set_password(self, person_id: int, password_hash: str | None) -> None:
        """Replace the hash of the password; None: the person cannot sign in with a password."""
        ...

    def password_hash(self, person_id: int) -> str | None:
        """The hash of the password; None where the person has no password."""
        ...

    def sign_in(self, person_id: int, token_hash: str, now: datetime, expires_at: datetime) -> None:
        """Record that a browser signed in. `token_hash` is the SHA-256 of its token, in hexadecimal."""
        ...

    def signed_in(self, token_hash: str) -> SignIn | None:
        """The sign-in with this token, ended or not; None for an unknown token."""
        ...

    def seen(self, token_hash: str, now: datetime) -> None:
        """Record when the sign-in was last used."""
        ...

    def sign_out(self, token_hash: str, now: datetime) -> None:
        """End a sign-in. Ending it again changes nothing."""
        ...

    def sign_out_everywhere(self, person_id: int, now: datetime) -> None:
        """End every sign-in of a person."""
        ...
