"""What a format of labels can do, and what it is given to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.record import KINDS, LabelRow


@runtime_checkable
class Records(Protocol):
    """Records to write, which can be read several times."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[dict[str, Any]]: ...


@dataclass(frozen=True, slots=True)
class Export:
    """The labels to write."""

    rows: Records
    """Records with the columns of `kinds`, in the order of recording; can be read several times."""
    class_names: tuple[str, ...]
    """The classes in use in their order, then retired and merged ones, which records may name, too."""
    project: str
    """The name of the project."""
    picture: Callable[[str], Path | None]
    """The file that still holds the picture with this content hash; None: it was changed, or is gone."""
    history: bool = False
    """Whether rows that count no longer are among the rows."""
    place: Literal["copy", "link"] = "copy"
    """Whether pictures are copied into the export, or linked."""
    kinds: Mapping[str, type] = field(default_factory=lambda: KINDS)
    """Column -> type of its values. Only tables can have others than those of `record`."""


@dataclass(frozen=True, slots=True)
class Written:
    """What an export wrote."""

    rows: int
    """Records."""
    pictures: int = 0
    """Files of pictures, copied or linked."""
    without_picture: tuple[str, ...] = ()
    """Images (their paths in the project) that no file holds any more: the export lacks their pictures."""


@runtime_checkable
class LabelFormat(Protocol):
    """One way to hold labels in a file or folder.

    Faults of what is read are raised as `csv_tables.InvalidTable` or OSError: `reading` turns them into
    InvalidLabelFile with the name of the file.
    """

    @property
    def name(self) -> str:
        """As `--format` names it."""
        ...

    @property
    def title(self) -> str:
        """What it is, in a few words."""
        ...

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Of its files, in lower case with the dot; empty for a folder."""
        ...

    @property
    def holds_images(self) -> bool:
        """Whether an export holds the pictures too."""
        ...

    def recognises(self, path: Path) -> bool:
        """Whether the file or folder is of this format, by its name or by a look at its beginning."""
        ...

    def write(self, target: Path, export: Export) -> Written:
        """Write everything, or nothing. Raises what `core.atomic_files` raises."""
        ...

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The labels that count, as the format's own fields say them: a person may have edited them."""
        ...

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The full records (`record.full_record`), in the order in which they were written."""
        ...
