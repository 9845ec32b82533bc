"""Errors as tables whose cells lead to their images: the most frequent pairs, and a confusion matrix."""

from __future__ import annotations

import html
from collections.abc import Sequence

import streamlit as st

from alworkbench.evaluation.confusions import Confusion, Confusions
from alworkbench.project.image_query import EvidenceSet
from ui.state import UiState
from ui.views.gallery import address_of
from ui.views.parts import count

_STYLE = """
<style>
.alw-scroll { overflow-x: auto; max-width: 100%; }
.alw-errors { border-collapse: separate; border-spacing: 2px; font-size: .92rem;
  font-variant-numeric: tabular-nums; }
.alw-errors a { display: block; color: inherit; text-decoration: none; padding: .3rem .5rem;
  border-radius: 6px; min-width: 1.4rem; text-align: center; }
.alw-errors a:hover, .alw-errors a:focus-visible { outline: 2px solid #2a8f85; text-decoration: underline; }
.alw-errors td { padding: 0; border-radius: 6px; text-align: center; }
.alw-errors th { font-weight: 500; text-align: left; padding: .2rem .5rem; }
.alw-errors thead th { vertical-align: bottom; }
.alw-errors thead th span { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 9rem;
  overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.alw-errors tbody th { position: sticky; left: 0; max-width: 12rem; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; backdrop-filter: blur(12px); }
.alw-errors .none { opacity: .35; padding: .3rem .5rem; }
.alw-pairs { border-collapse: collapse; font-size: .95rem; font-variant-numeric: tabular-nums; }
.alw-pairs th { text-align: left; font-weight: 500; opacity: .72; padding: .25rem 1.5rem .25rem 0; }
.alw-pairs td { padding: .25rem 1.5rem .25rem 0; overflow-wrap: anywhere; }
.alw-pairs a { color: inherit; text-decoration: underline; text-underline-offset: .2em; }
.alw-pairs td.number { text-align: right; }
.alw-pairs tr + tr td { border-top: 1px solid color-mix(in srgb, currentColor 10%, transparent); }
</style>
"""
_RIGHT, _WRONG = "#2a8f85", "#c4682b"
_DEEPEST = 55
"""Percent of the colour in the fullest cell: text stays legible on it."""


def pairs(state: UiState, shown: Sequence[Confusion], source: EvidenceSet) -> None:
    """The most frequent errors; each line leads to its images in the gallery."""
    rows = "".join(
        f"<tr><td><bdi>{html.escape(each.label)}</bdi></td><td><bdi>{html.escape(each.predicted)}</bdi></td>"
        f'<td class="number">{_link(state, source, each.label, each.predicted, each.images, "Show ")}</td>'
        f'<td class="number">{each.of:,}</td></tr>'
        for each in shown
    )
    st.html(
        f'{_STYLE}<div class="alw-scroll"><table class="alw-pairs"><thead><tr><th scope="col">Label</th>'
        '<th scope="col">Predicted</th><th scope="col">Images</th>'
        f'<th scope="col">Of all with this label</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def matrix(state: UiState, found: Confusions, source: EvidenceSet) -> None:
    """Labels (rows) against predictions (columns); each number leads to its images in the gallery."""
    names = found.classes
    head = "".join(f'<th scope="col"><span><bdi>{html.escape(n)}</bdi></span></th>' for n in names)
    totals = found.counts.sum(axis=1)
    rows = []
    for i, label in enumerate(names):
        cells = "".join(
            _cell(state, source, label, said, int(found.counts[i, j]), int(totals[i]))
            for j, said in enumerate(names)
        )
        title = html.escape(label)
        rows.append(f'<tr><th scope="row" title="{title}"><bdi>{title}</bdi></th>{cells}</tr>')
    st.html(
        f'{_STYLE}<div class="alw-scroll" tabindex="0" role="group" aria-label="Confusion matrix">'
        '<table class="alw-errors"><thead><tr><th scope="col">label ↓ &nbsp; predicted →</th>'
        f"{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(
    state: UiState, source: EvidenceSet, label: str, said: str, images: int, total: int
) -> str:
    if images == 0:
        return '<td><div class="none">·</div></td>'
    depth = round(8 + (_DEEPEST - 8) * images / total)
    colour = _RIGHT if label == said else _WRONG
    ground = f"background:color-mix(in srgb,{colour} {depth}%,transparent)"
    return f'<td style="{ground}">{_link(state, source, label, said, images)}</td>'


def _link(
    state: UiState, source: EvidenceSet, label: str, said: str, images: int, before: str = ""
) -> str:
    address = html.escape(address_of(state, source, label, said))
    name = html.escape(f"{before}{count(images, 'image')} labelled {label}, predicted {said}")
    return f'<a href="{address}" target="_self" aria-label="{name}">{before}{images:,}</a>'
