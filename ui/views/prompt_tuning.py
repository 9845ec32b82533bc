"""Prompts tuned for each image, on the page of classes: the job, what it changes, and the answers to keep."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.words import percent
from alworkbench.evaluation.intervals import wilson_interval
from alworkbench.project.kept_tuning import (
    ABOUT,
    TITLE,
    WITHOUT_PENALTY,
    KeptTuning,
    TuningEstimate,
    TuningOrder,
    newest_estimate,
    newest_tuning,
)
from alworkbench.project.tuning_effect import TuningEffect
from alworkbench.report.chart_table import Cell, ChartTable
from ui.state import UiState
from ui.views.parts import count, escape_markdown
from ui.views.side_job import side_job
from ui.views.work import asked_by, duration

FIRST_IMAGES = 100
"""Images that are tuned for, unless another number is given: the cost grows with it."""
FIRST_MINUTES = 30
MOST_SEED = 2**53 - 1
"""Larger numbers are not exact in a browser."""
USUAL = TuningOrder()
_SOURCES = {
    "pool": "of the pool",
    "audit": "of the audit set",
    "newest-round": "of the newest round",
}
_NO_PENALTY = "has no penalty. Choose another one of what tuning minimises"


def prompt_tuning(state: UiState) -> None:
    """Draw the form, the job, the newest estimate of the cost and the newest result."""
    workbench = state.workbench
    if workbench.prompts.unreadable() is not None:  # the comparison of templates says why
        return
    st.header("Tune prompts for each image", anchor=False)
    st.caption(
        "Tuning replaces the words around a name by numbers that fit one image (test-time prompt tuning). "
        "It needs no label and changes nothing in the project. Numbers cannot become a template, so "
        "the result is a file of answers. Accuracy often rises a little, and calibration often gets worse."
    )
    job = side_job(state, JobKind.TUNE)
    if job is None or not job.running:
        _start(state)
    folder = workbench.session.folder
    found, estimate = newest_tuning(folder), newest_estimate(folder)
    if estimate is not None and (found is None or estimate.at > found.at):
        st.info(escape_markdown(_cost(estimate)), title="Estimate of the cost")
    if found is not None:
        _result(state, found)


def _start(state: UiState) -> None:
    with st.form("tune-prompts", border=True):
        left, middle, right = st.columns(3)
        source = left.selectbox(
            "Images", list(_SOURCES), format_func=_SOURCES.__getitem__, key="tune-source"
        )
        most = middle.number_input("At most so many", 1, None, FIRST_IMAGES, key="tune-most")
        minutes = right.number_input(
            "Longest time in minutes",
            1,
            None,
            FIRST_MINUTES,
            key="tune-minutes",
            help="Nothing is tuned if the estimate is longer.",
        )
        objective = st.selectbox(
            "What tuning minimises",
            list(ABOUT),
            index=1,
            format_func=lambda name: f"{name}: {ABOUT[name]}",
            key="tune-objective",
        )
        once = st.checkbox(
            "Tune once for the class list, without images: one step that costs almost nothing",
            key="tune-once",
        )
        with st.expander("More settings"):
            left, right = st.columns(2)
            phrase = left.text_input(
                "Words in front of the name, before tuning",
                USUAL.phrase,
                key="tune-phrase",
            )
            weight = right.number_input(
                "Weight of the penalty",
                0.0,
                None,
                None,
                key="tune-weight",
                placeholder="the one of its authors",
            )
            views = left.number_input(
                "Views of an image, itself included",
                1,
                None,
                USUAL.views,
                key="tune-views",
            )
            seed = right.number_input(
                "Seed of the views", 0, MOST_SEED, USUAL.seed, key="tune-seed"
            )
            augmix = st.checkbox("Change the views by AugMix as well", key="tune-augmix")
        with st.container(horizontal=True):
            estimated = st.form_submit_button("Estimate the cost", key="tune-estimate")
            tuned = st.form_submit_button("Tune prompts", key="tune-start")
    if not (estimated or tuned):
        return
    if objective in WITHOUT_PENALTY and (once or weight is not None):
        what = "tuning without images" if once else "a weight"
        st.error(f"{objective} {_NO_PENALTY}: {what} needs a penalty.")
        return
    order = TuningOrder.model_validate(
        {
            "source": source,
            "most": int(most),
            "objective": objective,
            "weight": weight,
            "phrase": phrase,
            "views": int(views),
            "augmix": augmix,
            "seed": int(seed),
            "without_images": once,
            "most_seconds": 60.0 * minutes,
            "dry_run": estimated,
        }
    )
    given = {"do": "tune", "order": order.model_dump(mode="json")}
    if state.jobs.start(JobKind.TUNE, TITLE, asked_by(state), given):
        st.rerun()
    st.error("Prompts are tuned at the moment. Start again when that has ended.")


def _cost(estimate: TuningEstimate) -> str:
    words = f"{count(estimate.images, 'image')} to answer"
    if estimate.known:
        words += f", and {estimate.known:,} with an answer of these settings already"
    if estimate.order.without_images or not estimate.images:
        return f"{words}. This takes seconds."
    return (
        f"{words}: {count(estimate.views, 'view')} to encode, about {duration(estimate.seconds)} without the "
        f"time to read files. The features of the views take {estimate.cache_bytes / 2**20:,.1f} MiB in the "
        "folder of the project."
    )


def _result(state: UiState, found: KeptTuning) -> None:
    if changed := found.changed(state.workbench.session):
        what = " and ".join(changed)
        st.warning(
            f"{what[:1].upper()}{what[1:]} have changed since prompts were tuned. Tune again."
        )
    st.write(escape_markdown(effect_in_words(found)))
    if found.unreadable:
        st.warning(
            escape_markdown(
                f"{count(found.unreadable, 'file')} cannot be read: {'; '.join(found.faults)}. "
                f"Tune again when they are there: the other answers are kept."
            )
        )
    effect = found.effect
    if effect.audit_images:
        _table(audit_table(effect), "Present and tuned prompts, measured on the audit set")
    if effect.examples:
        table = changed_table(effect)
        _table(table, "Images whose answer changes, the most confident first")
    address = f"{state.routes}/tuned"
    with st.container(horizontal=True):
        for form, label in (("csv", "Use these answers (CSV)"), ("json", "Their settings (JSON)")):
            query = urlencode({"name": found.name, "form": form})
            st.link_button(label, f"{address}?{query}", key=f"tuned-{form}")
        if effect.examples:
            st.download_button(
                "Save table (CSV)",
                table.csv,
                file_name="changed-answers.csv",
                mime="text/csv",
                key="csv-changed-answers",
                on_click="ignore",
            )
    st.caption(escape_markdown(_made(found)))


def _table(table: ChartTable, alt: str) -> None:
    shown = {name: list(cells) for name, cells in table.columns.items()}
    st.dataframe(shown, hide_index=True, alt=alt)


def effect_in_words(found: KeptTuning) -> str:
    """What tuning changes, on how many images, and what it was measured with."""
    effect = found.effect
    where = _SOURCES[found.order.source]
    if not effect.images:
        answered = count(found.answered + found.known, "image")
        return f"{answered} {where} answered. None of them is encoded, so nothing can be compared."
    words = (
        f"On {count(effect.images, 'image')} {where}, tuned prompts change {effect.changed:,} "
        f"{'prediction' if effect.changed == 1 else 'predictions'} of the present prompts. The mean "
        f"confidence is {percent(effect.confidence_tuned)} and was {percent(effect.confidence_before)}. "
    )
    if effect.audit_images:
        return words + f"Measured with {count(effect.audit_images, 'label')} of the audit set:"
    return words + (
        "This says what changes and not what is right. To measure that, label an audit set and tune its "
        "images."
    )


def audit_table(effect: TuningEffect) -> ChartTable:
    """The present and the tuned prompts, on the same labelled images."""
    rows = [each for each in (effect.audit_before, effect.audit_tuned) if each is not None]
    images = effect.audit_images
    intervals = [wilson_interval(round(each.accuracy * images), images) for each in rows]
    columns: dict[str, Sequence[Cell]] = {
        "Prompts": ["present", "tuned"],
        "Accuracy [95 %]": [
            f"{percent(each.accuracy)} [{', '.join(f'{100 * x:.1f}' for x in interval)}]"
            for each, interval in zip(rows, intervals, strict=True)
        ],
        "ECE": [round(each.ece, 3) for each in rows],
        "NLPD": [round(each.nlpd, 3) for each in rows],
    }
    return ChartTable(columns)


def changed_table(effect: TuningEffect) -> ChartTable:
    """One row for each listed image."""
    rows = effect.examples
    columns: dict[str, Sequence[Cell]] = {
        "Image": [Path(each.path).name for each in rows],
        "Present answer": [each.before for each in rows],
        "Confidence before": [percent(each.confidence_before) for each in rows],
        "Tuned answer": [each.tuned for each in rows],
        "Confidence": [percent(each.confidence_tuned) for each in rows],
    }
    if any(each.label is not None for each in rows):
        columns["Label"] = [each.label for each in rows]
    columns["File"] = [each.path for each in rows]
    return ChartTable(columns)


def _made(found: KeptTuning) -> str:
    order = found.order
    how = (
        "once for the class list"
        if order.without_images
        else f"with {count(order.views, 'view')} of each image"
    )
    words = f"Tuned {how}, {order.objective}, by {found.by}, {found.at:%Y-%m-%d %H:%M} UTC."
    if found.cut:
        words += f" The model does not read the end of prompts of: {', '.join(found.cut)}."
    return words
