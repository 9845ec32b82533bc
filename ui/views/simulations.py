"""The page of simulations: started, watched, gone on with, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.errors import WorkbenchError
from alworkbench.evaluation.curves import names
from alworkbench.simulation.begun import Begun
from alworkbench.simulation.config import SOURCES, SimulationConfig
from alworkbench.simulation.cost import cost_of
from alworkbench.simulation.kept import kept_simulations
from alworkbench.simulation.load.project_data import check_project
from alworkbench.simulation.results import SimulationResult
from ui.jobs import JobView
from ui.state import UiState
from ui.views.parts import count, escape_markdown, heading, with_commands
from ui.views.side_job import side_job
from ui.views.simulation_form import ask, complaint_free
from ui.views.simulation_results import results
from ui.views.work import asked_by

_REFRESH_SECONDS = 1.0
NEW = "simulation-new"


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    kept = kept_simulations(state.workbench.session.folder.simulations)
    asking = st.session_state.get(NEW, not kept.finished and not kept.unfinished)
    job = state.jobs.newest(JobKind.SIMULATE)
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        heading(
            "Evidence",
            "Simulations",
            "Labelling is replayed on images whose classes are known, with many strategies and seeds: what "
            "would each have bought?",
        )
    busy = job is not None and job.running
    with right, st.container(horizontal_alignment="right"):
        words = "Close the form" if asking else "New simulation"
        chief: Any = "secondary" if asking else "primary"  # the form has its own
        if not busy and st.button(words, key="simulation-open", type=chief):
            st.session_state[NEW] = not asking
            st.rerun()
    side_job(state, JobKind.SIMULATE)
    if job is not None and busy:
        _arms_at_work(state, job, len(kept.finished))
    for name, why in kept.unreadable:
        st.warning(escape_markdown(f"{name}: {why}"))
    if asking and not busy:
        _new(state, kept.finished)
    if not busy:
        _unfinished(state, kept.unfinished)
    if kept.finished:
        results(state, kept.finished)
    elif not asking and not busy:
        st.info("No simulation has finished yet. Start one, or go on with one that was stopped.")


# ------------------------------------------------------------------------------------------- at work


@st.fragment(run_every=_REFRESH_SECONDS)
def _arms_at_work(state: UiState, job: JobView, finished: int) -> None:
    """Finished seeds of each arm of what is at work, drawn again each second."""
    kept = kept_simulations(state.workbench.session.folder.simulations)
    if len(kept.finished) != finished:
        st.rerun()
    for begun in kept.unfinished:
        if job.job.started_at is not None and begun.begun_at >= job.job.started_at:
            done, called = begun.seeds_done(), names(begun.plan.arms)
            st.dataframe(
                {
                    "Strategy": [called[arm] for arm in done],
                    "Seeds done": [f"{seeds} of {begun.plan.seeds}" for seeds in done.values()],
                },
                hide_index=True,
                alt=f"Finished seeds of each strategy of {begun.name}",
            )


# ------------------------------------------------------------------------------------------ starting


def _new(state: UiState, kept: Sequence[SimulationResult]) -> None:
    with st.container(border=True):
        st.header("New simulation", anchor=False)
        words = ask()
        try:
            config = complaint_free(words)
            _check(state, words)
            cost = cost_of(config, kept)
        except WorkbenchError as refused:
            st.warning(with_commands(str(refused)))
            st.button("Start", type="primary", key="simulation-start", disabled=True)
            return
        st.markdown(f"**Cost.** {escape_markdown(cost.words(config.processes or 1))}")
        if st.button("Start", type="primary", key="simulation-start"):
            _start(state, config.words(), _title(config))


def _check(state: UiState, words: Mapping[str, Any]) -> None:
    """Raises NothingToImport where this project is to be simulated on and lacks something for it."""
    if words.keys().isdisjoint(SOURCES):
        check_project(state.workbench, own="truth" not in words)


def _title(config: SimulationConfig) -> str:
    """What the list of jobs calls it."""
    strategies = ", ".join(config.strategies)
    return f"simulate {strategies} with {count(config.seeds, 'seed')}"


def _start(state: UiState, words: Mapping[str, Any], title: str) -> None:
    try:
        _check(state, words)
    except WorkbenchError as refused:
        st.warning(with_commands(str(refused)))
        return
    order = {"do": "simulate", "words": dict(words)}
    if not state.jobs.start(JobKind.SIMULATE, title, asked_by(state), order):
        st.info("A simulation is at work already. Start this one when it has ended.")
        return
    st.session_state[NEW] = False
    st.rerun()


def _unfinished(state: UiState, begun: Sequence[Begun]) -> None:
    """Simulations that were stopped: their finished runs are kept."""
    if not begun:
        return
    st.header("Not finished", anchor=False)
    for each in begun:
        done = sum(each.seeds_done().values())
        with st.container(border=True):
            st.markdown(
                escape_markdown(
                    f"{each.name}: {done} of {count(each.total, 'run')} done, begun "
                    f"{each.begun_at:%Y-%m-%d %H:%M} UTC."
                )
            )
            if each.words is None:
                st.caption("It goes on when the same command or script is run again.")
            elif st.button("Go on", key=f"go-on-{each.key}"):
                _start(state, each.words, f"simulate {each.name}")
