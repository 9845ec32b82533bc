"""Pictures in a folder tree, as other programs arrange them: found, identified, and their splits.

A picture is identified by its content, because exports and other programs rename files.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.domain import Role
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.formats import suffixes
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.picture import hash_file

_ROLES = {"train": Role.POOL, "pool": Role.POOL, "test": Role.AUDIT, "audit": Role.AUDIT}
"""Split -> role. Of other splits, such as `val`, nobody knows; `--split-map` says it."""


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A picture below a folder."""

    path: Path
    parts: tuple[str, ...]
    """Of its path below the folder; the last one is its own name."""

    @property
    def place(self) -> str:
        """Its path below the folder, forward slashes."""
        return "/".join(self.parts)

    def hash(self) -> str:
        """The SHA-256 of its content. Raises OSError."""
        return hash_file(self.path)


def pictures_below(folder: Path) -> Iterator[PictureFile]:
    """Every file with the suffix of a picture, by name. Hidden files and linked folders are not looked at.

    Raises OSError for a folder that cannot be read, InvalidTable for a link that leads to nothing.
    """

    def failed(error: OSError) -> None:
        raise error

    for at, folders, names in os.walk(folder, onerror=failed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(at, name)
            if name.startswith(".") or path.suffix.lower() not in suffixes():
                continue
            try:
                plain = stat.S_ISREG(path.stat().st_mode)
            except OSError as error:
                place = path.relative_to(folder).as_posix()
                raise InvalidTable(
                    f"{place[:200]} cannot be read: {error.strerror or error}",
                    "Bring the file back, or remove the link.",
                ) from error
            if plain:
                yield PictureFile(path, path.relative_to(folder).parts)


def role_of_split(split: str | None, mapping: ColumnMapping, where: str) -> Role | None:
    """The role that the split of a picture gives it; None where it says nothing. Raises InvalidTable."""
    if not split:
        return None
    if mapping.split_map:
        if split not in mapping.split_map:
            raise InvalidTable(
                f"{where}: the split {split[:80]!r} has no meaning",
                f"Say what it means: --split-map {split[:80]}=pool, or =audit.",
            )
        return mapping.split_map[split]
    return _ROLES.get(split)


def split_of(file: PictureFile) -> str | None:
    """The folder at the top, if it holds folders of classes; else None."""
    return file.parts[0] if len(file.parts) > 2 else None


def refuse_columns(mapping: ColumnMapping, *, labels: bool = False) -> None:
    """Refuse options of tables where the format has no such columns. Raises InvalidTable.

    With `labels` the format has several fields that could hold the labels, so that one can be named.
    """
    given = [
        option
        for option, value in (
            ("--path-column", mapping.path_column),
            ("--label-column", None if labels else mapping.label_column),
            ("--root", mapping.root),
        )
        if value is not None
    ]
    if given:
        raise InvalidTable(
            f"its format has no columns that {' and '.join(given)} could name",
            f"Leave {' and '.join(given)} out: pictures are known by their content.",
        )
