"""Folders of projects in a home folder: which there are, and where a new one goes."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import InvalidProjectName
from alworkbench.core.names import fault_of_given_name, tidy_name

LONGEST_NAME = 60
"""Characters of the name of a project, so that its folder has a name that every disk takes."""
_NOT_IN_FOLDERS = re.compile(r'[<>:"/\\|?*]+')
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)

_log = logging.getLogger(__name__)


def projects_in(home: Path) -> list[Path]:
    """The direct subfolders of `home` that hold a project, by name. Hidden folders are left out.

    A project with several names is given once: by the name of its folder, or else by the first of its links.
    A subfolder that cannot be read is left out, and the log says so. Raises OSError where `home` cannot be
    read.
    """
    found: dict[Path, Path] = {}
    names = [each for each in sorted(home.iterdir()) if not each.name.startswith(".")]
    for folder in sorted(names, key=Path.is_symlink):
        try:
            if ProjectFolder(folder).holds_project:
                found.setdefault(folder.resolve(), folder)
        except OSError as error:
            _log.warning("a folder of the home folder cannot be read: %s", error)
    return sorted(found.values())


def new_folder(home: Path, name: str) -> Path:
    """The folder of a new project with this name. Nothing is made.

    Characters that no folder may have become hyphens. Raises InvalidProjectName for a name that is empty, too
    long or taken.
    """
    if (fault := fault_of_given_name(name)) is not None:
        raise InvalidProjectName(name, fault)
    tidy = " ".join(tidy_name(name).split())
    if len(tidy) > LONGEST_NAME:
        raise InvalidProjectName(
            name, f"has {len(tidy)} characters, and {LONGEST_NAME} are allowed"
        )
    plain = _NOT_IN_FOLDERS.sub("-", tidy).strip(" .-")
    if not plain:
        raise InvalidProjectName(name, "is empty, or has no letter or digit")
    if _RESERVED.fullmatch(plain):
        raise InvalidProjectName(name, "is a name that some systems keep for devices")
    taken = {each.name.casefold() for each in home.iterdir()}
    if plain.casefold() in taken:
        raise InvalidProjectName(name, f"is taken: there is a folder {plain!r} already")
    return home / plain
