"""The people of a project: added, changed, disabled; signed in with a password, and known by a token."""

from __future__ import annotations

import hashlib
import math
import secrets
from contextlib import suppress
from datetime import timedelta

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import (
    InvalidPersonName,
    LastManager,
    ProjectError,
    SignInRefused,
    TooManyAttempts,
    UnknownPerson,
)
from alworkbench.core.names import fault_of_given_name, tidy_name, twin_key
from alworkbench.core.ports import Reader, Writer
from alworkbench.project.attempts import Attempts
from alworkbench.project.passwords import fits, hash_password, is_outdated
from alworkbench.project.session import Session

SIGNED_IN = timedelta(days=30)
"""How long a browser stays signed in."""
SEEN_AGAIN = timedelta(hours=1)
"""The last use of a sign-in is recorded once in this time, so that reading a page rarely writes."""
LONGEST_NAME = 80
_TOKEN_BYTES = 32


class People:
    """Who works on the project. Reading needs no password and computes nothing."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._attempts = Attempts()

    def all(self) -> list[Person]:
        """Everybody, in the order in which they were added."""
        with self._session.store.read() as reader:
            return reader.people.all()

    def get(self, name: str) -> Person:
        """The person with this name, in whatever case. Raises UnknownPerson."""
        with self._session.store.read() as reader:
            return _get(reader, name)

    def known(self, person_id: int) -> Person | None:
        """The active person with this id, as the store knows them now; None for any other."""
        with self._session.store.read() as reader:
            person = reader.people.get(person_id)
        return person if person is not None and person.active else None

    def named(self, name: str) -> Person | None:
        """The active person with this name, in whatever case; None for any other."""
        with self._session.store.read() as reader:
            person = reader.people.by_name(name)
        return person if person is not None and person.active else None

    # ----------------------------------------------------------------------------------- changing
    def add(self, name: str, role: PersonRole, password: str | None = None) -> Person:
        """A new person; without a password, one that can sign in only where no password is asked.

        Raises InvalidPersonName, PersonExists and WeakPassword.
        """
        tidy = checked_name(name)
        hashed = None if password is None else hash_password(password)
        with self._session.store.write() as writer:
            return writer.people.add(tidy, role, hashed, self._session.now())

    def take_over(self, other: People, name: str, role: PersonRole) -> Person:
        """Add a person of another project, who signs in here with the same password, if with any.

        Raises UnknownPerson, and PersonExists.
        """
        with other._session.store.read() as reader:
            person = _get(reader, name)
            hashed = reader.people.password_hash(person.id)
        with self._session.store.write() as writer:
            return writer.people.add(person.name, role, hashed, self._session.now())

    def change_role(self, name: str, role: PersonRole, *, force: bool = False) -> Person:
        """Give a person another role; it counts at their next request.

        Raises UnknownPerson, and LastManager unless `force`.
        """
        with self._session.store.write() as writer:
            person = _get(writer, name)
            if role is not PersonRole.MANAGER and not force:
                _keep_a_manager(writer, person)
            writer.people.set_role(person.id, role)
            return _get(writer, name)

    def disable(self, name: str, *, force: bool = False) -> Person:
        """Sign a person out everywhere, and refuse new sign-ins. The answers stay.

        Raises UnknownPerson, and LastManager unless `force`.
        """
        with self._session.store.write() as writer:
            person = _get(writer, name)
            if not force:
                _keep_a_manager(writer, person)
            writer.people.set_active(person.id, False)
            writer.people.sign_out_everywhere(person.id, self._session.now())
            return _get(writer, name)

    def enable(self, name: str) -> Person:
        """Let a person sign in again. Raises UnknownPerson."""
        with self._session.store.write() as writer:
            writer.people.set_active(_get(writer, name).id, True)
            return _get(writer, name)

    def set_password(self, name: str, password: str) -> Person:
        """Replace the password, and sign the person out everywhere. Raises UnknownPerson, WeakPassword."""
        self.get(name)  # an unknown name is said before the password is judged
        hashed = hash_password(password)
        with self._session.store.write() as writer:
            person = _get(writer, name)
            writer.people.set_password(person.id, hashed)
            writer.people.sign_out_everywhere(person.id, self._session.now())
            return _get(writer, name)

    # ---------------------------------------------------------------------------------- signing in
    def sign_in(self, name: str, password: str, address: str = "") -> str:
        """The token of a new sign-in, which `who` knows for `SIGNED_IN`.

        `address` is where the request comes from; failures are counted by name and by address.
        Raises SignInRefused, TooManyAttempts.
        """
        now, key = self._session.now(), twin_key(name[:LONGEST_NAME])
        wait = self._attempts.enter(key, address, now)
        if wait > timedelta(0):
            raise TooManyAttempts(math.ceil(wait.total_seconds()))
        with self._session.store.read() as reader:
            person = reader.people.by_name(name)
            hashed = None if person is None else reader.people.password_hash(person.id)
        if not fits(password, hashed) or person is None or hashed is None or not person.active:
            raise SignInRefused
        self._attempts.succeeded(key, address, now)
        if is_outdated(hashed):
            renewed = hash_password(password)
            with self._session.store.write() as writer:
                writer.people.set_password(person.id, renewed)
        return self.let_in(person.name)

    def let_in(self, name: str) -> str:
        """The token of a sign-in without a password, for a caller that has another proof of who it is.

        Raises UnknownPerson, and SignInRefused for a disabled person.
        """
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._session.now()
        with self._session.store.write() as writer:
            person = _get(writer, name)
            if not person.active:  # disabled since the password was read
                raise SignInRefused
            writer.people.sign_in(person.id, token_hash(token), now, now + SIGNED_IN)
        return token

    def sign_out(self, token: str) -> None:
        """End the sign-in of a token. An unknown token changes nothing."""
        with self._session.store.write() as writer:
            writer.people.sign_out(token_hash(token), self._session.now())

    def who(self, token: str) -> Person | None:
        """The person who signed in with this token; None if it is unknown, ended, expired or disabled."""
        now, hashed = self._session.now(), token_hash(token)
        with self._session.store.read() as reader:
            found = reader.people.signed_in(hashed)
        if found is None or found.revoked_at is not None or not found.person.active:
            return None
        if not found.created_at - SIGNED_IN <= now < found.expires_at:
            return None
        if now - found.last_seen_at >= SEEN_AGAIN:
            with suppress(ProjectError), self._session.store.write() as writer:
                writer.people.seen(hashed, now)
        return found.person


def checked_name(name: str) -> str:
    """The name as it is stored: composed, with single blanks. Raises InvalidPersonName."""
    if (fault := fault_of_given_name(name)) is not None:
        raise InvalidPersonName(name, fault)
    tidy = " ".join(tidy_name(name).split())
    if not tidy:
        raise InvalidPersonName(name, "is empty")
    if len(tidy) > LONGEST_NAME:
        raise InvalidPersonName(name, f"has {len(tidy)} characters, and {LONGEST_NAME} are allowed")
    return tidy


def token_hash(token: str) -> str:
    """The SHA-256 of a token in hexadecimal: it is random, so it needs neither salt nor a slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _get(reader: Reader, name: str) -> Person:
    person = reader.people.by_name(name)
    if person is None:
        raise UnknownPerson(name, [each.name for each in reader.people.all()])
    return person


def _keep_a_manager(writer: Writer, person: Person) -> None:
    managers = [
        each.id for each in writer.people.all() if each.active and each.role is PersonRole.MANAGER
    ]
    if managers == [person.id]:
        raise LastManager(person.name)
