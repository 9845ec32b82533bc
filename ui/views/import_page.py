"""The import page: bring images, labels or features; look first, then import, encode and start."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.project.import_reports import ImportReport
from alworkbench.project.incoming import kind_of
from alworkbench.project.status import Status
from ui.jobs import brings
from ui.state import UiState
from ui.views.audit_set import draw_call
from ui.views.import_form import import_form, newest_report, with_order
from ui.views.import_outcome import DROPPED, outcome
from ui.views.next_round import start_as_set
from ui.views.parts import ROW, count, escape_markdown, heading
from ui.views.side_job import side_job
from ui.views.work import asked_by

KINDS = (JobKind.IMPORT, JobKind.ENCODE)


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    workbench = state.workbench
    status = workbench.status()
    report = newest_report(state)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        heading(
            "Import",
            "Bring images, labels and features",
            "The server reads files where they are and changes none. It looks first, and says what it "
            "would do.",
        )
    job = state.jobs.newest(*KINDS)
    busy = job is not None and job.running
    with right, st.container(horizontal_alignment="right"):
        if not busy:
            _main_action(state, status, report, go)
    told = {st.session_state.get(DROPPED, 0)}
    if report is not None and report.problems:
        told.add(report.job_id)  # its report says why, below
    side_job(state, *KINDS, which=brings, told=told)
    if report is not None and not busy:
        outcome(state, report)
    _features(state, status, busy=busy)
    if ready(status):
        st.space("small")
        draw_call(state, go, key="import-audit")
    import_form(state, busy=busy)


def waiting(status: Status) -> int:
    """Images without features that no encoder has refused."""
    return max(
        0, status.pool_images + status.audit_images - status.encoded - sum(status.refused.values())
    )


def ready(status: Status) -> bool:
    """Whether a first round can start."""
    return (
        status.pool_images > 0
        and status.encoded > 0
        and status.has_posterior
        and waiting(status) == 0
        and status.open_round is None
        and status.rounds_closed == 0
    )


def _main_action(
    state: UiState, status: Status, report: ImportReport | None, go: Callable[[str], None]
) -> None:
    """The next step: import what was looked at, encode, or start."""
    order = None if report is None else report.next_order
    if order is not None:
        if st.button("Import", type="primary", key="import-now"):
            title = f"import {order.name}"
            state.jobs.start(kind_of(order), title, asked_by(state), with_order("import", order))
            st.rerun()
    elif waiting(status):
        if st.button(f"Encode {count(waiting(status), 'image')}", type="primary", key="encode-now"):
            state.jobs.start(JobKind.ENCODE, "encode images", asked_by(state), {"do": "encode"})
            st.rerun()
    elif ready(status) and st.button("Start the first round", type="primary", key="import-start"):
        start_as_set(state, go)


def _features(state: UiState, status: Status, *, busy: bool) -> None:
    """What the model needs before it can rank: features of all images."""
    total = status.pool_images + status.audit_images
    if not total:
        return
    with st.container(border=True, **ROW):
        words = f"{status.encoded:,} of {count(total, 'image')} have features, by the model {status.model}."
        if waiting(status):
            words += " The model needs them to rank an image. Encoding goes on where it stopped."
        if refused := sum(status.refused.values()):
            words += f" {count(refused, 'image')} could not be encoded."
        st.write(escape_markdown(words))
