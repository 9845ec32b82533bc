"""Who is signed in, at the foot of each page, and what a page shows to somebody who is not."""

from __future__ import annotations

import html

import streamlit as st

from alworkbench.core.domain import Person
from ui.state import PREFIX, UiState

_STYLE = """
<style>
.alw-account { margin-top: 2rem; font-size: .88rem; opacity: .72; }
.alw-account a { color: inherit; }
</style>
"""


def account(state: UiState, person: Person) -> None:
    """Draw the line with the name, the role, and the way to sign out."""
    st.html(
        f'{_STYLE}<div class="alw-account">Signed in as {html.escape(person.name)} '
        f"({html.escape(person.role.value)}) · "
        f'<a href="{html.escape(state.base)}{PREFIX}/door/you" target="_self">Account</a></div>'
    )


def signed_out(state: UiState) -> None:
    """Draw what somebody sees whose sign-in has ended while the page was open."""
    st.info("You are not signed in any more. Answers that were not sent yet wait in this browser.")
    st.html(f'<a href="{html.escape(state.base)}{PREFIX}/door" target="_self">Sign in</a>')
