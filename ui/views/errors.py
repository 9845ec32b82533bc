"""The page of errors: which classes the model takes for which, and how accurate it is in each class."""

from __future__ import annotations

from collections.abc import Callable

import altair as alt
import streamlit as st

from alworkbench.evaluation.confusions import Confusions
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.image_query import EvidenceSet
from alworkbench.report.confusion_chart import FEW_IMAGES, ClassChart, MatrixChart, class_table
from ui.state import UiState
from ui.unbroken import percent
from ui.views.charts import GREY, SHARE_AXIS, show, values
from ui.views.error_matrix import matrix, pairs
from ui.views.evidence_choice import SET_WORDS, chosen_set, evidence_images, learner_words
from ui.views.parts import Figure, count, escape_markdown, figures, heading

MOST_CLASSES = 15
"""Of the matrix, unless somebody chooses more."""
MOST_PAIRS = 10
MOST_DRAWN = 40
"""Classes of the chart; the table has all."""


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "Evidence",
        "Errors",
        "Which classes the model takes for which. A number leads to its images in the gallery.",
    )
    source = chosen_set("errors")
    found = evidence_images(state, go, source)
    if found is None:
        return
    _summary(found)
    if found.confusions.right == found.confusions.images:
        st.success("Every prediction is right: there is no error to look at.")
    else:
        _pairs(state, found.confusions, source)
    _matrix(state, found.confusions, source)
    _classes(found.confusions, source)


def _summary(found: EvidenceImages) -> None:
    all_of = found.confusions
    low, high = all_of.interval
    note = (
        f"95 % interval {percent(low)} to {percent(high)}, {all_of.right:,} of "
        f"{count(all_of.images, 'image')}"
    )
    kinds = len(all_of.pairs())
    figures(
        [
            Figure("Predictions that are right", percent(all_of.accuracy), note),
            Figure(
                "Errors",
                f"{all_of.images - all_of.right:,}",
                count(kinds, "pair of classes", "pairs of classes"),
            ),
        ]
    )
    st.caption(escape_markdown(learner_words(found)))


def _pairs(state: UiState, found: Confusions, source: EvidenceSet) -> None:
    every = found.pairs()
    st.header("Most frequent errors", anchor=False)
    pairs(state, every[:MOST_PAIRS], source)
    if len(every) > MOST_PAIRS:
        with st.expander(f"{count(len(every) - MOST_PAIRS, 'more pair')} of classes"):
            pairs(state, every[MOST_PAIRS:], source)


def _matrix(state: UiState, found: Confusions, source: EvidenceSet) -> None:
    st.header("Confusion matrix", anchor=False)
    names = found.classes
    if len(names) > MOST_CLASSES:
        chosen = st.multiselect(
            "Classes of the matrix",
            names,
            default=found.most_confused(MOST_CLASSES),
            key=f"errors-classes-{source.value}",
            help="At first those with the most errors.",
        )
        if not chosen:
            st.info("Choose at least one class.")
            return
        found = found.among(tuple(name for name in names if name in chosen))
    matrix(state, found, source)
    st.caption(
        "Rows are labels, columns are predictions, numbers are images. The shade is the share of the row. "
        "Enter on a number shows its images."
    )
    chart = MatrixChart(found, SET_WORDS[source])
    values(chart.picture(), chart.table())


def _classes(found: Confusions, source: EvidenceSet) -> None:
    st.header("Accuracy by class", anchor=False)
    chart = ClassChart(found, SET_WORDS[source])
    show(_drawn(chart), chart.picture(), class_table(found), unfolded=True)
    if len(chart.rows) > MOST_DRAWN:
        st.caption(f"The {MOST_DRAWN} least accurate classes; the table has all.")
    few = sum(each.images < FEW_IMAGES for each in found.by_class())
    if few:
        st.caption(
            f"{count(few, 'class has', 'classes have')} fewer than {FEW_IMAGES} images: a hollow mark and an "
            f"interval, and no figure in the table. Such a figure would change by chance."
        )


def _drawn(chart: ClassChart) -> alt.LayerChart:
    rows = [
        {
            "name": each.name, "accuracy": each.right / each.images, "low": each.low, "high": each.high,
            "images": each.images, "few": each.images < FEW_IMAGES,
        }
        for each in chart.rows[:MOST_DRAWN]
    ]  # fmt: skip
    base = alt.Chart(alt.InlineData(values=rows)).encode(
        y=alt.Y(
            "name:N",
            title=None,
            sort=[row["name"] for row in rows],
            axis=alt.Axis(labelLimit=220, labelFlush=False),
        ),
        tooltip=[
            alt.Tooltip("name:N", title="Class"),
            alt.Tooltip("accuracy:Q", title="Right", format=".1%"),
            alt.Tooltip("low:Q", title="95 % from", format=".1%"),
            alt.Tooltip("high:Q", title="95 % to", format=".1%"),
            alt.Tooltip("images:Q", title="Images", format=","),
        ],
    )
    x = alt.X("accuracy:Q", title="Accuracy", axis=SHARE_AXIS, scale=alt.Scale(domain=[0, 1]))
    full = base.transform_filter(alt.datum.few == False)  # noqa: E712  (an expression of the chart)
    few = base.transform_filter(alt.datum.few == True)  # noqa: E712
    return alt.layer(
        base.mark_rule(strokeWidth=2, color=GREY).encode(
            x=alt.X("low:Q", title="Accuracy"), x2="high:Q"
        ),
        full.mark_point(size=80, filled=True, opacity=1).encode(x=x),
        few.mark_point(size=70, filled=False, shape="diamond", strokeWidth=2).encode(x=x),
    ).properties(height=max(120, 26 * len(rows)))
