"""The images of a round as small pictures, near-copies marked."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from alworkbench.inputs.rendition import THUMBNAIL
from alworkbench.project.near_copies import NearCopy
from ui.routes.pictures import picture_address
from ui.state import UiState
from ui.views.parts import count

MOST = 100
"""At most so many images are drawn; the gallery shows all."""
_STYLE = """
<style>
.alw-batch { display: grid; grid-template-columns: repeat(auto-fill, minmax(104px, 1fr)); gap: .7rem;
  list-style: none; padding: 0 !important; margin: 0 !important; }
.alw-batch li { min-width: 0; margin: 0 !important; }
.alw-batch img { width: 100%; aspect-ratio: 1; object-fit: contain; display: block; border-radius: .35rem;
  background: color-mix(in srgb, currentColor 7%, transparent); }
.alw-batch .name, .alw-batch .mark { font-size: .78rem; overflow-wrap: anywhere; line-height: 1.45; }
.alw-batch .name { opacity: .72; }
.alw-batch .near img { outline: 2px dashed #b7791f; outline-offset: 2px; }
.alw-batch .mark { font-weight: 600; }
</style>
"""


def round_images(state: UiState, image_ids: Sequence[int], near: Sequence[NearCopy] | None) -> None:
    """Draw images in the order of their batch. `near` None: near-copies were not looked for."""
    shown = list(image_ids[:MOST])
    images = state.workbench.images.some(shown)
    version = state.workbench.images.version()
    place = {image: n + 1 for n, image in enumerate(image_ids)}
    marks: dict[int, list[str]] = {}
    for each in near or ():
        other = "a labelled image" if each.labelled else f"image {place.get(each.of, '?')}"
        marks.setdefault(each.image_id, []).append(other)
    cells = ""
    for image in images:
        name = "/".join(image.paths[0].split("/")[-2:]) if image.paths else image.hash[:12]
        like = marks.get(image.id, [])
        mark = f"Near-copy of {' and '.join(like)}" if like else ""
        address = picture_address(state, image.hash, THUMBNAIL, version=version)
        number = place[image.id]
        cells += (
            f'<li{" class=near" if like else ""}><img loading="lazy" src="{html.escape(address)}" '
            f'alt="Image {number}: {html.escape(name)}">'
            f'<div class="name" title="{html.escape(name)}">{number} · <bdi>{html.escape(name)}</bdi></div>'
            + (
                f'<div class="mark" title="{html.escape(mark)}">{html.escape(mark)}</div>'
                if mark
                else ""
            )
            + "</li>"
        )
    st.html(f'{_STYLE}<ol class="alw-batch" aria-label="Images of the round">{cells}</ol>')
    if len(image_ids) > MOST:
        st.caption(f"The first {MOST} of {len(image_ids):,} images. The gallery shows all.")
    if near is not None:
        st.caption(near_words(near))


def near_words(near: Sequence[NearCopy]) -> str:
    """How many images of a batch are near-copies, and why it matters."""
    within = len({each.image_id for each in near if not each.labelled})
    labelled = len({each.image_id for each in near if each.labelled})
    if not near:
        return "No image looks like another one of the batch or like one with a label."
    found = []
    if within:
        found.append(
            f"{count(within, 'image')} of the batch look{'s' if within == 1 else ''} alike"
        )
    if labelled:
        one = labelled == 1
        found.append(f"{count(labelled, 'image')} look{'s' if one else ''} like one with a label")
    return f"{', and '.join(found)}: the label of a near-copy teaches little."
