"""Laws of the code for the browser: all of it is served under its version, and imports only what is there."""

from __future__ import annotations

import posixpath
import re

import pytest

from tests.ui.test_routes import Browser
from ui.components.mounting import component
from ui.state import UiState
from ui.web import browser_files, browser_version, style

IMPORT = re.compile(r"""(?:^|\s)(?:import|from)\s+["']([^"']+)["']""")
HERE = f"/alw/modules/{browser_version()}"


@pytest.fixture
def browser(state: UiState) -> Browser:
    return Browser(state)


@pytest.mark.parametrize("path", browser_files())
def test_every_file_is_served_for_good_with_its_type(browser: Browser, path: str) -> None:
    kind = "text/javascript" if path.endswith(".js") else "text/css"
    for version in (browser_version(), f"{browser_version()}-3"):
        reply = browser.call("GET", f"/alw/modules/{version}/{path}", headers={"Origin": None})
        assert reply.status_code == 200
        assert reply.content == browser_files()[path]
        assert reply.headers["content-type"] == f"{kind}; charset=utf-8"
        assert "immutable" in reply.headers["cache-control"]


@pytest.mark.parametrize(
    "path",
    [
        f"/alw/modules/{'0' * 16}/desk/desk.js",
        f"/alw/modules/{browser_version()}-/desk/desk.js",
        f"/alw/modules/{browser_version()}x/desk/desk.js",
        f"{HERE}/__init__.py",
        f"{HERE}/desk",
        f"{HERE}/desk/desk.js/",
        f"{HERE}/desk/%2e%2e/__init__.py",
        f"{HERE}//etc/passwd",
    ],
)
def test_nothing_else_is_served(browser: Browser, path: str) -> None:
    reply = browser.call("GET", path)
    assert reply.status_code in (400, 404)
    assert reply.json()["refused"] is True


@pytest.mark.parametrize("path", [name for name in browser_files() if name.endswith(".js")])
def test_modules_import_by_relative_paths_that_exist(path: str) -> None:
    for imported in IMPORT.findall(browser_files()[path].decode()):
        assert imported.startswith("."), imported
        assert (
            posixpath.normpath(posixpath.join(posixpath.dirname(path), imported)) in browser_files()
        )


def test_no_module_is_longer_than_300_lines() -> None:
    modules = {path: text for path, text in browser_files().items() if path.endswith(".js")}
    assert [path for path, text in modules.items() if text.count(b"\n") > 300] == []


def test_a_component_has_the_shared_style_its_own_and_no_other() -> None:
    assert style("shared", "desk").startswith(browser_files()["shared/look.css"].decode())
    assert browser_files()["desk/desk.css"].decode() in style("shared", "desk")
    assert style("nowhere") == ""
    assert component("of-a-test", "desk/desk.js").entry in browser_files()
