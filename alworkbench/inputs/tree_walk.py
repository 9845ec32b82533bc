"""Files below a folder, in the order of their names, and what becomes of links among them.

A link to a file inside of the folder is read under the name of the link. A link to a folder inside is
skipped, because the files of that folder are read at their own place. Links that lead out of the folder are
refused, since an untrusted folder must not name files of this machine. With `follow_links` they are followed,
as in folders of DVC, git-annex and DataLad, whose files are links to a cache. Each real folder is then read
once, however many links lead to it, so that the walk ends. A link to a folder that it is in is a loop.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from alworkbench.core.errors import UnreadableSource
from alworkbench.core.names import fault_of_name, shown, tidy_name
from alworkbench.inputs.formats import suffixes

LOOP = "a link that leads to itself"
OUTSIDE = "a link that leads out of the folder (`--follow-links` reads what it leads to)"
FOLDER_LINK = "link to a folder"
"""Why a link is skipped whose files are read at another place."""
MOST_DEEP = 200
"""Folders inside one another that are entered; Python itself allows no more than about 1,000 calls."""
Identity = tuple[int, int]
"""Device and inode: equal for all names of one folder."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to inspect, or one that is refused without opening it (`refusal` says why)."""

    path: str
    """Relative to the root, forward slashes."""
    class_name: str | None = None
    split: str | None = None
    hash: str | None = None
    """The SHA-256 that the manifest gives."""
    refusal: str | None = None


def walk(root: Path, *, labelled: bool, follow_links: bool) -> Iterator[Candidate | str]:
    """Every file below the root, depth first by name; a text says why one is skipped.

    With `labelled`, the name of the folder that holds a file is its class (except for the root). Raises
    UnreadableSource where the root cannot be read.
    """
    yield from _Walk(root, root.resolve(), labelled, follow_links).descend(root, "", ())


def within(path: Path, root: Path) -> bool:
    """Whether a path stays below a resolved root after all links. A loop raises RuntimeError or OSError."""
    return path.resolve().is_relative_to(root)


@dataclass(frozen=True, slots=True)
class _Walk:
    root: Path
    real_root: Path
    labelled: bool
    follow_links: bool
    entered: set[Identity] = field(default_factory=set)

    def descend(
        self, folder: Path, prefix: str, above: tuple[Identity, ...]
    ) -> Iterator[Candidate | str]:
        """`prefix` is the path of the folder with a slash; `above` are the folders that it is in."""
        if len(above) > MOST_DEEP:
            deep = f"it lies more than {MOST_DEEP} folders deep"
            yield Candidate(shown(prefix.rstrip("/"))[:200], refusal=deep)
            return
        try:
            here = _identity(folder)
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise UnreadableSource(
                    f"{self.root} cannot be read: {error.strerror}. Allow reading with `chmod +r`, "
                    f"then run `alworkbench import {self.root}` again."
                ) from error
            refusal = f"the folder cannot be read: {error.strerror}"
            yield Candidate(shown(prefix.rstrip("/")), refusal=refusal)
            return
        if here in self.entered and self.follow_links:
            path = shown(prefix.rstrip("/"))
            yield Candidate(path, refusal=LOOP) if here in above else FOLDER_LINK
            return
        self.entered.add(here)
        class_name = tidy_name(folder.name) if self.labelled and prefix else None
        for entry in entries:
            path = prefix + entry.name
            if entry.name.startswith("."):
                yield "hidden"
            elif entry.is_symlink():
                yield from self._linked(entry, path, class_name, (*above, here))
            elif entry.is_dir():
                yield from self.descend(Path(entry.path), path + "/", (*above, here))
            else:
                yield _file(entry, path, class_name)

    def _linked(
        self,
        entry: os.DirEntry[str],
        path: str,
        class_name: str | None,
        above: tuple[Identity, ...],
    ) -> Iterator[Candidate | str]:
        try:
            target = Path(entry.path).resolve()
        except (OSError, RuntimeError):  # Python 3.13 and newer raise OSError, older RuntimeError
            yield Candidate(shown(path), refusal=LOOP)
            return
        inside, is_folder = target.is_relative_to(self.real_root), target.is_dir()
        if is_folder and inside:
            looped = self.follow_links and _identity(target) in above
            yield Candidate(shown(path), refusal=LOOP) if looped else FOLDER_LINK
        elif is_folder and self.follow_links:
            yield from self.descend(Path(entry.path), path + "/", above)
        elif inside or self.follow_links:
            yield _file(entry, path, class_name)
        elif is_folder or _suffix(entry) in suffixes():
            yield Candidate(shown(path), refusal=OUTSIDE)
        else:
            yield _skipped(entry)


def _identity(folder: Path) -> Identity:
    status = folder.stat()
    return status.st_dev, status.st_ino


def _file(entry: os.DirEntry[str], path: str, class_name: str | None) -> Candidate | str:
    if _suffix(entry) not in suffixes():
        return _skipped(entry)
    fault = fault_of_name(path)
    if fault is not None:
        return Candidate(shown(path), refusal=f"its path {fault}: rename it")
    return Candidate(path, class_name)


def _suffix(entry: os.DirEntry[str]) -> str:
    return Path(entry.name).suffix.lower()


def _skipped(entry: os.DirEntry[str]) -> str:
    return shown(_suffix(entry)) or "without suffix"
