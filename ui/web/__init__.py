"""The code of our components for the browser: ES modules and their styles, without a build step.

`shared/` holds what all of them use, each other folder one component. The modules import each other by
relative paths, so all components of a page share one instance of each.
"""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from types import MappingProxyType

MEDIA_TYPES = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
_HERE = Path(__file__).parent


@cache
def browser_files() -> MappingProxyType[str, bytes]:
    """Path below this folder, like `desk/desk.js` -> content, in the order of the paths."""
    found = {
        path.relative_to(_HERE).as_posix(): path.read_bytes()
        for path in sorted(_HERE.rglob("*"))
        if path.suffix in MEDIA_TYPES
    }
    return MappingProxyType(found)


@cache
def browser_version() -> str:
    """16 hexadecimal digits of a hash over all files: another version has other addresses."""
    digest = hashlib.sha256()
    for path, content in browser_files().items():
        for part in (path.encode(), content):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def style(*folders: str) -> str:
    """The styles of these folders, one after another."""
    return "\n".join(browser_files()[path].decode() for path in _below(folders, ".css"))


def modules(*folders: str) -> list[str]:
    """The paths of the modules of these folders."""
    return _below(folders, ".js")


def _below(folders: tuple[str, ...], suffix: str) -> list[str]:
    return [
        path
        for folder in folders
        for path in browser_files()
        if path.startswith(f"{folder}/") and path.endswith(suffix)
    ]
