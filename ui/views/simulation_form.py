"""The form of a simulation, drawn from `SimulationConfig`: a widget for each of its words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from alworkbench.core.domain import BASELINE_METHODS, DEFAULT_STRATEGY, Goal
from alworkbench.core.worker_process import cores
from alworkbench.simulation.choices import collection_choices, method_choices, strategy_choices
from alworkbench.simulation.config import SAMPLE, SimulationConfig, needed
from alworkbench.simulation.plan_values import OWN
from ui.views.parts import escape_markdown

SOURCES = {
    "project": "The labelled images of this project",
    "data": "A collection with known labels",
    "images": "A folder of labelled images on the server",
    "features": "A features file on the server",
}
"""The sources of a configuration, in words."""
SHOWN_FIRST = ("strategies", "adaptations", "seeds", "labels", "batch")
FOLDED = (
    "baselines",
    "audit",
    "pool_fraction",
    "goal",
    "noise",
    "skip",
    "seconds",
    "transductive",
    "strength_image",
    "strength_text",
    "processes",
)
OF_SOURCE = {"data": ("data",), "images": ("images", "test", "encoder"), "features": ("features",)}
NOT_ASKED = ("project", "out")
"""Words that the order of the job leaves out: they are this project, which keeps the results."""
LABELS = {
    "data": "Collections",
    "images": "Folder",
    "test": "Folder of the test part",
    "encoder": "Encoder",
    "features": "File",
    "truth": "Labels",
    "strategies": "Strategies",
    "adaptations": "Learning methods",
    "baselines": "Baselines of labels alone",
    "batch": "Images in a batch",
    "seeds": "Seeds",
    "labels": "Images that each run asks",
    "audit": "Images of the audit set",
    "pool_fraction": "Share of the pool for each seed",
    "goal": "Goal",
    "noise": "Share of wrong answers",
    "skip": "Share of skipped images",
    "seconds": "Seconds that an answer takes",
    "transductive": "Strategies may look at the test images",
    "strength_image": "Factor on the precision of the image projection",
    "strength_text": "Factor on the precision of the text projection",
    "processes": "Runs at the same time",
}
_SMALL = {"labels": 20, "seeds": 3}


def ask() -> dict[str, Any]:
    """Draw the form; gives the words of a configuration, which `SimulationConfig.of` checks.

    A word that was left as usual is left out.
    """
    source = st.radio(
        "Where images come from",
        list(SOURCES),
        format_func=SOURCES.__getitem__,
        key="simulation-source",
        horizontal=True,
    )
    words: dict[str, Any] = {}
    for name in OF_SOURCE.get(source, ()):
        words |= _said(name, _text(name) if name != "data" else _collections())
    if source == "project":
        words |= _said("truth", _truth())
    elif source not in words:
        words[source] = ""  # the configuration says what is needed
    left, right = st.columns([3, 2], gap="large")
    with left:
        words |= _said(
            "strategies", _several("strategies", strategy_choices(), _usual_strategies())
        )
        words |= _said(
            "adaptations", _several("adaptations", method_choices(), _usual("adaptations"))
        )
    with right, st.container(horizontal=True):
        for name in ("seeds", "labels"):
            words[name] = _number(name, _SMALL[name])
        words |= _said("batch", _numbers("batch", "10"))
    with st.expander("More settings"):
        words |= _more(source)
    return words


def complaint_free(words: Mapping[str, Any]) -> SimulationConfig:
    """The configuration. Raises InvalidPlan."""
    return SimulationConfig.of(dict(words), "The form")


def _more(source: str) -> dict[str, Any]:
    words: dict[str, Any] = {
        "baselines": _several("baselines", method_choices(), BASELINE_METHODS),
    }
    with st.container(horizontal=True):
        words["audit"] = _number("audit", 0, least=0)
        words["pool_fraction"] = _share("pool_fraction", round(2 / 3, 3))
        words["goal"] = st.selectbox(
            LABELS["goal"],
            [each.value for each in Goal],
            index=list(Goal).index(Goal.BALANCED),
            key="simulation-goal",
            help=_help("goal"),
        )
    with st.container(horizontal=True):
        words["noise"] = _share("noise", 0.0)
        words["skip"] = _share("skip", 0.0)
        own = f" For this project also `{OWN}`." if source == "project" else ""
        words |= _said("seconds", _seconds(own))
    with st.container(horizontal=True):
        words |= _said("strength_image", _optional_number("strength_image"))
        words |= _said("strength_text", _optional_number("strength_text"))
        words["processes"] = _number("processes", max(1, cores() - 1))
    words["transductive"] = st.checkbox(
        LABELS["transductive"], key="simulation-transductive", help=_help("transductive")
    )
    if words["pool_fraction"] == round(2 / 3, 3):
        del words["pool_fraction"]  # the usual one has more digits
    return words


def _said(name: str, value: Any) -> dict[str, Any]:
    """The word, if something was given for it."""
    return {} if value in (None, "", [], ()) else {name: value}


def _help(name: str) -> str:
    description = SimulationConfig.model_fields[name].description or ""
    return escape_markdown(f"{description} Needed: {needed(name)}.")


def _usual(name: str) -> Sequence[str]:
    found: Sequence[str] = SimulationConfig.model_fields[name].default
    return found


def _usual_strategies() -> Sequence[str]:
    return [name for name in ("random", "entropy", DEFAULT_STRATEGY) if name in strategy_choices()]


def _collections() -> list[str]:
    known = collection_choices()
    return _several("data", known, list(known)[:1])


def _truth() -> str | None:
    chosen = st.selectbox(
        LABELS["truth"],
        ("given", SAMPLE, "manifest"),
        format_func={
            "given": "Those that people gave",
            SAMPLE: "Those of the bundled sample",
            "manifest": "Those of a manifest on the server",
        }.__getitem__,
        key="simulation-truth",
        help=_help("truth"),
    )
    if chosen == "manifest":
        return st.text_input("Manifest", key="simulation-manifest", help=_help("truth"))
    return SAMPLE if chosen == SAMPLE else None


def _several(name: str, known: Mapping[str, str], usual: Sequence[str]) -> list[str]:
    chosen = st.multiselect(
        LABELS[name],
        list(known),
        default=list(usual),
        key=f"simulation-{name}",
        help=_help(name),
    )
    for each in chosen:  # a summary does not fit into the box
        st.caption(escape_markdown(f"{each}: {known[each]}"))
    return chosen


def _text(name: str) -> str:
    default = SimulationConfig.model_fields[name].default
    return st.text_input(
        LABELS[name],
        value="" if default is None else str(default),
        key=f"simulation-{name}",
        help=_help(name),
    ).strip()


def _number(name: str, usual: int, least: int = 1) -> int:
    return int(
        st.number_input(
            LABELS[name],
            min_value=least,
            value=usual,
            step=1,
            key=f"simulation-{name}",
            help=_help(name),
        )
    )


def _share(name: str, usual: float) -> float:
    return float(
        st.number_input(
            LABELS[name],
            min_value=0.0,
            max_value=1.0,
            value=usual,
            step=0.05,
            format="%.3f",
            key=f"simulation-{name}",
            help=_help(name),
        )
    )


def _optional_number(name: str) -> float | None:
    return st.number_input(
        LABELS[name], min_value=0.0, value=None, key=f"simulation-{name}", help=_help(name)
    )


def _numbers(name: str, usual: str) -> list[Any]:
    """Whole numbers, separated by commas; what is none is left to the configuration to refuse."""
    told = st.text_input(LABELS[name], value=usual, key=f"simulation-{name}", help=_help(name))
    parts = [part.strip() for part in told.split(",") if part.strip()]
    return [int(part) if part.isdecimal() else part for part in parts]


def _seconds(own: str) -> list[str]:
    told = st.text_input(
        LABELS["seconds"],
        key="simulation-seconds",
        help=_help("seconds") + own,
        placeholder="not counted",
    )
    return [part.strip() for part in told.split(",") if part.strip()]
