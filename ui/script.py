"""What Streamlit runs for every drawing of a page: the frame around the views."""

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from ui.state import current
from ui.views import curves, label, project
from ui.views.trouble import draw_calmly

state = current()


def project_page() -> None:
    """The page of the project."""
    draw_calmly(project.render, state, go)


def label_page() -> None:
    """The page for labelling."""
    draw_calmly(label.render, state, go)


def curves_page() -> None:
    """The page of the learning curves."""
    draw_calmly(curves.render, state, go)


def go(name: str) -> None:
    """Show another page."""
    st.switch_page(pages[name])


pages: dict[str, StreamlitPage] = {
    "project": st.Page(project_page, title="Project", url_path="project", default=True),
    "label": st.Page(label_page, title="Label", url_path="label"),
    "curves": st.Page(curves_page, title="Curves", url_path="curves"),
}

# Our own pictures: Streamlit would fetch its named icons for the browser tab from the internet.
ASSETS = Path(__file__).parent / "assets"
st.set_page_config(page_title="alworkbench", page_icon=str(ASSETS / "icon.svg"), layout="wide")
st.logo(str(ASSETS / "logo.svg"), size="medium")
st.navigation(list(pages.values()), position="top").run()
