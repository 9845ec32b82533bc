"""The page of rounds: the open one with its people, the choice of the next, all others, and a replay."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.core.domain import RoundState
from alworkbench.project.near_copies import read_near_copies
from alworkbench.project.next_step import Step
from alworkbench.project.round_history import RoundReport
from ui.state import UiState
from ui.unbroken import percent
from ui.views.closing import closing
from ui.views.follow import follow
from ui.views.handing_over import failed_preparation
from ui.views.next_round import lead_on, read_only
from ui.views.outcome import outcome_line
from ui.views.parts import FORM_ROW, ROW, Bar, bars, count, escape_markdown, facts, heading
from ui.views.proposing import proposing
from ui.views.replays import replays
from ui.views.round_images import round_images
from ui.views.round_list import round_list
from ui.views.times import ago, exact
from ui.views.work import failure, working

Go = Callable[[str], None]


def render(state: UiState, go: Go) -> None:
    """Draw the page, for a manager."""
    heading(
        "Rounds",
        "Rounds",
        "A round is a batch of images that the model asks about. When it is closed, the model learns.",
    )
    follow(state)
    reports = state.workbench.rounds.history()
    locked = read_only(state)
    if not locked and not working(state):
        failure(state)
        _now(state, reports, go)
    if not reports:
        st.caption(
            "Every round is kept with its strategy, seed and time, so that it can be computed again."
        )
        return
    st.header("All rounds", anchor=False)
    round_list(reports, state.workbench.session.now())
    _one(state, reports)
    if not locked:
        replays(state, reports)


def _now(state: UiState, reports: Sequence[RoundReport], go: Go) -> None:
    """What is asked now, or the choice of what is asked next."""
    open_ = next((each for each in reports if each.round.state is RoundState.OPEN), None)
    if open_ is not None:
        _open(state, open_, go)
        return
    if reports:
        line = outcome_line(reports[-1].bought, reports[-1].round)
        if line is not None:
            st.write(escape_markdown(line))
    status = state.workbench.status()
    if status.step is Step.ASK:
        proposing(state, len(reports) + 1)
    else:
        lead_on(status, go)


def _open(state: UiState, report: RoundReport, go: Go) -> None:
    round_, so_far = report.round, report.count
    with st.container(border=True):
        with st.container(**ROW):
            st.header(f"Round {round_.number} is open", anchor=False)
            if so_far.answers < so_far.wanted and st.button(
                "Go on labelling" if so_far.answers else "Start labelling",
                type="primary",
                key="open-label",
            ):
                go("label")
        now = state.workbench.session.now()
        by = f" by {round_.opened_by}" if round_.opened_by else ""
        st.caption(
            escape_markdown(f"Opened {ago(round_.opened_at, now)} ({exact(round_.opened_at)}){by}.")
        )
        st.progress(
            min(1.0, so_far.answers / max(1, so_far.wanted)),
            text=f"{so_far.answers:,} of {count(so_far.wanted, 'answer')}; {report.answered:,} of "
            f"{count(so_far.items, 'image')} have one",
        )
        if report.by_person:
            bars([Bar(name, n, f"{n:,}") for name, n in report.by_person.items()])
        ready = state.workbench.prepared.kept()
        if ready is not None:
            st.caption("The next round is ready: when this one is closed, people go on at once.")
    failed_preparation(state, round_)
    closing(state, round_, so_far)


def _one(state: UiState, reports: Sequence[RoundReport]) -> None:
    """One round in full: its images, and everything that its record says."""
    numbers = [each.round.number for each in reversed(reports)]
    with st.container(**FORM_ROW):
        chosen = st.selectbox(
            "Look at a round", numbers, format_func=lambda n: f"Round {n}", key="shown-round"
        )
        address = html.escape(state.page("gallery", round=str(chosen)))
        st.html(
            f'<a style="color: inherit" href="{address}" target="_self">Open in the gallery</a>',
            width="content",
        )
    report = next(each for each in reports if each.round.number == chosen)
    items = state.workbench.rounds.items(report.round.id)
    round_images(state, [item.image_id for item in items], read_near_copies(report.round.settings))
    with st.expander("Record of this round"):
        facts(_record(report))


def _record(report: RoundReport) -> list[tuple[str, str]]:
    of, settings = report.round, report.round.settings
    found = [
        ("Strategy", of.strategy),
        ("Seed", str(of.seed)),
        ("Learner that asked", "zero-shot" if of.learner_id is None else f"no. {of.learner_id}"),
        ("Posterior", "none" if of.posterior_id is None else f"no. {of.posterior_id}"),
        ("Class list", f"version {of.class_list_id}"),
        ("Chosen from", count(int(settings.get("candidates", 0)), "image")),
        ("Choosing took", f"{of.seconds:,.1f} s"),
    ]
    if "targets" in settings:
        found.append(("Predictions that matter", f"target set {settings['targets']}"))
    if "memory" in settings:
        found.append(("Memory limit", f"{int(settings['memory']) / 2**20:,.0f} MiB"))
    if of.class_sets is not None:
        found.append(("Likely classes", of.class_sets.words))
    if settings.get("left_out"):
        found.append(("Left out, without a file", count(len(settings["left_out"]), "image")))
    if settings.get("answered_meanwhile"):
        found.append(
            ("Answered before it opened", count(len(settings["answered_meanwhile"]), "image"))
        )
    if "prepared" in settings:
        ready = settings["prepared"]
        words = (
            f"when {ready['answered']} of {ready['asked']} answers of the round before were given"
        )
        found.append(("Chosen", words))
    if report.estimate is not None:
        a = report.estimate.accuracy
        words = f"{percent(a.value)} (95 % interval {100 * a.low:.1f} to {100 * a.high:.1f})"
        found.append(("Accuracy from its own labels (LURE)", f"{words}, of the learner that asked"))
    versions = settings.get("versions", {})
    if versions:
        found.append(("Computed with", ", ".join(f"{k} {v}" for k, v in versions.items())))
    return found
