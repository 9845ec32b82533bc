"""What the labels of a project saved against random sampling and simpler learners, as far as it is known."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.project.counterfactual_file import Counterfactual
from alworkbench.report.project_savings import ProjectSavings, project_savings
from alworkbench.simulation.results import SimulationResult
from ui.views.parts import escape_markdown

_NAMES = {"simulation": "Simulated on your labels", "replay": "Replayed among your labels"}


def saved_labels(
    kept: Sequence[SimulationResult], replayed: Counterfactual | None, go: Callable[[str], None]
) -> None:
    """Draw the savings of the newest simulation and of the replay, or say what finds them out."""
    st.header("Labels saved", anchor=False)
    found = project_savings(kept, replayed)
    for each in found:
        _savings(each)
    if all(each.source != "simulation" for each in found):
        st.caption(
            "What choosing saved against random sampling, and against it with a linear probe, is found by "
            "simulating label budgets on your own labels: the page Simulations starts it, as does "
            "`alworkbench simulate`."
        )
        if st.button("Go to simulations", key="curves-simulations"):
            go("simulations")


def _savings(found: ProjectSavings) -> None:
    st.header(_NAMES[found.source], anchor=False)
    if found.headline:
        st.markdown(f"**{escape_markdown(found.headline)}**")
    if found.lines:
        header, *rows = found.lines
        st.caption(escape_markdown(found.title))
        st.dataframe(
            {name: [row[at] for row in rows] for at, name in enumerate(header)},
            hide_index=True,
            alt=found.title,
        )
    st.caption(escape_markdown(found.note))
    if found.stale:
        st.caption("Labels came since: it is out of date.")
