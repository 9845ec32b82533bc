"""Who is signed in, at the foot of each page, and what a page shows to somebody who is not."""

from __future__ import annotations

import html
from urllib.parse import quote

import streamlit as st

from alworkbench.core.domain import Person
from ui.state import PREFIX

_STYLE = """
<style>
.alw-account { margin-top: 2rem; font-size: .88rem; opacity: .72; }
.alw-account a { color: inherit; }
</style>
"""


def account(base: str, person: Person) -> None:
    """Draw the line with the name, the role, and the way to sign out."""
    _line(base, f"Signed in as {html.escape(person.name)} ({html.escape(person.role.value)})")


def guest_account(base: str, name: str) -> None:
    """Draw the line of somebody who has brought the printed token, on a page of no project."""
    _line(base, f"You are {html.escape(name)} on this machine")


def signed_out(base: str, wanted: str | None = None) -> None:
    """Draw what somebody sees whose sign-in has ended while the page was open.

    `wanted` is the address to return to after a new sign-in.
    """
    st.info("You are not signed in any more. Answers that were not sent yet wait in this browser.")
    more = "" if wanted is None else f"?next={quote(wanted, safe='/')}"
    address = html.escape(f"{base}{PREFIX}/door{more}")
    st.html(f'<a href="{address}" target="_self">Sign in</a>')


def _line(base: str, words: str) -> None:
    address = html.escape(f"{base}{PREFIX}/door/you")
    st.html(
        f'{_STYLE}<div class="alw-account">{words} · '
        f'<a href="{address}" target="_self">Account</a></div>'
    )
