"""Which labelled images a page of evidence looks at, and what to do where there are none."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.project.evidence import TITLES
from alworkbench.project.evidence_images import EvidenceImages
from alworkbench.project.image_query import EvidenceSet
from ui.jobs import titled
from ui.state import UiState
from ui.views.audit_set import without_audit_set
from ui.views.parts import count
from ui.views.side_job import side_job
from ui.views.work import begin

SET_WORDS = {EvidenceSet.AUDIT: "audit set", EvidenceSet.LEFT_OUT: "labels left out"}
_OFFERED = {EvidenceSet.AUDIT: "Audit set", EvidenceSet.LEFT_OUT: "Labels left out"}
_HELP = (
    "The audit set was drawn at random and measures the pool. Labels left out are labels of the pool, each "
    "predicted by a model that did not learn it: they were chosen, and do not measure the pool."
)


def chosen_set(page: str) -> EvidenceSet:
    """The control that chooses one of the sets."""
    return st.segmented_control(
        "Labelled images",
        list(EvidenceSet),
        default=EvidenceSet.AUDIT,
        format_func=lambda each: _OFFERED[each],
        key=f"{page}-set",
        help=_HELP,
        required=True,
    )


def evidence_images(
    state: UiState, go: Callable[[str], None], source: EvidenceSet, *, calibration: bool = False
) -> EvidenceImages | None:
    """The images of a set; where there are none, says in one sentence why and offers what to do.

    What takes seconds (with `calibration` also the figures of it) is left to a job, whose progress is drawn
    in place of the images. When it has ended, the page is drawn again.
    """
    mark = state.workbench.audit.evidence.waits(source, calibration=calibration)
    if mark is not None and _computed_first(state, source, mark):
        return None
    with st.spinner("Comparing labels with predictions"):
        found = state.workbench.audit.evidence.images(source)
    if found is not None:
        return found
    status = state.workbench.status()
    if source is EvidenceSet.LEFT_OUT:
        st.info(
            "No label can be left out yet: label some images and close the round. The learning method must "
            "be one that can leave labels out, as the default method can."
        )
        _offer("Go to labelling", "label", go)
    elif status.audit_images == 0:
        words, act, page = without_audit_set(state, status, "nothing was measured")
        st.info(words)
        _offer(act, page, go)
    else:
        st.info(
            f"None of the {count(status.audit_images, 'image')} of the audit set has a label of a class that "
            "the model can measure: label them first."
        )
        _offer("Go to labelling", "label", go)
    return None


def _computed_first(state: UiState, source: EvidenceSet, mark: str) -> bool:
    """Draw the job that computes a set; it is started where none did for this mark. False: draw the page.

    A set that changed while its job ran is drawn at once: a page that is looked at while people label would
    wait for ever.
    """
    waited = st.session_state.pop("evidence-job", None)
    job = side_job(state, JobKind.ERRORS, which=titled(TITLES[source]))
    if job is not None and job.running:
        if job.job.order.get("of") == source:
            st.session_state["evidence-job"] = job.job.id
        return True
    if job is not None and job.job.id == waited and job.error is None:
        return False
    failed = job is not None and job.error is not None and job.job.order.get("mark") == mark
    if failed and not st.button("Compute it again", key="evidence-again"):
        return True
    order = {"do": "evidence", "of": source.value, "mark": mark}
    if begin(state, JobKind.ERRORS, TITLES[source], order):
        st.rerun()
    return True


def learner_words(found: EvidenceImages) -> str:
    """Whose predictions they are, and what the images stand for."""
    whose = (
        "Predictions of the model before any label"
        if found.learner_id is None
        else f"Predictions of the newest learner, after {count(found.taught, 'label')}"
    )
    if found.source is EvidenceSet.AUDIT:
        return f"{whose}. Labels are those of now, so a corrected label counts at once."
    return (
        f"{whose}, each made without the label of its image. A strategy or a person chose these images, so "
        "this is not the accuracy on the pool: it is too low where hard images were chosen."
    )


def _offer(words: str, page: str, go: Callable[[str], None]) -> None:
    if st.button(words, key="evidence-offer", type="primary"):
        go(page)
