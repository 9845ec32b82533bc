"""The files of a project's images: still there, and still with the content that was imported?

An image is known by the content of its file. A file that was overwritten shows another picture than the one
that was labelled or encoded, so it must not be asked about. The cheap check compares size and modification
time, and reads a file only where the time differs; the full check reads every file.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path

from alworkbench.core.domain import ImageFile, ProjectFolder, Role
from alworkbench.core.ports import Reader
from alworkbench.core.prefetch import prefetch
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.picture import hash_file
from alworkbench.project.session import Session, resolve

THREADS = 8
"""Files that are looked at at once: on a network file system each look is a journey."""
FEW = 10_000
"""Up to so many images are found in the database by their hash; of more, all are read."""


class Fault(StrEnum):
    """What is wrong with the file of an image."""

    MISSING = "missing"
    """There is no file at its path, or the folder above it is gone."""
    CHANGED = "changed"
    """The file has another content than the image."""
    UNREADABLE = "unreadable"
    """The file is there and cannot be read."""


@dataclass(frozen=True, slots=True)
class FileFault:
    """An image with no file that holds it any more."""

    hash: str
    path: str
    """As it is stored: absolute, or relative to the project folder."""
    fault: Fault
    detail: str


@dataclass(frozen=True, slots=True)
class _Looked:
    """What one look at the places of an image gave: no fault, and the modification time of the place."""

    fault: FileFault | None
    place: int = 0
    modified_ns: int = 0


def file_faults(
    session: Session,
    wanted: Collection[str] | None = None,
    *,
    full: bool = False,
    record: bool = False,
    progress: Progress = silent,
) -> list[FileFault]:
    """Images (content hashes; None for all) without a file that still holds them, in the order of import.

    `full` reads every file; otherwise a file is read only if its size is right and its modification time is
    not the recorded one. With `record`, the times of the files that were read are recorded, so that the next
    cheap check need not read them. Images outside of the project are ignored.
    """
    few = wanted is not None and len(wanted) <= FEW
    with session.store.read() as reader:
        places = reader.images.files(wanted if few else None)
    chosen = [file for file in places if wanted is None or file.hash in wanted]
    images = [tuple(files) for _, files in groupby(chosen, key=lambda file: file.image_id)]
    found: list[FileFault] = []
    times: dict[int, int] = {}

    def look(files: Sequence[ImageFile]) -> _Looked:
        return _look(session.folder, files, full)

    looked = prefetch(look, images, threads=THREADS, ahead=64 * THREADS)
    for done, (files, each) in enumerate(zip(images, looked, strict=True), start=1):
        if each.fault is not None:
            found.append(each.fault)
        elif each.place and each.modified_ns != next(
            f.modified_ns for f in files if f.id == each.place
        ):
            times[each.place] = each.modified_ns
        if done % 100 == 0 or done == len(images):
            progress("checking files", done, len(images))
    if record and times:
        with session.store.write() as writer:
            writer.images.record_times(times)
    return found


def file_holding(folder: ProjectFolder, files: Sequence[ImageFile]) -> Path | None:
    """The first of the places of an image that still holds it, by the cheap check; None for none."""
    for file in files:
        path = resolve(folder, file.path)
        if _look_at(path, file, full=False).fault is None:
            return path
    return None


def _look(folder: ProjectFolder, files: Sequence[ImageFile], full: bool) -> _Looked:
    """Look at the places of one image, until one of them still holds it."""
    first: FileFault | None = None
    for file in files:
        found = _look_at(resolve(folder, file.path), file, full)
        if found.fault is None:
            return found
        first = first or found.fault
    return _Looked(first)


def _look_at(path: Path, file: ImageFile, full: bool) -> _Looked:
    def faulty(fault: Fault, detail: str) -> _Looked:
        return _Looked(FileFault(file.hash, file.path, fault, detail))

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return faulty(Fault.CHANGED, "it is no regular file any more")
        if status.st_size != file.bytes:
            return faulty(Fault.CHANGED, f"it has {status.st_size:,} bytes, and had {file.bytes:,}")
        unknown = file.modified_ns is None  # the size alone must do in a cheap check
        if not full and (unknown or status.st_mtime_ns == file.modified_ns):
            return _Looked(None)
        if hash_file(path) != file.hash:
            return faulty(Fault.CHANGED, "its content is not what was imported")
    except OSError as error:
        gone = error.errno in (errno.ENOENT, errno.ENOTDIR)
        detail = os.strerror(error.errno) if error.errno else str(error)
        return faulty(Fault.MISSING if gone else Fault.UNREADABLE, detail)
    return _Looked(None, file.id, status.st_mtime_ns)


def count_faults(faults: Iterable[FileFault]) -> dict[Fault, int]:
    """How many images have each fault; faults that none has are left out."""
    all_of_them = [each.fault for each in faults]
    return {fault: all_of_them.count(fault) for fault in Fault if fault in all_of_them}


def hashes_of(faults: Iterable[FileFault]) -> set[str]:
    """The content hashes of these images."""
    return {each.hash for each in faults}


def in_words(faults: Sequence[FileFault]) -> str:
    """`2 missing and 1 changed (photos/7.png: No such file or directory)`; the first one is the example."""
    counts = [f"{number} {fault}" for fault, number in count_faults(faults).items()]
    listed = " and ".join([", ".join(counts[:-1]), counts[-1]] if counts[1:] else counts)
    return f"{listed} ({faults[0].path}: {faults[0].detail})"


def places(reader: Reader) -> dict[int, tuple[str, str, Role]]:
    """Image id -> its newest place, its content hash and its role."""
    return {
        image: (path, content, role)
        for role in Role
        for (image, content), (_, path) in zip(
            reader.images.ids_and_hashes(role), reader.images.hashes_and_paths(role), strict=True
        )
    }
