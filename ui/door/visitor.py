"""Who a request comes from, as the guard found out: for routes, and for the pages that Streamlit draws.

The guard writes the person into the request, after it has removed whatever a browser wrote there. A page
reads the person again from the store at each drawing, so that a change of role counts at once. One browser
may be signed in to several projects, in each as a person of its own: a secret of each project says whose
entry is whose.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from starlette.types import Scope

from alworkbench.core.domain import Person, PersonRole
from ui.refusal import Refused
from ui.state import UiState

if TYPE_CHECKING:
    from ui.projects import Projects

PERSON_HEADER = "x-alworkbench-person"
_VISITOR = "alworkbench.visitor"
_VISIT = "alworkbench.visit"


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody at the door of a project."""

    person: Person
    token: str | None
    """That of the sign-in; None where a trusted proxy names the person."""
    state: UiState
    """That of the project."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Everything that a browser may enter: a person in each of some projects, and the name of a guest.

    A guest has brought the printed token of this server. See `ui.door.arrival`.
    """

    visitors: Mapping[str, Visitor] = field(default_factory=dict)
    """Key of the project -> who is signed in there."""
    guest: str | None = None

    def __bool__(self) -> bool:
        """Whether somebody may enter anything."""
        return bool(self.visitors) or self.guest is not None

    def includes(self, needed: PersonRole) -> bool:
        """Whether somebody has this role or a higher one, in any project."""
        return any(each.person.role.includes(needed) for each in self.visitors.values())

    def same_people(self, other: Visit) -> bool:
        """Whether the other visit has the same person in each of these projects, and the same guest."""
        now = {key: each.person.id for key, each in other.visitors.items()}
        same = all(now.get(key) == each.person.id for key, each in self.visitors.items())
        return same and self.guest == other.guest


def leave_visit(scope: Scope, visit: Visit, proof: str) -> Scope:
    """The request with its visit, for our routes, and for pages in a header that no browser can write.

    `proof` is the secret with which the guard names a guest. Nothing is read from the disk.
    """
    entries = [f"{each.person.id} {each.state.proof}" for each in visit.visitors.values()]
    if visit.guest is not None:
        entries.append(f"{quote(visit.guest, safe='')} {proof}")
    headers = [*scope["headers"], (PERSON_HEADER.encode(), ",".join(entries).encode())]
    return {**scope, "headers": headers, _VISIT: visit}


def leave_visitor(scope: Scope, visitor: Visitor) -> Scope:
    """The request with the visitor of the one project that it names."""
    proof = f"{visitor.person.id} {visitor.state.proof}".encode()
    headers = [*scope["headers"], (PERSON_HEADER.encode(), proof)]
    return {**scope, "headers": headers, _VISITOR: visitor}


def visitor_of(scope: Scope, needed: PersonRole = PersonRole.ANNOTATOR) -> Visitor:
    """The visitor in the project that a request names.

    Raises Refused without one, and where the role does not suffice.
    """
    visitor = scope.get(_VISITOR)
    if not isinstance(visitor, Visitor):
        raise signed_out()
    check_role(visitor.person, needed)
    return visitor


def visit_of(scope: Scope) -> Visit:
    """The visit of a request that names no project. Raises Refused where nobody may enter anything."""
    visit = scope.get(_VISIT)
    if not isinstance(visit, Visit) or not visit:
        raise signed_out()
    return visit


def check_role(person: Person, needed: PersonRole) -> None:
    """Raise Refused where the role of a person does not suffice."""
    if not person.role.includes(needed):
        raise Refused(
            403,
            "role",
            f"Only a {needed.value} may do this, and {person.name} is {person.role.value}. Nothing was "
            f"changed.",
        )


def signed_out() -> Refused:
    """The refusal of a request without a sign-in; after signing in, the same request succeeds."""
    return Refused(
        401,
        "session",
        "You are not signed in. Load the page again and sign in; answers that are not sent yet wait in "
        "this browser.",
        final=False,
    )


def person_here(state: UiState) -> Person | None:
    """Who looks at the page that Streamlit draws now; None for somebody who is signed out or disabled."""
    number = _said_with(state.proof)
    if number is None or not (number.isascii() and number.isdigit()):
        return None
    return state.workbench.people.known(int(number))


def guest_here(projects: Projects) -> str | None:
    """The name of the guest who looks at the page that Streamlit draws now; None for anybody else."""
    name = _said_with(projects.proof)
    return None if name is None else unquote(name)


def _said_with(proof: str) -> str | None:
    """What the guard said with this secret; None where it said nothing."""
    for text, given in _entries():
        if secrets.compare_digest(given.encode(), proof.encode()):
            return text
    return None


def _entries() -> Iterator[tuple[str, str]]:
    import streamlit as st

    for entry in (st.context.headers.get(PERSON_HEADER) or "").split(","):
        text, _, proof = entry.partition(" ")
        yield text, proof
