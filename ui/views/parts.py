"""Pieces that several pages draw. Names come from users: everything here escapes what it is given."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from ui.unbroken import unbroken

ROW: Any = {
    "horizontal": True,
    "horizontal_alignment": "distribute",
    "vertical_alignment": "center",
}
"""Options of a container whose text stands left and whose button stands right."""
FORM_ROW: Any = {**ROW, "vertical_alignment": "bottom"}
"""The same for a field with its name above it: the button stands beside the field."""

# CommonMark lets every ASCII punctuation mark be escaped; that also disarms Streamlit's own
# directives (:red[...], :material/...:), formulas and emoji codes.
_PUNCTUATION = re.compile(r"([!-/:-@\[-`{-~])")

_STYLE = """
<style>
.alw-eyebrow { font-size: .8rem; letter-spacing: .08em; text-transform: uppercase; opacity: .68; }
.alw-title { font-family: "Source Serif", serif; font-weight: 600; font-size: 2.25rem;
  line-height: 1.15; letter-spacing: -.015em; overflow-wrap: anywhere; margin: .1rem 0 .35rem; }
.alw-lead { opacity: .75; max-width: 46rem; line-height: 1.5; }
.alw-figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 1.5rem 2rem; }
.alw-figure { border-top: 2px solid color-mix(in srgb, currentColor 16%, transparent);
  padding-top: .7rem; }
.alw-figure .value { font-family: "Source Serif", serif; font-size: 1.9rem; font-weight: 600;
  line-height: 1.2; font-variant-numeric: tabular-nums; }
.alw-figure .label { font-size: .88rem; opacity: .72; }
.alw-figure .note { font-size: .84rem; opacity: .72; margin-top: .2rem; line-height: 1.4; }
.alw-bars { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr max-content;
  gap: .5rem 1rem; align-items: center; font-size: .95rem; }
.alw-bars .name { overflow-wrap: anywhere; max-width: 16rem; }
.alw-bars .track { height: .5rem; border-radius: .25rem;
  background: color-mix(in srgb, currentColor 8%, transparent); }
.alw-bars .fill { height: 100%; border-radius: .25rem; background: #2a8f85; }
.alw-bars .value { font-variant-numeric: tabular-nums; text-align: right; opacity: .8; }
.alw-facts { display: grid; grid-template-columns: max-content 1fr; gap: .45rem 1.5rem;
  font-size: .95rem; }
.alw-facts .name { opacity: .72; }
.alw-facts .value { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
/* Streamlit writes the chosen part of a row of choices in the accent, too dark to read on the dark page. */
[data-testid="stButtonGroup"] button[data-selected="true"] p { color: CanvasText; font-weight: 600; }
</style>
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart."""

    name: str
    value: float
    shown: str


def escape_markdown(text: str) -> str:
    """The text so that markdown shows it as it is: no image is fetched, no link is made."""
    return _PUNCTUATION.sub(r"\\\1", unbroken(text))


def escape_html(text: str) -> str:
    """The text so that HTML shows it as it is, with numbers beside their units."""
    return html.escape(unbroken(text))


def with_commands(text: str) -> str:
    """The text as `escape_markdown` writes it, with what stands between two backticks as code."""
    parts = text.split("`")
    if len(parts) % 2 == 0 or not all(parts[1::2]) or "\n" in "".join(parts[1::2]):
        return escape_markdown(text)
    return "".join(
        f"`{part}`" if place % 2 else escape_markdown(part) for place, part in enumerate(parts)
    )


def heading(eyebrow: str, title: str, lead: str = "") -> None:
    """The head of a page."""
    below = f'<div class="alw-lead">{escape_html(lead)}</div>' if lead else ""
    st.html(
        f'{_STYLE}<div class="alw-eyebrow">{html.escape(eyebrow)}</div>'
        f'<div class="alw-title" role="heading" aria-level="1">{html.escape(title)}</div>{below}'
    )


def caption(words: str) -> None:
    """Small words below what they explain, with numbers beside their units."""
    st.caption(unbroken(words))


def figures(shown: Sequence[Figure]) -> None:
    """A row of large numbers."""
    cells = "".join(
        f'<div class="alw-figure"><div class="label">{escape_html(f.label)}</div>'
        f'<div class="value">{escape_html(f.value)}</div>'
        + (f'<div class="note">{escape_html(f.note)}</div>' if f.note else "")
        + "</div>"
        for f in shown
    )
    st.html(f'{_STYLE}<div class="alw-figures">{cells}</div>')


def bars(shown: Sequence[Bar]) -> None:
    """Named amounts as bars; the longest fills the width."""
    longest = max((b.value for b in shown), default=0.0) or 1.0
    rows = "".join(
        f'<div class="name" title="{html.escape(b.name)}">{html.escape(b.name)}</div>'
        f'<div class="track"><div class="fill" style="width:{100 * b.value / longest:.1f}%"></div>'
        f'</div><div class="value">{escape_html(b.shown)}</div>'
        for b in shown
    )
    st.html(f'{_STYLE}<div class="alw-bars">{rows}</div>')


def facts(shown: Sequence[tuple[str, str]]) -> None:
    """Small named facts, one a line."""
    rows = "".join(
        f'<div class="name">{html.escape(name)}</div><div class="value">{escape_html(value)}</div>'
        for name, value in shown
    )
    st.html(f'{_STYLE}<div class="alw-facts">{rows}</div>')


def count(number: int, noun: str, plural: str | None = None) -> str:
    """'1 label', '1,234 labels'."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
