"""Prompt templates compared on the pool, on the page of classes, with a way into the draft."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.errors import InvalidTemplates
from alworkbench.core.words import percent
from alworkbench.project.template_comparison import TemplateComparison
from alworkbench.report.chart_table import Cell, ChartTable
from ui.state import UiState
from ui.views.parts import count, escape_markdown, with_commands
from ui.views.side_job import side_job
from ui.views.work import asked_by

TITLE = "compare prompt templates"
FIRST_SETS = ("photo", "imagenet-simple")


def template_choice(state: UiState, propose: Callable[..., None]) -> None:
    """Draw the choice of templates, the job that compares them, and the newest figures."""
    workbench = state.workbench
    st.header("Compare prompt templates", anchor=False)
    if (reason := workbench.prompts.unreadable()) is not None:
        st.caption(with_commands(reason))
        return
    st.caption(
        "The words around a name change what the model sees. Templates are ranked on the images of the pool "
        "by names and prompts alone, without labels; nothing is stored."
    )
    job = side_job(state, JobKind.SCORE)
    if job is None or not job.running:
        _start(state)
    found = workbench.prompts.compared()
    if found is not None:
        _figures(state, found, propose)


def _start(state: UiState) -> None:
    prompts = state.workbench.prompts
    sets = {each.name: each for each in prompts.sets()}
    with st.form("compare-templates", border=True):
        chosen = st.multiselect(
            "Sets of templates",
            list(sets),
            default=list(FIRST_SETS),
            format_func=lambda name: f"{name}: {sets[name].summary} ({len(sets[name].templates)})",
            key="template-sets",
        )
        own = st.text_area(
            "Templates of your own, one a line",
            key="own-templates",
            placeholder="a photo of a {}, a bird.",
        )
        by = st.radio(
            "Ranked by",
            ["atfd", "nlpd"],
            format_func={
                "atfd": "dispersion of the text embeddings (ATFD), without labels",
                "nlpd": "log loss (NLPD) on the audit set, which needs labels there",
            }.__getitem__,
            key="rank-by",
        )
        if not st.form_submit_button("Compare on the pool"):
            return
    try:
        templates = prompts.collected(chosen, [each for each in own.splitlines() if each.strip()])
    except InvalidTemplates as refused:
        st.error(with_commands(str(refused)))
        return
    order = {"do": "templates", "templates": list(templates), "by": by}
    if not state.jobs.start(JobKind.SCORE, TITLE, asked_by(state), order):
        st.error("Images are predicted at the moment. Compare templates when that has ended.")
        return
    st.rerun()


def _figures(state: UiState, found: TemplateComparison, propose: Callable[..., None]) -> None:
    if changed := found.changed(state.workbench.session):
        what = " and ".join(changed)
        st.warning(
            f"{what[:1].upper()}{what[1:]} have changed since these figures were made. Compare again."
        )
    table = comparison_table(found)
    picked = st.dataframe(
        {name: list(cells) for name, cells in table.columns.items()},
        hide_index=True,
        alt="Templates, the best first, with their figures",
        on_select="rerun",
        selection_mode="multi-row",
        key="compared-templates",
    )
    ranked = [each.template for each in found.ranking.templates]
    chosen = [ranked[row] for row in picked["selection"]["rows"] if row < len(ranked)]
    with st.container(horizontal=True):
        st.button(
            f"Put the selected {count(len(chosen), 'template')} into the draft",
            key="use-selected",
            disabled=not chosen,
            on_click=propose,
            kwargs={"templates": chosen},
        )
        st.button(
            "Put the first one into the draft",
            key="use-first",
            on_click=propose,
            kwargs={"templates": ranked[:1]},
        )
        st.button(
            f"Put all {len(ranked)} into the draft",
            key="use-all",
            on_click=propose,
            kwargs={"templates": ranked},
        )
        st.download_button(
            "Save table (CSV)",
            table.csv,
            file_name="templates.csv",
            mime="text/csv",
            key="csv-templates",
            on_click="ignore",
        )
    st.caption(escape_markdown(_words(found)))


def comparison_table(found: TemplateComparison) -> ChartTable:
    """One row for each template, the best first, and one for all together."""
    ranking = found.ranking
    rows = [*ranking.templates, ranking.ensemble]
    by_nlpd = ranking.by == "nlpd"
    columns: dict[str, Sequence[Cell]] = {
        "Rank": [
            n + 1 if each.kept or by_nlpd else None for n, each in enumerate(ranking.templates)
        ]
        + [None],
        "Template": [each.template for each in ranking.templates]
        + [f"all {len(ranking.templates)} together"],
        "ATFD": [round(each.atfd, 3) for each in rows],
        "Agreement": [percent(each.agreement) for each in ranking.templates] + [""],
        "Confidence": [round(each.confidence, 3) for each in rows],
    }
    if ranking.audit_images:
        audits = [each.audit for each in rows]
        columns["Accuracy [95 %]"] = [
            None
            if each is None
            else f"{percent(each.accuracy)} [{', '.join(f'{100 * x:.1f}' for x in found.interval(each))}]"
            for each in audits
        ]
        columns["ECE"] = [None if each is None else round(each.ece, 3) for each in audits]
        columns["NLPD"] = [None if each is None else round(each.nlpd, 3) for each in audits]
    return ChartTable(columns)


def _words(found: TemplateComparison) -> str:
    ranking, effect = found.ranking, found.effect
    words = f"Compared on {count(ranking.images, 'image')} of the pool"
    if ranking.audit_images:
        words += f" and {count(ranking.audit_images, 'image')} of the audit set"
    changed = effect.given["features"].changed
    words += (
        f", {found.made_at:%Y-%m-%d %H:%M} UTC. All of them together change the predictions of {changed:,} "
        f"of {count(effect.images, 'image')}, against the present prompts. "
    )
    if ranking.by == "nlpd":
        words += (
            "Ranked by the labels of the audit set: the first of many templates looks better on these labels "
            "than it is."
        )
    else:
        words += (
            "Templates without a rank often disagree with all together. The rank is a hint: a larger ATFD "
            "makes the model more confident, which does harm where it is too confident already."
        )
    if found.cut:
        words += f" The model does not read the end of prompts of: {', '.join(found.cut)}."
    return words
