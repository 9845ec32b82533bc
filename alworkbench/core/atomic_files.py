"""Files and folders that appear whole: a crash or a power cut leaves the old content or the new one.

Every file that a record refers to, or that a user asked for, is written through this module. A file is
made under a temporary name in the same folder, brought to the disk, and then given its name. Without
`fsync` before and after the rename, a power cut may leave the name with an empty file, although the
database already refers to it.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from alworkbench.core.errors import CANNOT_WRITE, OutputUnwritable

THREADS = 16
"""File systems join the `fsync` of many files: 4,000 small files take 0.4 s, one after the other 13 s."""


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file `path` with these bytes. They are on the disk when this returns."""
    with atomic_path(path) as draft:
        draft.write_bytes(data)


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path; the file that the block makes there replaces `path` at the end.

    The file is on the disk after the block. If the block raises, `path` stays as it was. The folder of
    `path` must exist. Raises OutputUnwritable where the file cannot be written.
    """
    with _finished_draft(path, lambda draft: draft.replace(path)) as draft:
        yield draft


@contextmanager
def atomic_new_path(path: Path) -> Iterator[Path]:
    """The same for a name that nothing may have yet: the first writer makes it, and no other replaces it.

    Raises FileExistsError at the end of the block where something has the name by then, and OutputUnwritable
    where the file cannot be written. The file system must know hard links.
    """
    with _finished_draft(path, lambda draft: os.link(draft, path)) as draft:
        yield draft


@contextmanager
def _finished_draft(path: Path, give_name: Callable[[Path], object]) -> Iterator[Path]:
    """Yield a temporary path beside `path`; what the block makes there is brought to the disk and named."""
    # Threads, processes and machines that write the same file at the same time need different drafts.
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        yield draft
        _sync(draft)
        give_name(draft)
    except FileExistsError:
        raise  # only a new name can be taken: by another writer
    except OSError as error:
        raise _unwritable(path, draft, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
    _sync(path.parent)


@contextmanager
def atomic_folder(folder: Path, *, alone: bool = True) -> Iterator[Path]:
    """Yield a new folder; at the end of the block it gets the name `folder`, with all that it holds.

    Its files are on the disk after the block. `folder` must be missing or empty. If the block raises,
    nothing stays. Only one thread may make the same folder at a time; where it is not `alone`, several may,
    the first one to end makes it, and what a killed process left is not removed. Raises OutputUnwritable
    where the folder cannot be written.
    """
    own = "" if alone else f".{uuid.uuid4().hex}"
    draft = folder.with_name(f".{folder.name}{own}.part")
    shutil.rmtree(draft, ignore_errors=True)  # a killed process may have left it
    try:
        draft.mkdir(parents=True)
        yield draft
        with ThreadPoolExecutor(THREADS) as pool:
            # A link is part of its folder. The file that it leads to is not ours to open for writing.
            inside = [path for path in draft.rglob("*") if not path.is_symlink()]
            list(pool.map(_sync, [draft, *inside]))
        draft.replace(folder)
    except OSError as error:
        raise _unwritable(folder, draft, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _sync(folder.parent)


def move_aside(path: Path, target: Path) -> None:
    """Give a file or folder another name on the same disk; folders of `target` are made.

    The new name is on the disk when this returns. Raises OutputUnwritable where it cannot be given.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        path.rename(target)
    except OSError as error:
        raise OutputUnwritable(target, error.strerror or str(error)) from error
    _sync(target.parent)
    _sync(path.parent)


def _unwritable(path: Path, draft: Path, error: OSError) -> OSError:
    """The error about `path` where the draft could not be written; else the error itself."""
    named = error.filename is not None and Path(os.fsdecode(error.filename))
    about_draft = named and (named == draft or draft in named.parents)
    if about_draft or (not named and error.errno in CANNOT_WRITE):
        return OutputUnwritable(path, error.strerror or str(error))
    return error


def sync(descriptor: int) -> None:
    """Bring the data of an open file to the disk."""
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk: the fsync of a file does not cover its name."""
    _sync(folder)


def _sync(path: Path) -> None:
    is_folder = path.is_dir()
    if is_folder and os.name != "posix":
        return  # other systems cannot open a folder
    descriptor = os.open(path, os.O_RDONLY if is_folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
