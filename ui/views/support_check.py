"""The check of a support set on its page: whether pictures and labels still are what its manifest says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.project.kept_supports import KeptSupport
from alworkbench.project.support_checks import CheckOrder, KeptCheck, newest_check
from alworkbench.project.support_manifest import Drift, Verification
from alworkbench.report.chart_table import ChartTable
from ui.state import UiState
from ui.views.parts import FORM_ROW, escape_markdown
from ui.views.work import asked_by

PLACE = "a manifest on the server"
_FAULTS = {
    Drift.MISSING: "Picture missing",
    Drift.CHANGED: "Picture changed",
    Drift.UNKNOWN: "Not in the project",
    Drift.AUDIT: "In the audit set now",
    Drift.LABEL: "Label no longer counts",
}


def support_check(
    state: UiState,
    kept: Mapping[str, KeptSupport],
    title: Callable[[KeptSupport], str],
    *,
    busy: bool,
) -> None:
    """Draw the choice of a set, the button that checks it in a job, and what the newest check found."""
    st.header("Check a set", anchor=False)
    st.caption(
        "Pictures can be moved or edited after a set was chosen, and labels can be corrected. A check reads "
        "all pictures again and compares the labels with those of this project. It changes nothing."
    )
    with st.container(**FORM_ROW):
        chosen = st.selectbox(
            "Set to check",
            [*kept, PLACE],
            format_func=lambda each: title(kept[each]) if each in kept else each,
            key="support-check-set",
        )
        asked = st.button("Check it", key="support-check", disabled=busy)
    manifest = chosen
    if chosen == PLACE:
        manifest = st.text_input(
            "Manifest (JSON), or the folder of a set",
            key="support-check-place",
            placeholder="/data/support.json",
            help="The whole path, as the server sees it.",
        ).strip()
    if asked:
        if chosen == PLACE and not Path(manifest).is_absolute():
            st.error("Give the whole path of the manifest, such as /data/support.json.")
            return
        order = CheckOrder(manifest=manifest)
        given = {"do": "verify", "order": order.model_dump(mode="json")}
        if not state.jobs.start(JobKind.GROUP, "check a support set", asked_by(state), given):
            st.error("Images are compared at the moment. Check the set when that has ended.")
            return
        st.rerun()
    check = newest_check(state.workbench.session.folder)
    if check is not None:
        _found(check, kept, title)


def _found(
    check: KeptCheck, kept: Mapping[str, KeptSupport], title: Callable[[KeptSupport], str]
) -> None:
    known = kept.get(check.order.manifest)
    named = str(check.found.manifest) if known is None else f"the set of {title(known)}"
    words = check.found.words
    if check.found.holds:
        st.success(escape_markdown(words))
    else:
        st.warning(escape_markdown(f"{words} Restore the files or labels, or choose a new set."))
        table = fault_table(check.found)
        st.dataframe(
            {name: list(cells) for name, cells in table.columns.items()},
            hide_index=True,
            alt="Images of the set that drifted, each with its fault",
        )
        st.download_button(
            "Save table (CSV)",
            table.csv,
            file_name="support-faults.csv",
            mime="text/csv",
            key="support-faults",
            on_click="ignore",
        )
    for note in check.found.notes:
        st.caption(escape_markdown(f"{note} This does no harm to the set."))
    st.caption(escape_markdown(f"Checked: {named}. By {check.by}, {check.at:%Y-%m-%d %H:%M} UTC."))


def fault_table(found: Verification) -> ChartTable:
    """One row for each fault of an image, in the order of the manifest."""
    return ChartTable(
        {
            "Fault": [_FAULTS[each.drift] for each in found.findings],
            "Class": [each.label for each in found.findings],
            "Image": [each.path for each in found.findings],
            "What was found": [each.detail for each in found.findings],
        }
    )
