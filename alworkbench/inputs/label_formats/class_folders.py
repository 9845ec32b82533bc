"""Labels as a tree of class folders: SPLIT/CLASS/PICTURE.

The pool is the split `train`, the audit set the split `test`. Pictures whose answers name no class lie at
the top of the tree, outside of the splits. The folder of a picture says its class, also after somebody moved
it; the records beside the tree say how each label was given. Own code, because a tree is all there is to the
format.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from alworkbench.core.atomic_files import atomic_folder
from alworkbench.core.domain import AnswerKind
from alworkbench.inputs.label_formats.class_folder_names import (
    class_of_folder,
    cut_names,
    folders_of_classes,
)
from alworkbench.inputs.label_formats.folder_layouts import layout_of
from alworkbench.inputs.label_formats.mapping import ColumnMapping
from alworkbench.inputs.label_formats.picture_trees import (
    pictures_below,
    refuse_columns,
    role_of_split,
    split_of,
)
from alworkbench.inputs.label_formats.placed_pictures import PlacedPictures, refuse_used
from alworkbench.inputs.label_formats.protocol import Export, Written
from alworkbench.inputs.label_formats.record import LabelRow
from alworkbench.inputs.label_formats.sidecar import (
    answers_without_class,
    has_sidecar,
    history_of,
    read_sidecar,
    write_sidecar,
)
from alworkbench.inputs.label_formats.standing_records import (
    SPLIT_OF,
    Ordered,
    in_order,
    numbered,
    standing,
)


class ClassFolders:
    """A folder for each class that has pictures, within the folder of a split."""

    name = "class-folders"
    title = "folders of pictures, one for each class (torchvision, Keras)"
    suffixes: tuple[str, ...] = ()
    holds_images = True

    def recognises(self, path: Path) -> bool:
        """Whether folders with pictures lie in the folder, and nothing says that it is another format."""
        return layout_of(path) == self.name

    def write(self, target: Path, export: Export) -> Written:
        """Write the tree. Raises InvalidLabelFile for a target that is in use."""
        refuse_used(target)
        stands = standing(export)
        folders = folders_of_classes(stands.class_names)
        pictures, count = PlacedPictures(export), 0
        with atomic_folder(target) as draft:
            self.prepare(draft, folders)
            for order, row in numbered(export):
                count += 1
                if stands.stands(order, row):
                    pictures.put(row, draft / SPLIT_OF[row["role"]] / folders[row["label"]])
                elif row["hash"] not in stands.order_of and not pictures.knows(row["hash"]):
                    pictures.put(row, draft)
            write_sidecar(draft, numbered(export))
        return Written(count, pictures.count, pictures.lost)

    def prepare(self, draft: Path, folders: dict[str, str]) -> None:
        """Nothing more to write here; `folders` gives the folder of each class."""

    def read(self, source: Path, mapping: ColumnMapping) -> Iterator[LabelRow]:
        """The class of each picture that lies in a class folder. Raises InvalidTable, OSError."""
        refuse_columns(mapping)
        ours = has_sidecar(source)
        records: Sequence[Ordered] = list(read_sidecar(source))
        cut = cut_names({record["label"] for _, record in records if record["label"]})
        seen: set[str] = set()
        for number, file in enumerate(pictures_below(source), 1):
            if len(file.parts) < 2:
                continue
            content, folder = file.hash(), file.parts[-2]
            seen.add(content)
            yield LabelRow(
                number,
                file.place,
                content,
                AnswerKind.CLASS,
                class_of_folder(folder, cut) if ours else folder,
                role_of_split(split_of(file), mapping, file.place),
                file.place,
            )
        yield from answers_without_class(records, seen)

    def read_history(self, source: Path) -> Iterator[dict[str, Any]]:
        """The records beside the tree. Raises InvalidTable, OSError."""
        return in_order(history_of(source))
