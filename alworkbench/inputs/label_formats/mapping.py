"""How the columns of a table that another program wrote are read: their names, its splits, its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from alworkbench.core.domain import Role


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What a person says about the columns of a table. Without anything said, our own names are read."""

    path_column: str | None = None
    """The column with the paths (or content hashes) of images; None: `image`, or `path` in a manifest."""
    label_column: str | None = None
    """The column with the class names; None: `label`."""
    split_map: Mapping[str, Role] = field(default_factory=dict)
    """What each value of the column `split` makes of an image. A label file without it ignores the column."""
    root: Path | None = None
    """The folder that paths are relative to; None: any folder that ends so, or that of a manifest."""

    def renamed(self, fields: Mapping[str, str], path: str) -> dict[str, str]:
        """The fields of a row by our own names; `path` is ours for the column of paths."""
        found = dict(fields)
        for ours, theirs in ((path, self.path_column), ("label", self.label_column)):
            if theirs is not None:
                found[ours] = fields[theirs]
        return found

    def needed(self, path: str) -> tuple[str, str]:
        """The names of the columns of paths and labels, as the table has them."""
        return self.path_column or path, self.label_column or "label"

    def named(self, path: str) -> tuple[str, ...]:
        """The column of paths, and every column that a person named."""
        label = () if self.label_column is None else (self.label_column,)
        return (self.path_column or path, *label, *(("split",) if self.split_map else ()))

    def below_root(self, path: str) -> PurePosixPath:
        """A path of the table, relative where it is absolute and lies below the root."""
        found = PurePosixPath(path)
        top = None if self.root is None else PurePosixPath(self.root.absolute().as_posix())
        return found.relative_to(top) if top is not None and found.is_relative_to(top) else found


OUR_OWN = ColumnMapping()
"""Tables with our own names of columns."""


def read_split_map(text: str) -> dict[str, Role]:
    """Split -> role, of a text such as train=pool,test=audit. Raises ValueError, which says what is wrong."""
    found: dict[str, Role] = {}
    for pair in filter(None, (each.strip() for each in text.split(","))):
        split, _, role = (part.strip() for part in pair.rpartition("="))
        if not split or role not in [each.value for each in Role]:
            raise ValueError(
                f"{pair!r} does not say what a split means. Write train=pool or test=audit."
            )
        if found.setdefault(split, Role(role)) is not Role(role):
            raise ValueError(f"The split {split!r} cannot be pool and audit.")
    return found
