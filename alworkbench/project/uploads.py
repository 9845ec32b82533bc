"""Files that people send to the server: stored below the project folder, and imported from there.

The files of one upload lie in a new folder below `images`. It appears whole, or not at all. A file keeps its
name as far as every disk can hold it; names that would meet get a number.
"""

from __future__ import annotations

import re
import secrets
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from io import BufferedIOBase
from pathlib import Path, PurePosixPath

from alworkbench.core.atomic_files import atomic_folder
from alworkbench.core.errors import NothingToImport
from alworkbench.inputs.archives import ARCHIVE_SUFFIXES
from alworkbench.project.session import Session, portable

PREFIX = "upload-"
_FOLDER = re.compile(rf"{PREFIX}\d{{8}}-\d{{6}}-[0-9a-f]{{6}}")
"""The name of the folder of an upload: date, time and a random part."""
MOST_BYTES = 200
"""Of a name; file systems hold 255, and drafts have longer names."""
LONGEST_ENDING = 20
TABLES = (".csv", ".json", ".jsonl", ".parquet", ".npz")
"""Endings of a file that is a source alone, like an archive."""
_RESERVED = frozenset('<>:"/\\|?*')
"""Characters that a file system takes for something else."""
_DEVICES = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\.|$)")


class Uploads:
    """What was sent to the server and lies in the project folder."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def keep(self, files: Iterable[tuple[str, BufferedIOBase]]) -> Path:
        """Store the files (name, content) of one upload, and return what to import.

        That is their folder, or the file where there is one that is a source alone. Raises NothingToImport
        without files, and OutputUnwritable where the disk is full: nothing stays then.
        """
        given = list(files)
        if not given:
            raise NothingToImport("No file was sent. Choose files, or name a folder on the server.")
        images = self._session.folder.images
        images.mkdir(parents=True, exist_ok=True)
        stamp = f"{self._session.now():%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        folder = images / f"{PREFIX}{stamp}"
        places = free_places([name for name, _ in given])
        with atomic_folder(folder) as draft:
            for place, (_, stream) in zip(places, given, strict=True):
                (draft / place).parent.mkdir(parents=True, exist_ok=True)
                with (draft / place).open("xb") as target:
                    shutil.copyfileobj(stream, target)
        alone = len(places) == 1 and places[0].name.lower().endswith((*ARCHIVE_SUFFIXES, *TABLES))
        return folder / places[0] if alone else folder

    def has(self, location: Path) -> bool:
        """Whether this is an upload, or lies in one."""
        return self._folder_of(location) is not None

    def used(self, location: Path) -> None:
        """Delete an upload of a single file (an archive, a table, features) that was imported.

        A file that was sent with others stays: the others may be pictures that it names.
        """
        folder = self._folder_of(location)
        if folder is not None and location.is_file() and len(list(folder.iterdir())) == 1:
            self.discard(location)

    def discard(self, location: Path) -> bool:
        """Delete an upload that no image of the project lies in; False where nothing was deleted."""
        folder = self._folder_of(location)
        if folder is None:
            return False
        below = f"{portable(self._session.folder, folder)}/"
        with self._session.store.read() as reader:
            if any(file.path.startswith(below) for file in reader.images.files()):
                return False
        shutil.rmtree(folder, ignore_errors=True)
        return True

    def _folder_of(self, location: Path) -> Path | None:
        """The folder of the upload that this is, or in which this file lies; None for any other place."""
        images, found = self._session.folder.images.resolve(), location.resolve()
        for each in (found, found.parent):
            if each.parent == images and _FOLDER.fullmatch(each.name) and each.is_dir():
                return each
        return None


def free_places(names: Sequence[str]) -> list[PurePosixPath]:
    """Where the files of an upload lie in its folder, each at a place of its own.

    A folder that is sent whole keeps its inner folders, since their names may be classes. The folder around
    everything is left out. The ending of a name stays, since it says what a file is.
    """
    split = [[p for p in re.split(r"[/\\]", name) if p not in ("", ".", "..")] for name in names]
    around = {parts[0] for parts in split if parts}
    if len(around) == 1 and all(len(parts) > 1 for parts in split):
        split = [parts[1:] for parts in split]
    taken: set[str] = set()
    found = []
    for parts in split:
        folder = PurePosixPath(*(_numbered(part, 1) for part in parts[:-1]))
        number = 0
        place = None
        while place is None or place.as_posix().casefold() in taken:
            number += 1
            place = folder / _numbered(parts[-1] if parts else "", number)
        taken.add(place.as_posix().casefold())
        found.append(place)
    return found


def _numbered(name: str, number: int) -> str:
    """The name as every file system can hold it, with a number from 2 on before its ending."""
    text = unicodedata.normalize("NFC", name).encode(errors="replace").decode()
    # What is not printable may turn the direction of a text, or hide in a terminal.
    whole = "".join(c if c.isprintable() and c not in _RESERVED else "_" for c in text)
    plain = whole.strip(" .") or "file"
    if _DEVICES.match(plain):
        plain = f"_{plain}"
    suffix = PurePosixPath(plain).suffix
    suffix = suffix if len(suffix.encode()) <= LONGEST_ENDING else ""
    more = f" ({number})" if number > 1 else ""
    room = MOST_BYTES - len((more + suffix).encode())
    stem = plain[: len(plain) - len(suffix)].encode()[:room].decode(errors="ignore").rstrip(" .")
    return f"{stem or 'file'}{more}{suffix}"
