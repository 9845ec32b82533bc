"""Parts of a page: escaped text, tables with headers, figures with words. One file, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

from alworkbench.report.pictures import Drawing

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
"""The browser itself refuses whatever would leave the page."""


@dataclass(frozen=True, slots=True)
class Html:
    """Markup that is safe to put in a page: everything else is escaped."""

    text: str


Cell = str | Html


def safe(cell: Cell) -> str:
    """The cell as HTML; text is escaped."""
    return cell.text if isinstance(cell, Html) else escape(cell)


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    caption: str,
    numbers_from: int = 1,
) -> str:
    """The first cell of each row is its header; columns from `numbers_from` on are numbers."""

    def kind(column: int) -> str:
        return ' class="number"' if column >= numbers_from else ""

    head = "".join(f'<th scope="col"{kind(i)}>{escape(each)}</th>' for i, each in enumerate(header))
    lines = []
    for first, *others in rows:
        cells = "".join(f"<td{kind(i)}>{safe(each)}</td>" for i, each in enumerate(others, 1))
        lines.append(f'<tr><th scope="row">{safe(first)}</th>{cells}</tr>')
    return (
        f'<div class="wide" tabindex="0" role="region" aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def conditions_table(pairs: Sequence[tuple[str, str]]) -> str:
    """The table of everything that decides the figures."""
    rows = "".join(
        f'<tr><th scope="row">{escape(key)}</th><td>{escape(value)}</td></tr>'
        for key, value in pairs
    )
    return (
        '<div class="wide"><table class="conditions"><caption>Everything that decides the figures'
        f"</caption><tbody>{rows}</tbody></table></div>"
    )


def figure(drawing: Drawing, caption: str) -> str:
    """A picture with its caption."""
    return f"<figure>{drawing.inline}<figcaption>{escape(caption)}</figcaption></figure>"


def folded(summary: str, content: str) -> str:
    """Content that is hidden until its summary is pressed."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def tag(outcome: str) -> Html:
    """An outcome as a coloured label."""
    words = {
        "better": "better",
        "worse": "worse",
        "none": "no difference",
        "untestable": "too few seeds",
    }[outcome]
    return Html(f'<span class="tag {outcome}">{words}</span>')


def small_below(main: str, *small: str) -> Html:
    """A figure with what is known about it in small type below. `main` is markup."""
    return Html(main + "".join(f"<small>{escape(each)}</small>" for each in small))


def labels_cell(words: str, *small: str) -> Html:
    """'48 labels [41, 57]', and in small type how many runs got there and what else is known."""
    main, _, there = words.partition(" (")
    return small_below(escape(main), *([there.removesuffix(")")] if there else []), *small)


def page(title: str, body: Sequence[str]) -> str:
    """A self-contained HTML page."""
    css = files("alworkbench.report").joinpath("page.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{css}</style></head><body><main>"
        + "\n".join(body)
        + "</main></body></html>\n"
    )
