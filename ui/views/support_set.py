"""The page of support sets: k labelled images for each class, chosen for a target, kept and checked."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlencode

import streamlit as st

from alworkbench.core.domain import JobKind
from alworkbench.core.errors import InvalidSupportManifest
from alworkbench.inputs.rendition import THUMBNAIL
from alworkbench.project.kept_supports import FORMS, KeptSupport, SupportOrder, kept_supports
from alworkbench.project.kept_targets import saved_targets
from alworkbench.project.support_sets import Order
from ui.routes.pictures import picture_address
from ui.state import UiState
from ui.views.parts import count, escape_markdown, heading, with_commands
from ui.views.side_job import side_job
from ui.views.support_check import support_check
from ui.views.work import asked_by

MOST_PER_CLASS = 1000
SHOWN = 12
"""Pictures of a class that are shown; the files have all of them."""
_ORDERS = {
    Order.NEAREST: "nearest to the target",
    Order.ASKED: "asked first",
}
_POOL, _FOLDER = "the pool itself", "a folder on the server"
_WORDS = {"zip": "With pictures (zip)", "json": "Manifest (JSON)", "csv": "Manifest (CSV)"}
_STYLE = """
<style>
.alw-support { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr));
  gap: .5rem; margin: 0 0 1rem; padding: 0; list-style: none; }
.alw-support img { width: 100%; aspect-ratio: 1; object-fit: contain; border-radius: .3rem;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.alw-support li { font-size: .8rem; font-variant-numeric: tabular-nums; }
.alw-support-class { margin: .9rem 0 .35rem; font-weight: 600; overflow-wrap: anywhere; }
</style>
"""


def render(state: UiState, go: Callable[[str], None]) -> None:
    """Draw the page."""
    left, right = st.columns([3, 1], vertical_alignment="bottom")
    with left:
        heading(
            "Support set",
            "A few labelled images of every class",
            "For few-shot models: k images of each class that represent a target, with a manifest.",
        )
    status = state.workbench.status()
    if not status.labels:
        st.info("No image of the pool has a label yet. Label images first.")
        if st.button("Label images", type="primary", key="support-label"):
            go("label")
        return
    job = state.jobs.newest(JobKind.GROUP)
    order = _form(state)
    with right, st.container(horizontal_alignment="right"):
        if st.button(
            "Choose images",
            type="primary",
            key="support-choose",
            disabled=order is None or (job is not None and job.running),
        ):
            given = {"do": "support", "order": order.model_dump(mode="json") if order else {}}
            title = f"choose {order.per_class if order else 0} images per class"
            state.jobs.start(JobKind.GROUP, title, asked_by(state), given)
            st.rerun()
    side_job(state, JobKind.GROUP)
    names = {each.name: each for each in kept_supports(state.workbench.session.folder)}
    if not names:
        st.info("No support set was chosen yet. Choose images: they are shown here.")
    else:
        st.header("Chosen sets", anchor=False)
        name = st.selectbox(
            "Set", list(names), format_func=lambda each: set_title(names[each]), key="support-set"
        )
        _show(state, names[name])
    support_check(state, names, set_title, busy=job is not None and job.running)


def _form(state: UiState) -> SupportOrder | None:
    left, middle, right = st.columns(3)
    per_class = left.number_input(
        "Images per class", 1, MOST_PER_CLASS, 5, 1, key="support-per-class"
    )
    chosen = middle.selectbox(
        "Which images",
        list(Order),
        format_func=_ORDERS.__getitem__,
        key="support-order",
        help="Those that represent the target best, or the first labels of each class.",
    )
    places = [_POOL, *saved_targets(state.workbench.session.folder), _FOLDER]
    place = right.selectbox("Target", places, key="support-target")
    target = None if place == _POOL else place
    if place == _FOLDER:
        target = st.text_input(
            "Folder of target images",
            key="support-folder",
            placeholder="/data/sketches",
            help="The whole path. Its images are encoded and kept as a target set.",
        ).strip()
        if not Path(target).is_absolute():
            st.caption("Give the whole path of the folder.")
            return None
    return SupportOrder(
        per_class=int(per_class), order=Order(chosen or Order.NEAREST), target=target
    )


def set_title(kept: KeptSupport) -> str:
    """What tells a set from the others: two of one minute differ in their seconds."""
    target = kept.targets or "the pool"
    return (
        f"{kept.at:%Y-%m-%d %H:%M:%S} UTC: {kept.order.per_class} per class, {kept.order.order.value}, "
        f"for {target}, by {kept.by}"
    )


def _show(state: UiState, kept: KeptSupport) -> None:
    try:
        manifest = kept.manifest()
    except InvalidSupportManifest as damaged:
        st.error(with_commands(str(damaged)))
        return
    images = sum(map(len, manifest.images.values()))
    words = f"{count(images, 'image')} of {count(len(manifest.classes), 'class', 'classes')}."
    if manifest.calibration:
        words += f" Probabilities: {manifest.calibration}."
    st.write(escape_markdown(words))
    if manifest.missing:
        short = ", ".join(f"{name} {number}" for name, number in manifest.missing.items())
        st.warning(escape_markdown(f"These classes need more labels: {short}."))
    with st.container(horizontal=True):
        for form in FORMS:
            query = urlencode({"name": kept.name, "form": form})
            st.link_button(_WORDS[form], f"{state.routes}/support?{query}", key=f"support-{form}")
    version = state.workbench.images.version()
    parts = [_STYLE]
    for name in manifest.classes:
        own = manifest.images[name]
        lacks = manifest.missing.get(name, 0)
        more = len(own) - SHOWN
        note = f" · {lacks} missing" if lacks else ""
        note += f" · {more} more in the files" if more > 0 else ""
        parts.append(
            f'<div class="alw-support-class" role="heading" aria-level="3"><bdi>{html.escape(name)}</bdi>'
            f"{note}</div>"
        )
        cells = "".join(_cell(state, each, name, version) for each in own[:SHOWN])
        parts.append(f'<ul class="alw-support">{cells}</ul>' if own else "")
    st.html("".join(parts))


def _cell(state: UiState, image: Mapping[str, object], name: str, version: str) -> str:
    address = picture_address(state, str(image["sha256"]), THUMBNAIL, version=version)
    distance = image["distance"]
    said = f"{image['rank']}" + ("" if distance is None else f" · {float(str(distance)):.3g}")
    words = f"{name}, rank {image['rank']}"
    return (
        f'<li><img src="{html.escape(address)}" alt="{html.escape(words)}" loading="lazy" '
        f'title="{html.escape(str(image["path"]))}">{said}</li>'
    )
