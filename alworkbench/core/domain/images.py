"""Images of a project, and the files they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Role(StrEnum):
    """What an image may be used for. The two sets are disjoint: an image has one role."""

    POOL = "pool"
    """May be asked, and its label learned from."""
    AUDIT = "audit"
    """Labelled and measured on, but never learned from."""


class RoleMismatch(StrEnum):
    """What to do where a source gives an image another role than it has in the project."""

    REFUSE = "refuse"
    """Refuse the source; nothing is stored."""
    KEEP = "keep"
    """The images keep their roles, and their labels are recorded so."""
    CHANGE = "change"
    """The images take the role of the source."""
    LEAVE_OUT = "leave-out"
    """These labels are left out, and the images keep their roles."""


NO_CLASS = -2
"""The class index of an image that belongs to none of the classes; -1 stands for an unknown class."""


class QuarantineCode(StrEnum):
    """Why a file could not be used. Only `IO` is worth trying again."""

    UNIDENTIFIED = "unidentified"
    TRUNCATED = "truncated"
    BOMB = "bomb"
    IO = "io"
    TIMEOUT = "timeout"
    CRASH = "crash"
    NONFINITE = "nonfinite"


@dataclass(frozen=True, slots=True)
class Depth:
    """Of a picture with 16 bits for each value."""

    white: int
    """The value that is shown as white."""
    brightest: int
    """The largest value; for colours the end of the range of 256 values that it lies in."""
    stated: bool
    """Whether the file says what is white."""


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A readable picture that a source holds, before the store knows it."""

    hash: str
    """SHA-256 of the file's bytes, 64 hexadecimal digits."""
    path: str
    """Relative to the source it was found in, with forward slashes."""
    bytes: int
    width: int
    height: int
    class_name: str | None = None
    """The label that came with it (folder name or manifest), if any."""
    split: str | None = None
    """The part of the data set that the manifest names, such as `pool` or `test`, if any."""
    modified_ns: int | None = field(default=None, compare=False)
    """When the file was modified, in nanoseconds since 1970."""
    depth: Depth | None = field(default=None, compare=False)
    """Of a file with 16 bits for each value."""


@dataclass(frozen=True, slots=True)
class QuarantinedFile:
    """A file that could not be read, with the reason."""

    path: str
    code: QuarantineCode
    detail: str


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A place where a picture was found, and what the file was like then."""

    id: int
    """Of the place."""
    image_id: int
    hash: str
    path: str
    """Absolute or relative to the project folder."""
    bytes: int
    modified_ns: int | None
    """None where an older version imported the file."""
    current: bool
    """Whether no other picture was found at this path later."""


@dataclass(frozen=True, slots=True)
class Image:
    """One picture of the pool, known by content. Several files may hold the same picture."""

    id: int
    hash: str
    role: Role
    width: int
    height: int
    paths: tuple[str, ...]
    """Every place it was found, absolute or relative to the project folder; at least one."""


@dataclass(frozen=True, slots=True)
class RoleChange:
    """The record that an image got another role."""

    id: int
    """In the order in which roles were changed."""
    image_id: int
    former: Role
    role: Role
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did. `files` = new + known + duplicates + quarantined."""

    files: int
    new: int
    """Images that the project did not know."""
    known: int
    """Files that were imported before, from this very path."""
    duplicates: int
    """Files with the content of another file: kept as one more path of that image."""
    quarantined: tuple[QuarantinedFile, ...] = ()
    labelled: int = 0
    """Labels that came with the files and were recorded."""
    moved: int = 0
    """Images that took the role of the source."""
    left_out: int = 0
    """Labels that were left out, because the source gives the image another role than the project."""
    changed: int = 0
    """Of the new images and the duplicates, files that had another content when they were imported before.
    The image of that time keeps its labels and is not asked any more."""
    missing: tuple[str, ...] = ()
    """Files below this location that were imported before and are not there any more."""
    skipped: Mapping[str, int] = field(default_factory=dict)
    """Suffix, `hidden` or `link to a folder` -> how many files were not read for that reason."""
    links_out: int = 0
    """Of the files in quarantine, links that lead out of the folder and were not followed."""
    whites: Mapping[int, int] = field(default_factory=dict)
    """White point -> how many pictures of 16 bits are shown with it, to people and to the model."""
    dark: int = 0
    """Of these, pictures that look dark: neither file nor project say what is white, and no value reaches a
    quarter of 65,535."""
    dark_brightest: int = 0
    """The largest value in these."""
