"""What Streamlit runs for every drawing of a page: the frame around the views, and who may see which."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui.components.card import image_card
from ui.components.frame import frame
from ui.pages import PAGES, PageEntry, first_page, pages_of
from ui.projects import served
from ui.views.account import account, guest_account, signed_out
from ui.views.here import here
from ui.views.home import LEAVE
from ui.views.home import draw_home as draw_home_page
from ui.views.news import news
from ui.views.parts import with_commands
from ui.views.trouble import draw_calmly

# Before the navigation: the browser reads the width of the sidebar only when it first draws it.
st.set_page_config(layout="wide", initial_sidebar_state=220)
projects = served()
shows = here(projects)
state, person = shows.state, shows.person


def start_page() -> None:
    """The address without a path: it leads to the first page of the person, or to all projects."""
    st.switch_page(home_page if person is None else pages[first_page(person).url])


def draw_home() -> None:
    """Draw the page of all projects."""
    draw_home_page(projects, shows)


def drawing(entry: PageEntry) -> Callable[[], None]:
    """A function that draws the page; it checks the role again. Without a project, it leads to Home."""
    if state is None:
        return lambda: st.switch_page(home_page)
    return lambda: draw_calmly(entry.render, state, go, entry.needed)


def go(name: str) -> None:
    """Show another page."""
    st.switch_page(pages[name])


# A default page has no path of its own: without this one, the first page of a person had two addresses,
# one of which was not found.
start = st.Page(start_page, title="Home", default=True, visibility="hidden")
home_page = st.Page(draw_home, title="Home", url_path="home")
pages: dict[str, StreamlitPage] = {}
sections: dict[str, list[StreamlitPage]] = {"": [start, home_page] if shows.anybody else [start]}
for each in PAGES if state is None else pages_of(person):
    pages[each.url] = st.Page(
        drawing(each),
        title=each.title,
        url_path=each.url,
        visibility="hidden" if state is None else "visible",
    )
    sections.setdefault(each.section.value, []).append(pages[each.url])

# Our own pictures: Streamlit would fetch its named icons for the browser tab from the internet.
ASSETS = Path(__file__).parent / "assets"
shown = st.navigation(sections, position="sidebar", expanded=True)
named = (
    "alworkbench" if state is None or person is None else state.workbench.session.settings().name
)
st.set_page_config(
    page_title=named if shown in (start, home_page) else f"{shown.title} · {named}",
    page_icon=str(ASSETS / "icon.svg"),
)
st.logo(str(ASSETS / "logo.svg"), size="medium")
if shows.leave is not None:
    st.caption("The project is being opened.")
elif shows.trouble is not None and shown != home_page:
    st.error(with_commands(shows.trouble), title="This project cannot be opened now")
elif not shows.anybody or (state is not None and person is None and shown != home_page):
    signed_out(projects.base, None if state is None else state.page(shown.url_path))
else:
    shown.run()
    if state is not None and person is not None:
        account(projects.base, person)
        image_card(state)
        news(state)
    elif shows.guest is not None:
        guest_account(projects.base, shows.guest)
# The address of a project that was made here comes first: with it, the server may have one project, and
# opens that.
leave = st.session_state.pop(LEAVE, None) or shows.leave
frame(projects, state.key if state is not None and projects.several else None, leave)
