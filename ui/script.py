"""What Streamlit runs for every drawing of a page: the frame around the views, and who may see which."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from alworkbench.core.domain import PersonRole
from ui.door.visitor import person_here
from ui.state import current
from ui.views import curves, label, people, project, review
from ui.views.account import account, signed_out
from ui.views.trouble import draw_calmly

state = current()
person = person_here(state)


def home_page() -> None:
    """The address without a path: it leads to the first page that the person may see."""
    st.switch_page(next(iter(pages.values())))


def project_page() -> None:
    """The page of the project."""
    draw_calmly(project.render, state, go, PersonRole.MANAGER)


def label_page() -> None:
    """The page for labelling."""
    draw_calmly(label.render, state, go, PersonRole.ANNOTATOR)


def curves_page() -> None:
    """The page of the learning curves."""
    draw_calmly(curves.render, state, go, PersonRole.MANAGER)


def people_page() -> None:
    """The page of people."""
    draw_calmly(people.render, state, go, PersonRole.MANAGER)


def review_page() -> None:
    """The page of a reviewer."""
    draw_calmly(review.render, state, go, PersonRole.REVIEWER)


def go(name: str) -> None:
    """Show another page."""
    st.switch_page(pages[name])


# A page is not in the list of a person who may not see it; `draw_calmly` checks that again.
manages = person is not None and person.role.includes(PersonRole.MANAGER)
# A default page has no path of its own: without this one, the first page of a person had two addresses,
# one of which was not found.
home = st.Page(home_page, title="Home", default=True, visibility="hidden")
label_entry = st.Page(label_page, title="Label", url_path="label")
pages: dict[str, StreamlitPage] = {"label": label_entry}
if person is not None and person.role.includes(PersonRole.REVIEWER):
    pages["review"] = st.Page(review_page, title="Review", url_path="review")
if manages:
    pages = {
        "project": st.Page(project_page, title="Project", url_path="project"),
        "label": label_entry,
        "review": pages["review"],
        "curves": st.Page(curves_page, title="Curves", url_path="curves"),
        "people": st.Page(people_page, title="People", url_path="people"),
    }

# Our own pictures: Streamlit would fetch its named icons for the browser tab from the internet.
ASSETS = Path(__file__).parent / "assets"
st.set_page_config(page_title="alworkbench", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="medium")
shown = st.navigation([home, *pages.values()], position="top")
if person is None:
    signed_out(state)
else:
    shown.run()
    account(state, person)
