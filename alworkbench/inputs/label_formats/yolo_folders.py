"""Labels as a classification data set of Ultralytics YOLO: train/CLASS, test/CLASS and data.yaml.

Ultralytics numbers the classes by the order of the folders' names, so both splits have a folder for every
class, also without pictures. `data.yaml` names the classes by these numbers. Ultralytics validates on `test`
where there is no `val`.
"""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.atomic_files import write_atomically
from alworkbench.inputs.label_formats.class_folders import ClassFolders
from alworkbench.inputs.label_formats.folder_layouts import DATA_NAMES
from alworkbench.inputs.label_formats.standing_records import SPLIT_OF


class YoloFolders(ClassFolders):
    """Class folders with the names of the classes in a file."""

    name = "yolo"
    title = "classification data set of Ultralytics YOLO"

    def prepare(self, draft: Path, folders: dict[str, str]) -> None:
        """Make the folders of all classes, and name them in `data.yaml`."""
        import yaml

        for split in SPLIT_OF.values():
            for folder in folders.values():
                (draft / split / folder).mkdir(parents=True)
        ordered = sorted(folders, key=lambda name: folders[name])
        description = {
            "train": "train",
            "val": "test",
            "test": "test",
            "nc": len(ordered),
            "names": dict(enumerate(ordered)),
        }
        text = yaml.safe_dump(description, allow_unicode=True, sort_keys=False)
        write_atomically(draft / DATA_NAMES, text.encode())
