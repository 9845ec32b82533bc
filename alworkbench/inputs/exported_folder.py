"""The folder of an export, imported: it says which pictures are of the audit set, and what the classes are.

Elsewhere the folder of a picture names its class, and nothing says what it is used for. In an export, names
of folders may be written in bytes (`label_formats.class_folder_names`), and the splits say the roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from alworkbench.core.errors import UnreadableSource
from alworkbench.inputs.csv_tables import InvalidTable
from alworkbench.inputs.label_formats.class_folder_names import class_of_folder, cut_names
from alworkbench.inputs.label_formats.fiftyone_folder import DATA
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.sidecar import NAME, has_sidecar, read_sidecar
from alworkbench.inputs.label_formats.standing_records import SPLIT_OF
from alworkbench.inputs.tree_walk import Candidate

_TREES = ("class-folders", "yolo")
_SPLITS = frozenset(SPLIT_OF.values())


@dataclass(frozen=True, slots=True)
class ExportedFolder:
    """What the folder of an export says about its pictures."""

    of_classes: bool
    """Whether pictures lie in folders of classes; in other formats a file names the classes."""
    cut: Mapping[str, str]
    """Folder -> class whose name is too long for a folder."""

    def candidate(self, found: Candidate) -> Candidate:
        """The picture with its split, and with the class of its folder if that was asked for."""
        *folders, _ = PurePosixPath(found.path).parts
        splits = [name for name in folders[:2] if name in _SPLITS and name == _first(folders)]
        name = None
        if self.of_classes and found.class_name is not None and folders[1:]:
            name = class_of_folder(folders[-1], self.cut)
        return replace(found, class_name=name, split=splits[0] if splits else None)


def _first(folders: list[str]) -> str | None:
    """The folder at the top; that of pictures in a FiftyOne folder is left out."""
    inner = folders[1:] if folders[:1] == [DATA] else folders
    return inner[0] if inner else None


def exported_folder(root: Path) -> ExportedFolder | None:
    """What the folder says if it is an export; None for another folder. Raises UnreadableSource."""
    if not has_sidecar(root):
        return None
    if layout_of(root) not in _TREES:
        return ExportedFolder(False, {})
    try:
        labels = {record["label"] for _, record in read_sidecar(root) if record["label"]}
    except (InvalidTable, OSError) as error:
        raise UnreadableSource(
            f"{root / NAME} cannot be read ({error}). Nothing was imported. Bring the file back as it was "
            f"exported, or remove it to import the folder like any other."
        ) from error
    return ExportedFolder(True, cut_names(labels))
