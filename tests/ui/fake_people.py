"""People of a fake workbench: kept in a file, so that a test can sign somebody in from outside."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from alworkbench.core.domain import Person, PersonRole
from alworkbench.core.errors import SignInRefused

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ADA = "annotator"
"""The manager that every fake workbench has."""
TOKEN = "token-of-the-fake-manager"


class FakePeople:
    """A person is signed in with the token `token-of-NAME`; passwords are names read backwards."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.passwords: dict[str, str] = {}
        """What was set here, by name."""
        if not file.exists():
            self._write([Person(1, ADA, PersonRole.MANAGER, True, False, EPOCH)])

    def all(self) -> list[Person]:
        return [
            Person(**(each | {"role": PersonRole(each["role"]), "created_at": EPOCH}))
            for each in json.loads(self._file.read_text())
        ]

    def add(self, name: str, role: PersonRole, password: str | None = None) -> Person:
        people = self.all()
        person = Person(len(people) + 1, name, role, True, password is not None, EPOCH)
        self._write([*people, person])
        if password is not None:
            self.passwords[name] = password
        return person

    def set_password(self, name: str, password: str) -> None:
        self.passwords[name] = password
        self.change(name, has_password=True)

    def change(self, name: str, **values: object) -> None:
        self._write([replace(p, **values) if p.name == name else p for p in self.all()])

    def change_role(self, name: str, role: PersonRole) -> None:
        self.change(name, role=role)

    def disable(self, name: str) -> None:
        self.change(name, active=False)

    def enable(self, name: str) -> None:
        self.change(name, active=True)

    def known(self, person_id: int) -> Person | None:
        return next((p for p in self.all() if p.active and p.id == person_id), None)

    def named(self, name: str) -> Person | None:
        return next((p for p in self.all() if p.active and p.name == name), None)

    def who(self, token: str) -> Person | None:
        return self.named(ADA if token == TOKEN else token.removeprefix("token-of-"))

    def sign_in(self, name: str, password: str, address: str = "") -> str:
        if password != name[::-1]:
            raise SignInRefused
        return self.let_in(name)

    def let_in(self, name: str) -> str:
        return f"token-of-{name}"

    def sign_out(self, token: str) -> None:
        self.change(token.removeprefix("token-of-"), active=False)

    def _write(self, people: list[Person]) -> None:
        rows = [
            {
                "id": p.id,
                "name": p.name,
                "role": p.role.value,
                "active": p.active,
                "has_password": p.has_password,
            }
            for p in people
        ]
        self._file.write_text(json.dumps(rows))
