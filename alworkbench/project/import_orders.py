"""What somebody asks to be imported: options of `import`, `label` and `encode --features` as one value."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from alworkbench.core.domain import Role, RoleMismatch
from alworkbench.inputs.label_formats.mapping import ColumnMapping


class Brought(StrEnum):
    """What a source brings into a project."""

    IMAGES = "images"
    """Pictures, with their labels if they have some: a folder, a manifest or an archive."""
    LABELS = "labels"
    """Labels of images that are in the project: a file or folder in one of the formats of labels."""
    FEATURES = "features"
    """Features of images that are in the project, computed elsewhere: a .npz file or a features folder."""


class ImportOrder(BaseModel):
    """An import. Each field is an option of a command, with the same default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    what: Brought
    location: Path
    """Absolute, since a job runs in another process."""
    audit: bool = False
    """Images: all of them into the audit set."""
    pool_labels: bool = False
    """Images: record the labels of pool images too."""
    roles: RoleMismatch = RoleMismatch.REFUSE
    follow_links: bool = False
    white_point: int | None = None
    path_column: str | None = None
    label_column: str | None = None
    split_map: dict[str, Role] = {}
    root: Path | None = None
    annotator: str = "csv"
    """Labels: whose answers they are."""
    format: str | None = None
    """Labels: the name of the format; None: the one that the file has."""
    history: bool = False
    """Labels: record the events of an export as they were recorded."""

    @property
    def role(self) -> Role:
        """The set for images of which the source says nothing."""
        return Role.AUDIT if self.audit else Role.POOL

    @property
    def mapping(self) -> ColumnMapping:
        """How the columns of a table are read."""
        return ColumnMapping(self.path_column, self.label_column, self.split_map, self.root)

    def refuse_contradictions(self) -> None:
        """Raises ValueError for options of which one makes another meaningless, as the commands do, and for
        labels of nobody.
        """
        if self.what is Brought.LABELS and not self.history and not self.annotator.strip():
            raise ValueError("Labels need the name of who gave them. Write a name.")
        if self.audit and self.split_map:
            raise ValueError(
                "All images go into the audit set, so that splits have nothing to say. Choose one of the two."
            )
        if self.root is not None and not self.root.is_dir():
            raise ValueError(f"{self.root} is no folder that this server can read.")

    @property
    def name(self) -> str:
        """The last part of the location."""
        return self.location.name or str(self.location)
