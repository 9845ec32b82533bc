"""Choosing the images of the next round: strategy, size and cost first, then the batch, then the round."""

from __future__ import annotations

from typing import Any

import streamlit as st

from alworkbench.acquisition.cost import Estimate
from alworkbench.acquisition.strategy_cards import CARDS, StrategyCard
from alworkbench.core.domain import JobKind
from alworkbench.core.errors import WorkbenchError
from alworkbench.project.previews import Preview
from alworkbench.project.rounds import Taken
from ui.state import UiState
from ui.views.parts import ROW, count, escape_markdown, with_commands
from ui.views.round_images import round_images
from ui.views.times import ago
from ui.views.work import asked_by, begin

MOST_BATCH = 500
POOL = "All images of the pool"
_TARGETS_KEY = "round-targets"


def proposing(state: UiState, number: int) -> None:
    """Draw the choices of the next round with their cost, and the batch that was previewed, if any."""
    kept = state.workbench.rounds.previews.kept()
    if kept is not None:
        _preview(state, kept, number)
    with st.container(border=True):
        st.header(f"Choose the images of round {number}", anchor=False)
        order, fault = _choices(state)
        fits = _cost(state, order)
        stopped: Any = {"disabled": bool(fault) or not fits, "help": fault or None}
        with st.container(**ROW):
            st.caption("Preview chooses the images and opens no round.")
            if st.button(
                "Preview" if kept is None else "Propose anew", key="preview-round", **stopped
            ) and begin(
                state, JobKind.RANK, "choose images to look at", {"do": "preview", **order}
            ):
                st.rerun()
            # A page has one main action: with a preview, it is the one that opens this very batch.
            if st.button(
                f"Start round {number}",
                type="primary" if kept is None else "secondary",
                key="start-round",
                **stopped,
            ) and begin(state, JobKind.RANK, "rank the pool", {"do": "propose", **order}):
                st.rerun()


def _choices(state: UiState) -> tuple[dict[str, Any], str]:
    """Draw the choices; returns them as an order of a job, and why they are none, if so."""
    settings = state.workbench.session.settings()
    names = [card.name for card in CARDS]
    known = {card.name: card for card in CARDS}
    left, right = st.columns([2, 1], gap="medium")
    strategy = left.selectbox(
        "Strategy",
        names,
        index=names.index(settings.strategy) if settings.strategy in known else 0,
        key="round-strategy",
        help="How images are chosen.",
    )
    batch = right.number_input(
        "Images in the round",
        min_value=1,
        max_value=max(MOST_BATCH, settings.batch_size),
        value=settings.batch_size,
        step=1,
        key="round-batch",
        help="With few images per round, the model learns from your labels sooner.",
    )
    st.caption(card_words(known[strategy]))
    order: dict[str, Any] = {"strategy": strategy, "images": int(batch)}
    with st.expander("More choices"):
        kept = state.workbench.targets.names()
        chosen = st.selectbox(
            "Predictions that matter",
            [POOL, *kept],
            key=_TARGETS_KEY,
            help="Images outside of the pool can be what the model shall be good at. They are never asked.",
        )
        place = st.text_input(
            "Or a folder of such images on the server",
            key="round-target-place",
            help="A folder, manifest or archive. It is kept as a target set and encoded first.",
        ).strip()
        if place or chosen != POOL:
            order["targets"] = place or chosen
        fixed = st.text_input(
            "Seed",
            key="round-seed",
            placeholder="from the seed of the project",
            help="With the same seed and the same labels, the same images are chosen.",
        ).strip()
        fault = ""
        if fixed.isdecimal() and int(fixed) < 2**31:
            order["seed"] = int(fixed)
        elif fixed:
            fault = "The seed must be a whole number from 0 to 2,147,483,647."
            st.error(fault)
        if st.checkbox(
            "Likely classes hold for every class",
            key="round-by-class",
            help="It needs 9 audit images of each class or more: a class with fewer is always likely.",
        ):
            order["sets_by_class"] = True
    return order, fault


def card_words(card: StrategyCard) -> str:
    """What a strategy does, and where it is from."""
    summary = card.summary[:1].upper() + card.summary[1:]
    words = f"{summary}. Source: {card.source}." if card.source else f"{summary}."
    return escape_markdown(words)


def _cost(state: UiState, order: dict[str, Any]) -> bool:
    """Draw what the choice costs, before it runs; returns whether it can run."""
    rounds = state.workbench.rounds
    try:
        targets = state.workbench.targets
        kept = order.get("targets") in targets.names()
        count_ = targets.count(order["targets"]) if kept else None
        found = rounds.estimate(order["strategy"], order["images"], targets=count_)
    except WorkbenchError as refused:
        st.warning(with_commands(str(refused)))
        return False
    st.caption(escape_markdown(cost_words(found, rounds.took(order["strategy"]))))
    if not found.fits:
        st.warning(
            f"This needs {_mib(found.memory)} of memory beside the features, and a round may use "
            f"{_mib(found.allowed)}. Choose fewer images, or another strategy."
        )
    return found.fits


def cost_words(found: Estimate, took: Taken | None) -> str:
    """The cost from sizes alone, and what the last round of this strategy took here."""
    size = found.size
    words = (
        f"Chooses {count(size.batch, 'image')} of {size.candidates:,} without an answer. About "
        f"{found.operations:.1e} operations, for one processor core about {_seconds(found.seconds)}, and "
        f" {_mib(found.memory)} of memory beside the features."
    )
    if took is not None:
        words += (
            f" Round {took.number} with this strategy took {_seconds(took.seconds)} for {took.candidates:,} "
            f"images, on the same device with as many threads."
        )
    return words


def _preview(state: UiState, kept: Preview, number: int) -> None:
    changed = state.workbench.rounds.previews.changed(kept)
    batch = kept.batch
    with st.container(border=True):
        with st.container(**ROW):
            st.header(f"Preview of round {number}", anchor=False)
            if changed is None and st.button("Open this round", type="primary", key="open-preview"):
                _open(state, kept)
        now = state.workbench.session.now()
        st.caption(
            escape_markdown(
                f"{count(len(batch.items), 'image')}, strategy {batch.strategy}, seed {batch.seed}; chosen "
                f"{ago(kept.made_at, now)} for {kept.asked_by} in {_seconds(batch.seconds)}."
            )
        )
        if changed is not None:
            st.warning(
                f"Since these images were chosen, {changed}. Other images may be chosen now: propose anew."
            )
        round_images(state, [item.image_id for item in batch.items], kept.near)


def _open(state: UiState, kept: Preview) -> None:
    try:
        state.workbench.rounds.previews.open(kept.key, by=asked_by(state))
    except WorkbenchError as refused:
        st.error(with_commands(str(refused)))
        return
    st.rerun()


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _seconds(seconds: float) -> str:
    if seconds < 0.1:
        return "less than 0.1 s"
    return f"{seconds:,.1f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"
