"""Whether to go on labelling: one sentence with its reason, the target, and what each rule says."""

from __future__ import annotations

import streamlit as st

from alworkbench.core.errors import WorkbenchError
from alworkbench.evaluation.forecast import Forecast
from alworkbench.project.settings_change import change_settings
from alworkbench.project.stopping import Advice
from ui.state import UiState
from ui.views.parts import caption, escape_markdown, with_commands

DEFAULT_TARGET = 90
_RULES = {
    "audit": "Audit interval",
    "forecast": "Forecast",
    "gain": "Gain left",
    "stability": "Stability",
}


def advice(state: UiState) -> None:
    """Draw the advice for the target of the project, or for another one that the user looks at.

    Only records are read. The target is stored when somebody keeps it.
    """
    stored = state.workbench.session.settings().target_accuracy or None
    with st.container(border=True):
        st.header("Go on, or stop?", anchor=False)
        left, right = st.columns([1, 3], gap="large", vertical_alignment="center")
        with left:
            wanted = st.number_input(
                "Accuracy you need, in %",
                min_value=1,
                max_value=100,
                value=DEFAULT_TARGET if stored is None else round(100 * stored),
                step=1,
                key="advice-target",
            )
            _keep(state, int(wanted) / 100, stored)
        same = stored is not None and int(wanted) == round(100 * stored)
        found = state.workbench.audit.advise(stored if same else int(wanted) / 100)
        with right:
            st.markdown(f"**{'You may stop' if found.stop else 'Go on'}**: {sentence(found)}")
            if found.forecast is not None:
                caption(forecast_words(found.forecast))
        with st.expander("What each rule says"):
            st.dataframe(
                {
                    "Rule": [_RULES.get(each.rule, each.rule) for each in found.findings],
                    "Says": [str(each.verdict) for each in found.findings],
                    "Because": [each.because for each in found.findings],
                },
                hide_index=True,
                column_config={"Because": st.column_config.TextColumn(width="large")},
                alt="What each stopping rule says, and why",
            )


def _keep(state: UiState, wanted: float, stored: float | None) -> None:
    """The button that stores the target, where it is another one than the stored."""
    if stored is not None and round(100 * stored) == round(100 * wanted):
        caption("This is the target of the project.")
        return
    if st.button("Keep this target", key="advice-keep"):
        try:
            change_settings(state.workbench.session, target_accuracy=wanted)
        except WorkbenchError as refused:
            st.error(with_commands(str(refused)))
            return
        st.rerun()


def sentence(found: Advice) -> str:
    """The advice as one sentence."""
    words = escape_markdown(found.because) + "\\."
    if not found.measured:
        words += " This rests on the model's own confidence; nothing was measured."
    return words


def forecast_words(found: Forecast) -> str:
    """The number of further labels with its interval, or why it cannot be estimated."""
    if found.labels is None or found.low is None:
        return f"The number of further labels cannot be estimated ({escape_markdown(found.why)})."
    if found.high == 0:
        return f"No more labels needed, by {escape_markdown(found.why)}."
    upper = "with no upper end" if found.high is None else f"up to {found.high:,.0f}"
    return (
        f"About {found.labels:,.0f} more labels, from {found.low:,.0f} {upper} (80 % interval, by "
        f"{escape_markdown(found.why)})."
    )
