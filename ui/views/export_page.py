"""The export page: labels as a file, or into a folder on the server, with a look at the first rows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from alworkbench.core.domain import JobKind, Role
from alworkbench.inputs.label_formats.registry import FORMATS, TABLES
from alworkbench.project.exports import EXPORT_TITLE, ExportOrder
from ui.jobs import takes_out
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, heading
from ui.views.side_job import side_job
from ui.views.work import asked_by

FIRST = 10
"""Rows that are shown before."""
_FORMATS = {each.name: each for each in FORMATS}
_ROLES = {
    None: "pool and audit set",
    Role.POOL: "the pool alone",
    Role.AUDIT: "the audit set alone",
}


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        heading(
            "Export",
            "Take the labels out",
            "Each record names the picture by path and content hash, the class, who gave it and when.",
        )
    side_job(state, JobKind.IMPORT, which=takes_out)
    _unsettled(state, go)
    order = _options(state)
    rows, total = state.workbench.labels.exports.first_rows(order, FIRST)
    with right, st.container(horizontal_alignment="right"):
        if total:
            st.link_button(
                "Download", _address(state, order), type="primary", key="export-download"
            )
    if not total:
        st.info("No label fits. Label images first, or choose other options.")
        if st.button("Label images", key="export-label"):
            go("label")
        return
    st.header("First rows", anchor=False)
    st.caption(f"{min(len(rows), total):,} of {count(total, 'record')}, in the order of recording.")
    st.dataframe(
        rows,
        hide_index=True,
        alt="The first records of the export",
        column_config={"hash": st.column_config.TextColumn(width="small")},  # 64 digits
    )
    _write(state, order)
    _last(state)


def _options(state: UiState) -> ExportOrder:
    left, right = st.columns(2)
    with left:
        name = st.selectbox(
            "Format",
            list(_FORMATS),
            format_func=lambda each: f"{each}: {_FORMATS[each].title}",
            key="export-format",
        )
        chosen = _FORMATS[name]
        if not chosen.suffixes:
            st.caption("A folder with the pictures. To download, it comes as one zip archive.")
        history = st.checkbox(
            "Also labels that were corrected or withdrawn",
            key="export-history",
            disabled=bool(st.session_state.get("export-soft")) and name in TABLES,
        )
        soft = name in TABLES and st.checkbox(
            "Soft labels: one row for each image, with the share of each class",
            key="export-soft",
            disabled=history,
            help="Several answers become one label by the rule that Settings names.",
        )
    with right:
        role = st.selectbox(
            "Labels of", list(_ROLES), format_func=_ROLES.__getitem__, key="export-role"
        )
        people = st.multiselect(
            "Labels by",
            state.workbench.labels.exports.annotators(),
            key="export-people",
            placeholder="everybody",
        )
    return ExportOrder(
        format=name, history=history, role=role, annotators=tuple(people), soft=soft and not history
    )


def _unsettled(state: UiState, go: Callable[[str], None]) -> None:
    """What a reviewer has not settled: the export has the label that counts now."""
    differ, waiting = state.workbench.labels.exports.unsettled()
    if not differ and not waiting:
        return
    words = (
        f"{count(differ, 'image')} with different answers that no reviewer settled, and "
        f"{count(waiting, 'open case')} for a reviewer. The export has the label that counts now."
    )
    with st.container(border=True, **ROW):
        st.write(words)
        if st.button("Review them", key="export-review"):
            go("review")


def _address(state: UiState, order: ExportOrder) -> str:
    query: list[tuple[str, str]] = [("format", order.format)]
    query += [("history", "1")] if order.history else []
    query += [("soft", "1")] if order.soft else []
    query += [("role", order.role.value)] if order.role is not None else []
    query += [("annotator", each) for each in order.annotators]
    return f"{state.routes}/export?{urlencode(query)}"


def _write(state: UiState, order: ExportOrder) -> None:
    suffixes = _FORMATS[order.format].suffixes
    with st.expander("Write it into a folder on the server"):
        example = f"/data/labels{suffixes[0]}" if suffixes else "/data/labels"
        place = st.text_input(
            "New file" if suffixes else "New folder",
            key="export-target",
            placeholder=example,
            help="The whole path. Nothing that is there is replaced.",
        ).strip()
        link = not suffixes and st.checkbox(
            "Link to the pictures in place of copying them", key="export-link"
        )
        if not st.button("Write", key="export-write"):
            return
        target = Path(place)
        if not place or not target.is_absolute():
            st.error(f"Give the whole path of a new file or folder, such as {example}.")
        elif target.exists():
            st.error(
                escape_markdown(f"There is something at {target} already. Choose another name.")
            )
        elif suffixes and target.suffix.lower() not in suffixes:
            st.error(f"The name of this file ends in {' or '.join(suffixes)}.")
        else:
            told = order.model_copy(update={"target": target, "place": "link" if link else "copy"})
            given = {"do": "export", "order": told.model_dump(mode="json")}
            title = f"{EXPORT_TITLE}{target.name}"
            if state.jobs.start(JobKind.IMPORT, title, asked_by(state), given):
                st.rerun()
            st.error("An import or another export runs. Wait for its end, or cancel it.")


def _last(state: UiState) -> None:
    reports = state.workbench.incoming.reports()
    newest = next((each for each in reports if each.exported), None)
    if newest is not None:
        st.caption(
            escape_markdown(f"{newest.words} By {newest.by}, {newest.at:%Y-%m-%d %H:%M} UTC.")
        )
        for note in newest.notes:
            st.info(escape_markdown(note))
