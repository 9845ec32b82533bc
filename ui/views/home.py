"""The home page: the projects that a person may enter, what waits in each, and a new one."""

from __future__ import annotations

import html
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

import streamlit as st

from alworkbench.core.domain import PersonRole
from alworkbench.core.errors import WorkbenchError
from alworkbench.project.overview import Overview, Step, read_overview
from ui.door.visitor import person_here
from ui.projects import Projects
from ui.served import Served
from ui.state import PREFIX, page_address
from ui.views.here import Here, open_to_guests
from ui.views.new_project import LEAVE, new_project
from ui.views.parts import ROW, count, escape_markdown, heading

__all__ = ["LEAVE", "draw_home"]

_STYLE = """
<style>
.alw-cards { display: grid; gap: 1.25rem;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); }
.alw-card { display: flex; flex-direction: column; gap: .55rem; padding: 1.1rem 1.25rem 1.2rem;
  border: 1px solid color-mix(in srgb, currentColor 18%, transparent); border-radius: .75rem; }
.alw-cards .alw-card h2 { font-family: "Source Serif", serif; font-size: 1.35rem; line-height: 1.25;
  margin: 0; padding: 0; overflow-wrap: anywhere; }
.alw-card .part { display: inline-block; }
.alw-card p { margin: 0; line-height: 1.45; overflow-wrap: anywhere; }
.alw-card .next { font-weight: 600; }
.alw-card .small { font-size: .88rem; opacity: .75; font-variant-numeric: tabular-nums; }
.alw-card .acts { display: flex; flex-wrap: wrap; gap: .6rem; margin-top: auto; padding-top: .4rem; }
.alw-card .acts a { padding: .4rem .9rem; border-radius: .5rem; text-decoration: none; color: inherit;
  border: 1px solid color-mix(in srgb, currentColor 30%, transparent); }
.alw-card .acts a.first { border-color: currentColor; color: light-dark(#0f6e66, #6cc5ba); font-weight: 600; }
/* With several projects, none of them is the main action of the page. */
.alw-card:only-child .acts a.first { background: light-dark(#0f6e66, #26837a); border-color: transparent;
  color: #fff; }
.alw-card .acts a:hover { border-color: currentColor; }
.alw-card .acts a:focus-visible { outline: 3px solid #2a8f85; outline-offset: 2px; }
</style>
"""


def draw_home(projects: Projects, shows: Here) -> None:
    """Draw the page."""
    others = [] if shows.guest is None else open_to_guests(projects, shows.signed_in)
    own = [each for each in projects.all() if each in shows.signed_in or each in others]
    manages = [each for each in shows.signed_in if _manages(each)]
    may_make = projects.home is not None and (bool(manages) or shows.guest is not None)
    with st.container(**ROW):
        with st.container(width="content"):
            heading("Home", "Projects" if len(own) != 1 else "Your project")
        chief: Any = "secondary" if own else "primary"  # each project has its own next step
        if may_make and st.button("New project", type=chief, key="new-project"):
            new_project(projects, manages)
    if own:
        now = projects.now()
        cards = "".join(_card(projects, each, shows.guest, now) for each in own)
        st.html(f'{_STYLE}<div class="alw-cards">{cards}</div>')
    elif may_make:
        st.info("There is no project yet. Make the first one with `New project`.")
    else:
        st.info("There is no project for you here yet. A manager makes one, or adds you to one.")
    if shows.guest is not None:
        _with_passwords(projects, own)
    if manages or shows.guest is not None:
        _troubles(projects)


def _manages(project: Served) -> bool:
    person = person_here(project.state())
    return person is not None and person.role.includes(PersonRole.MANAGER)


def _card(projects: Projects, project: Served, guest: str | None, now: datetime) -> str:
    """The card of a project as HTML."""
    state = project.state()
    person = person_here(state)
    name, role = (guest or "", PersonRole.MANAGER) if person is None else (person.name, person.role)
    try:
        seen = read_overview(state.workbench.session, name, role)
    except WorkbenchError as error:
        words = html.escape(str(error))
        return f'<article class="alw-card"><h2>{_bdi(project.folder.name)}</h2><p>{words}</p></article>'
    lines = [f"<h2>{_bdi(seen.name)}</h2>"]
    lines += [
        f'<p class="{"next" if n == 0 else "then"}">{html.escape(step.words)}</p>'
        for n, step in enumerate(seen.steps)
    ]
    lines += [f"<p>Now: {html.escape(each)}.</p>" for each in seen.running]
    if seen.name != project.folder.name:  # two projects may have one name
        lines.append(f'<p class="small">Folder {_bdi(project.folder.name)}</p>')
    lines.append(f'<p class="small">{_figures(seen)}</p>')
    lines.append(f'<p class="small">{_activity(seen, now)} · {html.escape(role.value)}</p>')
    lines.append(f'<div class="acts">{_links(projects, project, seen)}</div>')
    return f'<article class="alw-card">{"".join(lines)}</article>'


def _figures(seen: Overview) -> str:
    audit = f" and {seen.audit_images:,} of the audit set" if seen.audit_images else ""
    parts = (
        f"{count(seen.images, 'image')}{audit}",
        count(seen.classes, "class", "classes"),
        count(seen.answers, "answer"),
        count(seen.rounds_closed, "closed round"),
    )
    return " · ".join(f'<span class="part">{each}</span>' for each in parts)


def _activity(seen: Overview, now: datetime) -> str:
    if seen.last_activity is None:
        return "Nothing happened yet"
    exact = f"{seen.last_activity:%Y-%m-%d %H:%M} UTC"
    return f'Last activity <time title="{exact}">{ago(seen.last_activity, now)}</time>'


def ago(at: datetime, now: datetime) -> str:
    """How long ago, in the largest unit that fits: `just now`, `5 minutes ago`, `3 days ago`."""
    seconds = max(0, int((now - at).total_seconds()))
    for size, noun in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{count(seconds // size, noun)} ago"
    return "just now"


def _links(projects: Projects, project: Served, seen: Overview) -> str:
    """The next step first. Each link loads a new page, so that nothing of another project is left in it."""
    steps = [each for each in seen.steps if each.page is not None]
    links = [
        _link(projects, project, each, seen.name, first=n == 0) for n, each in enumerate(steps)
    ]
    address = html.escape(page_address(projects.base, "", project.key))
    label = html.escape(f"Open {seen.name}")
    kind = "first" if not steps else "more"
    links.append(f'<a class="{kind}" href="{address}" target="_self" aria-label="{label}">Open</a>')
    return "".join(links)


def _link(projects: Projects, project: Served, step: Step, name: str, *, first: bool) -> str:
    address = html.escape(page_address(projects.base, step.page or "", project.key))
    act = html.escape(step.act or "")
    label = html.escape(f"{step.act}: {name}")
    return (
        f'<a class="{"first" if first else "more"}" href="{address}" target="_self" '
        f'aria-label="{label}">{act}</a>'
    )


def _bdi(text: str) -> str:
    return f"<bdi>{html.escape(text)}</bdi>"


def _with_passwords(projects: Projects, own: Sequence[Served]) -> None:
    """The projects that a guest does not see above, and the way into each."""
    others = [each for each in projects.with_passwords() if each not in own]
    if not others:
        return
    st.info(
        f"{count(len(others), 'project')} {'is' if len(others) == 1 else 'are'} not shown above, because "
        f"people have passwords there. Sign in with your name and password there to open "
        f"{'it' if len(others) == 1 else 'one'}."
    )
    links = "".join(f"<li>{_sign_in(projects, each)}</li>" for each in others)
    st.html(f"<ul>{links}</ul>")


def _sign_in(projects: Projects, project: Served) -> str:
    wanted = quote(page_address(projects.base, "", project.key), safe="/")
    address = html.escape(f"{projects.base}{PREFIX}/door?next={wanted}")
    return f'<a href="{address}" target="_self">Sign in to {_bdi(project.folder.name)}</a>'


def _troubles(projects: Projects) -> None:
    """Projects that cannot be opened, each with its reason. For people who may do something about it."""
    for each in projects.all():
        trouble = each.trouble()
        if trouble is not None:
            st.warning(escape_markdown(trouble), title=escape_markdown(each.folder.name))
