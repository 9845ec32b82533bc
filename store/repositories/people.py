"""People and their sign-ins."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from alworkbench.core.domain import Person, PersonRole, SignIn
from alworkbench.core.errors import PersonExists
from alworkbench.core.names import fault_of_name, twin_key
from store.people_schema import PersonRow, SignInRow
from store.repositories.common import new_id

# In the order of the fields of `Person`.
PERSON_COLUMNS = (
    PersonRow.id,
    PersonRow.name,
    PersonRow.role,
    PersonRow.active,
    PersonRow.password_hash.is_not(None),
    PersonRow.created_at,
)


class PeopleRepository:
    """See `core.people_repository.People`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------------------------------- people
    def add(self, name: str, role: PersonRole, password_hash: str | None, now: datetime) -> Person:
        """A new, active person. Raises PersonExists where a name differs only in case or blanks."""
        known = self.by_name(name)
        if known is not None:
            raise PersonExists(name, known.name)
        person_id = new_id(
            self._connection,
            insert(PersonRow).values(
                name=name,
                key=twin_key(name),
                role=role,
                active=True,
                password_hash=password_hash,
                created_at=now,
            ),
        )
        return Person(person_id, name, role, True, password_hash is not None, now)

    def all(self) -> list[Person]:
        """Everybody, in the order in which they were added."""
        rows = self._connection.execute(select(*PERSON_COLUMNS).order_by(PersonRow.id))
        return [_person(tuple(row)) for row in rows]

    def get(self, person_id: int) -> Person | None:
        """The person with this id; None for an unknown id."""
        row = self._connection.execute(
            select(*PERSON_COLUMNS).where(PersonRow.id == person_id)
        ).one_or_none()
        return None if row is None else _person(tuple(row))

    def by_name(self, name: str) -> Person | None:
        """The person with this name, in whatever case; None for an unknown name."""
        if fault_of_name(name) is not None:
            return None  # nobody has such a name, and SQLite takes no text that is not valid UTF-8
        row = self._connection.execute(
            select(*PERSON_COLUMNS).where(PersonRow.key == twin_key(name))
        ).one_or_none()
        return None if row is None else _person(tuple(row))

    def set_role(self, person_id: int, role: PersonRole) -> None:
        """Change what the person may do."""
        self._change(person_id, role=role)

    def set_active(self, person_id: int, active: bool) -> None:
        """Let the person sign in, or not."""
        self._change(person_id, active=active)

    def set_password(self, person_id: int, password_hash: str | None) -> None:
        """Replace the hash of the password; None: the person cannot sign in with a password."""
        self._change(person_id, password_hash=password_hash)

    def password_hash(self, person_id: int) -> str | None:
        """The hash of the password; None where the person has no password."""
        return self._connection.scalar(
            select(PersonRow.password_hash).where(PersonRow.id == person_id)
        )

    def _change(self, person_id: int, **values: Any) -> None:
        self._connection.execute(
            update(PersonRow).where(PersonRow.id == person_id).values(**values)
        )

    # ----------------------------------------------------------------------------------- sign-ins
    def sign_in(self, person_id: int, token_hash: str, now: datetime, expires_at: datetime) -> None:
        """Record that a browser signed in. `token_hash` is the SHA-256 of its token, in hexadecimal."""
        self._connection.execute(
            insert(SignInRow).values(
                person_id=person_id,
                token_hash=token_hash,
                created_at=now,
                expires_at=expires_at,
                last_seen_at=now,
            )
        )

    def signed_in(self, token_hash: str) -> SignIn | None:
        """The sign-in with this token, ended or not; None for an unknown token."""
        row = self._connection.execute(
            select(
                *PERSON_COLUMNS,
                SignInRow.created_at,
                SignInRow.expires_at,
                SignInRow.last_seen_at,
                SignInRow.revoked_at,
            )
            .join(SignInRow, SignInRow.person_id == PersonRow.id)
            .where(SignInRow.token_hash == token_hash)
        ).one_or_none()
        if row is None:
            return None
        values: tuple[Any, ...] = tuple(row)
        return SignIn(_person(values), *values[len(PERSON_COLUMNS) :])

    def seen(self, token_hash: str, now: datetime) -> None:
        """Record when the sign-in was last used."""
        self._connection.execute(
            update(SignInRow).where(SignInRow.token_hash == token_hash).values(last_seen_at=now)
        )

    def sign_out(self, token_hash: str, now: datetime) -> None:
        """End a sign-in. Ending it again changes nothing."""
        self._connection.execute(
            update(SignInRow)
            .where(SignInRow.token_hash == token_hash, SignInRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )

    def sign_out_everywhere(self, person_id: int, now: datetime) -> None:
        """End every sign-in of a person."""
        self._connection.execute(
            update(SignInRow)
            .where(SignInRow.person_id == person_id, SignInRow.revoked_at.is_(None))
            .values(revoked_at=now)
        )


def _person(row: tuple[Any, ...]) -> Person:
    id_, name, role, active, has_password, created_at = row[: len(PERSON_COLUMNS)]
    return Person(id_, name, role, bool(active), bool(has_password), created_at)
