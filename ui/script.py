"""What Streamlit runs for every drawing of a page: the frame around the views, and who may see which."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui.components.card import image_card
from ui.components.frame import frame
from ui.door.visitor import person_here
from ui.pages import PageEntry, first_page, pages_of
from ui.state import current
from ui.views.account import account, signed_out
from ui.views.trouble import draw_calmly

state = current()
person = person_here(state)


def home_page() -> None:
    """The address without a path: it leads to the first page of the person."""
    st.switch_page(pages[first_page(person).url])


def drawing(entry: PageEntry) -> Callable[[], None]:
    """A function that draws the page; it checks the role again."""
    return lambda: draw_calmly(entry.render, state, go, entry.needed)


def go(name: str) -> None:
    """Show another page."""
    st.switch_page(pages[name])


# A default page has no path of its own: without this one, the first page of a person had two addresses,
# one of which was not found.
home = st.Page(home_page, title="Home", default=True, visibility="hidden")
pages: dict[str, StreamlitPage] = {}
sections: dict[str, list[StreamlitPage]] = {"": [home]}
for each in pages_of(person):
    pages[each.url] = st.Page(drawing(each), title=each.title, url_path=each.url)
    sections.setdefault(each.section.value, []).append(pages[each.url])

# Our own pictures: Streamlit would fetch its named icons for the browser tab from the internet.
ASSETS = Path(__file__).parent / "assets"
shown = st.navigation(sections, position="sidebar", expanded=True)
named = "alworkbench" if person is None else state.workbench.session.settings().name
st.set_page_config(
    page_title=named if shown == home else f"{shown.title} · {named}",
    page_icon=str(ASSETS / "icon.svg"),
    layout="wide",
    initial_sidebar_state=220,
)
st.logo(str(ASSETS / "logo.svg"), size="medium")
if person is None:
    signed_out(state)
else:
    shown.run()
    account(state, person)
    image_card(state)
frame(state)
