"""Files below one address: on an object store through fsspec, or in a folder of this machine.

Objects are written once: a name that holds another content is never overwritten, and no half of an object is
seen under its name. On S3 this is the condition `If-None-Match: *` of the request that completes the object,
in a folder a hard link to the finished file.

A request without an answer is made again, TRIES times in all, after pauses of 0.5, 1 and 2 s; s3fs makes each
of them up to five times itself. An answer is final: no such object, no permission, a name that is taken.
Nothing is cached here: listings are asked for anew.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from alworkbench.core.atomic_files import atomic_new_path, atomic_path
from alworkbench.core.errors import (
    AlreadyPublished,
    ExtraMissing,
    InvalidFeatureFile,
    OutputUnwritable,
    StoreUnreachable,
)

T = TypeVar("T")

TRIES = 4
PAUSE = 0.5
"""Seconds before the second try; each further pause is twice as long."""
SCHEMES = ("s3", "file", "memory")
"""Those that can say that an object exists while they write it, so that nothing is overwritten."""
FINAL = (FileExistsError, FileNotFoundError, NotADirectoryError, ValueError)
"""Answers of a store: asking again changes nothing."""


def is_address(text: str) -> bool:
    """Whether a text is an address such as `s3://bucket/folder`, and not a path."""
    return "://" in text


class ObjectStore:
    """The files below an address."""

    def __init__(self, address: str, sleep: Callable[[float], None] = time.sleep) -> None:
        """Raises InvalidFeatureFile for an address that cannot be used, ExtraMissing without its package."""
        parts = urlsplit(address)
        if parts.scheme not in SCHEMES:
            raise InvalidFeatureFile(
                f"{address} cannot be used: known are addresses that begin with "
                f"{', '.join(f'{each}://' for each in SCHEMES)}."
            )
        if "@" in parts.netloc:
            raise InvalidFeatureFile(
                "The address holds a password. Leave it out, and give AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY as variables of the environment, or a profile of the AWS tools."
            )
        self.address = address.rstrip("/")
        self.folder = Path(url2pathname(parts.path)) if parts.scheme == "file" else None
        self._sleep = sleep
        self._root = f"{parts.netloc}{parts.path}".rstrip("/")
        self._files: Any = None if self.folder else _file_system(parts.scheme)

    def sizes(self) -> dict[str, int]:
        """The bytes of all files below the address, by their names from there."""
        if self.folder is not None:
            paths = [path for path in self.folder.rglob("*") if path.is_file()]
            return {p.relative_to(self.folder).as_posix(): p.stat().st_size for p in paths}
        return self._asked("", "read", self._listed)

    def read(self, name: str) -> bytes | None:
        """The content of a small file; None where there is none."""
        try:
            return self._asked(name, "read", lambda: self._content(name))
        except (FileNotFoundError, NotADirectoryError):
            return None

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to this machine. Raises InvalidFeatureFile where there is none."""
        try:
            self._asked(name, "read", lambda: self._copy(name, target))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise InvalidFeatureFile(f"{self.address} lacks the file {name}.") from error

    def put_new(self, name: str, source: Path | bytes) -> bool:
        """Write a file, or these bytes, under a new name; False where this content is there already.

        Raises AlreadyPublished where another content is there.
        """
        try:
            if self.folder is not None:
                _link_new(self.folder / name, source)
            else:
                self._asked(name, "written", lambda: self._put(name, source))
        except FileExistsError:
            # Ours, if an earlier try or an earlier call wrote it and the answer was lost.
            if self._sha256(name) != _sha256(source):
                raise AlreadyPublished(f"{self.address}/{name}") from None
            return False
        return True

    def _content(self, name: str) -> bytes:
        if self.folder is not None:
            return (self.folder / name).read_bytes()
        data: bytes = self._files.cat_file(self._at(name))
        return data

    def _copy(self, name: str, target: Path) -> None:
        if self.folder is not None:
            with atomic_path(target) as draft:
                shutil.copyfile(self.folder / name, draft)
        else:
            self._files.get_file(self._at(name), str(target))

    def _put(self, name: str, source: Path | bytes) -> None:
        if isinstance(source, bytes):
            self._files.pipe_file(self._at(name), source, mode="create")
        else:
            self._files.put_file(str(source), self._at(name), mode="create")

    def _listed(self) -> dict[str, int]:
        # Without a limit of depth: fsspec asks for such a listing level by level, and leaves out, without a
        # word, each folder that it could not list.
        root = self._root.removeprefix("/") + "/"
        found = self._files.find(self._root, detail=True).items()
        named = {name.removeprefix("/"): about["size"] for name, about in found}
        return {name.removeprefix(root): named[name] for name in named if name.startswith(root)}

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _sha256(self, name: str) -> str:
        if self.folder is not None:
            return _sha256(self.folder / name)
        with tempfile.TemporaryDirectory() as scratch:
            self.fetch(name, Path(scratch) / "object")
            return _sha256(Path(scratch) / "object")

    def _asked(self, name: str, verb: str, request: Callable[[], T]) -> T:
        """The answer of the store. Raises what is FINAL, and StoreUnreachable after the last try."""
        place = f"{self.address}/{name}".rstrip("/")
        for attempt in range(TRIES):
            if attempt:
                self._sleep(PAUSE * 2 ** (attempt - 1))
            try:
                if self._files is not None:
                    self._files.invalidate_cache()
                return request()
            except PermissionError as error:
                raise StoreUnreachable(place, verb, f"permission denied ({error})") from error
            except FileNotFoundError as error:
                # One with a file name is about a file of this machine.
                if error.filename is None and (verb == "written" or not name):
                    reason = "there is no such bucket or folder"
                    raise StoreUnreachable(place, verb, reason) from error
                raise
            except FINAL:
                raise
            except (
                Exception
            ) as error:  # a store's client raises errors of its own network libraries
                last = error
        raise StoreUnreachable(place, verb, str(last) or type(last).__name__) from last


def _file_system(scheme: str) -> Any:
    try:
        import fsspec

        return fsspec.filesystem(scheme, skip_instance_cache=scheme != "memory")
    except ImportError as error:
        raise ExtraMissing(f"An address that begins with {scheme}://", "s3fs", "remote") from error


def _link_new(target: Path, source: Path | bytes) -> None:
    """Give a copy of the file, or the bytes, a name that nothing has. Raises FileExistsError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputUnwritable(target, error.strerror or str(error)) from error
    with atomic_new_path(target) as draft:
        if isinstance(source, bytes):
            draft.write_bytes(source)
        else:
            shutil.copyfile(source, draft)


def _sha256(content: Path | bytes) -> str:
    if isinstance(content, bytes):
        return hashlib.sha256(content).hexdigest()
    with content.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
