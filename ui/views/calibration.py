"""The page of calibration: whether probabilities hold, by bins, by class and for likely classes."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import CalibrationSource
from alworkbench.core.words import chance_words
from alworkbench.evaluation.calibration.reliability_diagram import FEW_IMAGES
from alworkbench.project.calibration_evidence import CalibrationEvidence, CalibrationFigures
from alworkbench.project.class_sets import SetCheck
from alworkbench.project.image_query import EvidenceSet
from alworkbench.report.reliability_chart import ClassReliabilityChart, ReliabilityChart
from ui.state import UiState
from ui.unbroken import percent
from ui.views.audit_set import draw_call
from ui.views.charts import show
from ui.views.evidence_choice import SET_WORDS, chosen_set, evidence_images, learner_words
from ui.views.parts import Figure, caption, count, escape_markdown, figures, heading
from ui.views.reliability import class_lines, diagram


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    heading(
        "Evidence",
        "Calibration",
        "Where the model says 78 %, is it right in 78 of 100 images? Measured on images whose label it did "
        "not learn.",
    )
    source = chosen_set("calibration")
    images = evidence_images(state, go, source, calibration=True)
    if images is None:
        return
    with st.spinner("Comparing probabilities with labels"):
        found = state.workbench.audit.evidence.calibration(source)
    if found is None:
        return
    _in_use(found)
    if found.before is None:
        _too_few(state, go, found)
        return
    _figures(found, found.before)
    caption(escape_markdown(learner_words(images)))
    of = SET_WORDS[source]
    st.header("Reliability", anchor=False)
    chart = ReliabilityChart.of_evidence(found, of)
    show(diagram(chart), chart.picture(), chart.table())
    caption(
        "Each mark is a tenth of the range of confidence; its size is the number of images, its line the "
        f"95 % Wilson interval. Marks with fewer than {FEW_IMAGES} images are pale. On the dashed line the "
        "probabilities hold; below it the model is too sure."
    )
    _by_class(found, of)
    if found.sets is not None or source is EvidenceSet.AUDIT:
        _sets(found, state.workbench.audit.evidence.set_checks())


def _in_use(found: CalibrationEvidence) -> None:
    st.markdown(f"**Probabilities on all screens: {escape_markdown(found.in_use.words)}\\.**")
    if found.fit is not None:
        fit = found.fit
        sure = "too sure" if fit.temperature > 1 else "not sure enough"
        certain = fit.low > 1 or fit.high < 1
        caption(
            f"Temperature {fit.temperature:.2f} (95 % interval {fit.low:.2f} to {fit.high:.2f}), fitted to "
            f"{count(fit.images, 'label')} of the audit set by the last measurement. "
            + (
                f"Without it the model would be {sure}."
                if certain
                else "The interval holds 1: these labels do not show whether it is needed."
            )
        )
    elif found.in_use.source is CalibrationSource.LEFT_OUT:
        caption("The learner scaled its own logits on left-out labels; there is no temperature.")
    elif found.in_use.source is CalibrationSource.NONE:
        caption("At least 30 labels of the audit set give a temperature.")


def _too_few(state: UiState, go: Callable[[str], None], found: CalibrationEvidence) -> None:
    st.info(
        f"This set has {count(found.images, 'labelled image')}. Probabilities cannot be checked with fewer "
        f"than {found.images + found.needed}: label {found.needed} more."
    )
    if found.source is not EvidenceSet.AUDIT:
        if st.button("Go to labelling", key="calibration-label", type="primary"):
            go("label")
    elif state.workbench.rounds.current() is None:
        draw_call(state, go, key="calibration-audit")


def _figures(found: CalibrationEvidence, before: CalibrationFigures) -> None:
    shown = found.after or before
    was = found.after is not None

    def note(interval: tuple[float, float] | None, old: float, more: str = "") -> str:
        around = f"95 % interval {interval[0]:.3f} to {interval[1]:.3f}" if interval else ""
        without = f"without the temperature {old:.3f}" if was else ""
        return "; ".join(part for part in (around, more, without) if part)

    chance = f"{chance_words(shown.ece_floor)}; the interval is corrected for that"
    figures(
        [
            Figure(
                "Calibration error (ECE)",
                f"{shown.ece:.3f}",
                note(
                    shown.ece_interval,
                    before.ece,
                    chance,
                ),
            ),
            Figure(
                "Log loss (NLPD, nats)", f"{shown.nlpd:.3f}", note(shown.nlpd_interval, before.nlpd)
            ),
            Figure(
                "Brier score (0 to 2)",
                f"{shown.brier:.3f}",
                note(shown.brier_interval, before.brier),
            ),
        ]
    )


def _by_class(found: CalibrationEvidence, of: str) -> None:
    st.header("By predicted class", anchor=False)
    chart = ClassReliabilityChart(found.by_class, of)
    show(class_lines(chart), chart.picture(), chart.table())
    caption(
        "Of the images that the model takes for a class: the dot is the share that is right, its line the "
        "95 % interval, the bar the mean probability. A bar right of the line: the model is too sure of this "
        f"class. Classes with fewer than {FEW_IMAGES} images have no dot."
    )


def _sets(found: CalibrationEvidence, checks: list[SetCheck]) -> None:
    st.header("Likely classes", anchor=False)
    sets = found.sets
    if sets is None:
        caption("The audit set is too small for sets that leave a class out.")
    else:
        low, high = sets.interval
        figures(
            [
                Figure("Promised", percent(sets.promised, 0), "images whose class is in their set"),
                Figure(
                    "Reached on the audit set",
                    percent(sets.held / sets.images),
                    f"95 % interval {percent(low)} to {percent(high)}, {sets.held:,} of "
                    f"{count(sets.images, 'image')}, each without its own label",
                ),
                Figure(
                    "Classes in a set",
                    f"{sets.mean_size:.1f}",
                    f"on average, of {found.classes}; one class in {percent(sets.single / sets.images, 0)}",
                ),
            ]
        )
    if not checks:
        caption("No round with likely classes was answered yet.")
        return
    st.dataframe(
        {
            "Round": [each.round for each in checks],
            "Labels": [each.labelled for each in checks],
            "In their set": [100 * each.held / each.labelled for each in checks],
            "95 % from": [100 * each.interval[0] for each in checks],
            "95 % to": [100 * each.interval[1] for each in checks],
            "Promised": [100 * each.promised for each in checks],
            "Images drawn": [each.selection.value for each in checks],
        },
        hide_index=True,
        alt="How often the label was among the likely classes, by round",
        column_config={
            name: st.column_config.NumberColumn(format="%.1f %%")
            for name in ("In their set", "95 % from", "95 % to", "Promised")
        },
    )
    caption(
        "The promise holds for images that are drawn like the audit set. A strategy asks harder images, and "
        "their sets hold less often."
    )
