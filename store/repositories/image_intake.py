"""The files of one import: new images, known ones, duplicates, and files that could not be read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from alworkbench.core.domain import FoundImage, QuarantinedFile, Role
from alworkbench.core.names import composed
from store.repositories.places import Place, Places, by_root
from store.schema import ImagePathRow, ImageRow, QuarantinedFileRow


class ImageIntake:
    """Stores what one import found below one root, and counts it."""

    def __init__(self, connection: Connection, root: str, role: Role) -> None:
        self._connection = connection
        self._places = Places(connection, root)
        self._role = role
        self.new = self.known = self.duplicates = 0
        self.changed = 0
        """Files that had another content before; they are new or duplicates too."""

    def add_found(self, chunk: Sequence[FoundImage]) -> None:
        """Store pictures and their paths, and count them."""
        places, role = self._places, self._role
        image_ids = self._ids_of([f.hash for f in chunk])
        unseen: dict[str, FoundImage] = {}
        for f in chunk:
            if f.hash not in image_ids:
                unseen.setdefault(f.hash, f)
        if unseen:
            self._connection.execute(
                insert(ImageRow),
                [
                    {
                        "hash": f.hash,
                        "role": role,
                        "bytes": f.bytes,
                        "width": f.width,
                        "height": f.height,
                    }
                    for f in unseen.values()
                ],
            )
            image_ids |= self._ids_of(list(unseen))

        located = [places.locate(f.path) for f in chunk]
        # The images of each path, oldest first: the last one is its current content.
        stored = self._images_at(located)
        fresh: dict[tuple[Place, int], int | None] = {}
        seen: list[tuple[Place, int, int]] = []
        stale: list[tuple[Place, int]] = []
        for f, place in zip(chunk, located, strict=True):
            image_id = image_ids[f.hash]
            held = stored[place]
            if image_id in held:
                self.known += 1
                if held[-1] != image_id:  # the file has its earlier content back
                    held.remove(image_id)
                    held.append(image_id)
                    stale.append((place, image_id))
                    fresh.pop((place, image_id), None)
                    fresh[place, image_id] = f.modified_ns
                elif f.modified_ns is not None:
                    seen.append((place, image_id, f.modified_ns))
                continue
            if unseen.pop(f.hash, None) is None:
                self.duplicates += 1
            else:
                self.new += 1
            self.changed += bool(held)
            held.append(image_id)
            fresh[place, image_id] = f.modified_ns

        for (root_id, path), image_id in stale:
            self._connection.execute(
                delete(ImagePathRow).where(
                    ImagePathRow.root_id == root_id,
                    ImagePathRow.path == path,
                    ImagePathRow.image_id == image_id,
                )
            )
        if fresh:
            self._connection.execute(
                insert(ImagePathRow),
                [
                    {
                        "image_id": image_id,
                        "root_id": root_id,
                        "path": path,
                        "name": composed(path.rpartition("/")[2]),
                        "modified_ns": modified,
                    }
                    for ((root_id, path), image_id), modified in fresh.items()
                ],
            )
        if seen:
            self._connection.execute(
                update(ImagePathRow).where(
                    ImagePathRow.root_id == bindparam("root"),
                    ImagePathRow.path == bindparam("place"),
                    ImagePathRow.image_id == bindparam("image"),
                ),
                [
                    {"root": root_id, "place": path, "image": image_id, "modified_ns": modified}
                    for (root_id, path), image_id, modified in seen
                ],
                execution_options={"synchronize_session": None},
            )
        self._leave_quarantine(located)

    def add_quarantined(self, files: Sequence[QuarantinedFile]) -> None:
        """Store files that could not be read."""
        by_place = {self._places.locate(f.path): f for f in files}
        self._leave_quarantine(list(by_place))
        self._connection.execute(
            insert(QuarantinedFileRow),
            [
                {"root_id": root_id, "path": path, "code": f.code, "detail": f.detail}
                for (root_id, path), f in by_place.items()
            ],
        )

    def _leave_quarantine(self, located: Sequence[Place]) -> None:
        for root_id, paths in by_root(located).items():
            self._connection.execute(
                delete(QuarantinedFileRow).where(
                    QuarantinedFileRow.root_id == root_id, QuarantinedFileRow.path.in_(paths)
                )
            )

    def _ids_of(self, hashes: Sequence[str]) -> dict[str, int]:
        rows = self._connection.execute(
            select(ImageRow.hash, ImageRow.id).where(ImageRow.hash.in_(set(hashes)))
        )
        return dict(rows.all())

    def _images_at(self, located: Sequence[Place]) -> defaultdict[Place, list[int]]:
        images: defaultdict[Place, list[int]] = defaultdict(list)
        for root_id, paths in by_root(located).items():
            rows = self._connection.execute(
                select(ImagePathRow.path, ImagePathRow.image_id)
                .where(ImagePathRow.root_id == root_id, ImagePathRow.path.in_(paths))
                .order_by(ImagePathRow.id)
            )
            for path, image_id in rows:
                images[root_id, path].append(image_id)
        return images
