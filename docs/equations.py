"""A hook of mkdocs: equations in LaTeX become MathML when the site is built.

Browsers draw MathML themselves, so that a page needs no script and no other host.
"""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

EQUATION = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
"""What the Markdown extension arithmatex makes of `$...$` (a span) and of `$$...$$` (a div)."""


def on_page_content(content: str, **_: Any) -> str:
    """The page with its equations as MathML. Raises ValueError for a command that is not known."""

    def as_mathml(found: re.Match[str]) -> str:
        display = "inline" if found[2] == "(" else "block"
        mathml = convert(html.unescape(found[3]).strip(), display=display)
        if unknown := re.search(r"\\\w+", mathml):
            raise ValueError(f"{unknown[0]} cannot be drawn, in the equation {found[3]}")
        return mathml

    return EQUATION.sub(as_mathml, content)
