"""How a component of ours comes onto a page of Streamlit: a small loader fetches its modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ui.projects import Projects
from ui.state import PREFIX, UiState
from ui.web import browser_version, modules, style

_LOADER = Path(__file__).with_name("loader.js").read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Component:
    """A component that a page can draw."""

    name: str
    entry: str
    folders: tuple[str, ...]
    _mount: Callable[..., Any]

    def draw(
        self, where: UiState | Projects, data: Mapping[str, Any], **events: Callable[[], None]
    ) -> None:
        """Draw it here, on a page of a project or of all.

        `data` is what its `mount` and `update` receive, as JSON.

        An event that the browser triggers, `on_NAME_change`, runs the page again after its function. The key
        is the same on every rerun, so what is on screen stays mounted.
        """
        code = {
            "modules": f"{where.base}{PREFIX}/modules",
            "version": browser_version(),
            "entry": self.entry,
            "files": modules(*self.folders),
        }
        self._mount(key=self.name, data={"code": code, "given": dict(data)}, **events)


def component(name: str, entry: str, *folders: str) -> Component:
    """The component whose code is the module `entry` below `ui/web`.

    Its styles are those of `shared/`, of the folder of the module, and of more `folders`. The modules of all
    these folders are fetched at once.
    """
    all_folders = ("shared", Path(entry).parent.as_posix(), *folders)
    mount = st.components.v2.component(
        f"alworkbench_{name}",
        html=f'<div class="alw" data-component="{name}"></div>',
        css=style(*all_folders),
        js=_LOADER,
    )
    return Component(name, entry, all_folders, mount)
