"""The manifest of a backup: every file with its size and SHA-256, and what the project held."""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from alworkbench.core.errors import InvalidBackup
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.picture import hash_file

MANIFEST = "backup.json"
"""Written last: a folder without it is no backup."""
DATABASE = "project.db"
PICTURES = "images/from-backup"
"""Pictures that lay outside of the project folder, each under its hash, in a backup and when restored."""


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    plain = "\\" not in path and "\0" not in path and PurePosixPath(path).as_posix() == path
    if not parts or not plain or path.startswith("/") or ".." in parts or ":" in parts[0]:
        raise ValueError("a path leaves the folder of the backup")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BackedUpFile(_Strict):
    """Size in bytes and SHA-256 of one file."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class BackupManifest(_Strict):
    """What a backup holds. Paths are relative to its folder, with `/` between their parts."""

    format: Literal["alworkbench-backup"] = "alworkbench-backup"
    version: Literal[1] = 1
    program: str
    """Version of alworkbench that made it."""
    project: str
    made_at: datetime
    images: int
    labels: int
    """Every label ever recorded, those taken back included."""
    pictures_left_out: int
    """Images none of whose files is in the backup."""
    files: dict[RelativePath, BackedUpFile]


def read_manifest(folder: Path) -> BackupManifest:
    """The manifest of a backup. Raises InvalidBackup."""
    try:
        text = (folder / MANIFEST).read_bytes()
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidBackup(folder, [f"its {MANIFEST} cannot be read ({why})"]) from error
    try:
        found = BackupManifest.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:200]
        raise InvalidBackup(
            folder, [f"its {MANIFEST} is not a manifest ({where}: {first['msg']})"]
        ) from error
    if DATABASE not in found.files:
        raise InvalidBackup(folder, [f"its {MANIFEST} names no {DATABASE}"])
    return found


def faults_of_backup(
    folder: Path, manifest: BackupManifest, progress: Progress = silent
) -> list[str]:
    """What is wrong with the files of a backup, each in a few words. Every byte is read."""
    faults = []
    for done, (name, promised) in enumerate(manifest.files.items(), 1):
        if fault := _fault(folder, name, promised):
            faults.append(f"{name} {fault}")
        progress("checking the backup", done, len(manifest.files))
    return faults


def _fault(folder: Path, name: str, promised: BackedUpFile) -> str | None:
    path = folder / name
    try:
        if not path.resolve().is_relative_to(folder.resolve()) or path.is_symlink():
            return "is a link"
        if path.stat().st_size != promised.bytes:
            return f"has {path.stat().st_size:,} bytes, not {promised.bytes:,}"
        if hash_file(path) != promised.sha256:
            return "has another content than when the backup was made"
    except FileNotFoundError:
        return "is missing"
    except OSError as error:
        return f"cannot be read ({os.strerror(error.errno) if error.errno else error})"
    return None
