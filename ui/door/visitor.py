"""Who a request comes from, as the guard found out: for routes, and for the pages that Streamlit draws.

The guard writes the person into the request, after it has removed whatever a browser wrote there. A page
reads the person again from the store at each drawing, so that a change of role counts at once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from starlette.types import Scope

from alworkbench.core.domain import Person, PersonRole
from ui.refusal import Refused
from ui.state import UiState

PERSON_HEADER = "x-alworkbench-person"
_SCOPE_KEY = "alworkbench.visitor"


@dataclass(frozen=True, slots=True)
class Visitor:
    """A person at the door, and the token of the sign-in; no token where a trusted proxy names the person."""

    person: Person
    token: str | None


def leave_visitor(scope: Scope, visitor: Visitor, state: UiState) -> Scope:
    """The request with its visitor, for routes, and for pages in a header that no browser can write."""
    proof = f"{visitor.person.id} {state.proof}".encode()
    headers = [*scope["headers"], (PERSON_HEADER.encode(), proof)]
    return {**scope, "headers": headers, _SCOPE_KEY: visitor}


def visitor_of(scope: Scope, needed: PersonRole = PersonRole.ANNOTATOR) -> Visitor:
    """The visitor of a request. Raises Refused without one, and where the role does not suffice."""
    visitor = scope.get(_SCOPE_KEY)
    if not isinstance(visitor, Visitor):
        raise signed_out()
    check_role(visitor.person, needed)
    return visitor


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
    import streamlit as st

    given = st.context.headers.get(PERSON_HEADER) or ""
    number, _, proof = given.partition(" ")
    if not secrets.compare_digest(proof.encode(), state.proof.encode()) or not number.isdigit():
        return None
    return state.workbench.people.known(int(number))
