"""Images by content hash, with every path at which they were found."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, delete, exists, func, insert, select, update

from alworkbench.core.domain import (
    FoundImage,
    Image,
    ImportSummary,
    QuarantinedFile,
    Role,
    RoundState,
)
from alworkbench.core.errors import ImageInUse, NotInProject
from alworkbench.core.names import composed
from store.repositories.common import in_chunks
from store.repositories.places import Place, Places, by_root, joined
from store.schema import (
    ImagePathRow,
    ImageRootRow,
    ImageRow,
    ItemRow,
    LabelRow,
    QuarantinedFileRow,
    RoundRow,
)


class ImageRepository:
    """See `core.repositories.Images`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(
        self,
        found: Iterable[FoundImage],
        quarantined: Iterable[QuarantinedFile],
        *,
        root: str,
        role: Role,
    ) -> ImportSummary:
        """See `core.repositories.Images.add`. Both arguments may be streams.

        `found` is read to its end before `quarantined`. A file with changed content counts as new or as
        a duplicate; its old image keeps the path.
        """
        places = Places(self._connection, root)
        tally = Tally()
        for chunk in in_chunks(found):
            self._add_found(chunk, places, role, tally)
        refused: list[QuarantinedFile] = []
        for files in in_chunks(quarantined):
            self._add_quarantined(files, places)
            refused.extend(files)
        return ImportSummary(
            files=tally.new + tally.known + tally.duplicates + len(refused),
            new=tally.new,
            known=tally.known,
            duplicates=tally.duplicates,
            quarantined=tuple(refused),
        )

    def _add_found(
        self, chunk: Sequence[FoundImage], places: Places, role: Role, tally: Tally
    ) -> None:
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
        fresh: dict[tuple[Place, int], None] = {}
        stale: list[tuple[Place, int]] = []
        for f, place in zip(chunk, located, strict=True):
            image_id = image_ids[f.hash]
            held = stored[place]
            if image_id in held:
                tally.known += 1
                if held[-1] != image_id:  # the file has its earlier content back
                    held.remove(image_id)
                    held.append(image_id)
                    stale.append((place, image_id))
                    fresh.pop((place, image_id), None)
                    fresh[place, image_id] = None
                continue
            if unseen.pop(f.hash, None) is None:
                tally.duplicates += 1
            else:
                tally.new += 1
            held.append(image_id)
            fresh[place, image_id] = None

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
                    }
                    for (root_id, path), image_id in fresh
                ],
            )
        self._leave_quarantine(located)

    def _add_quarantined(self, files: Sequence[QuarantinedFile], places: Places) -> None:
        by_place = {places.locate(f.path): f for f in files}
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

    # -------------------------------------------------------------------------------------- roles
    def set_role(self, image_ids: Sequence[int], role: Role) -> None:
        """Give images another role: all of them, or none. See `core.repositories.Images.set_role`."""
        used = (
            (exists().where(LabelRow.image_id == ImageRow.id), "was answered"),
            (
                exists().where(
                    ItemRow.image_id == ImageRow.id,
                    ItemRow.round_id == RoundRow.id,
                    RoundRow.state == RoundState.OPEN,
                ),
                "is asked in the open round",
            ),
        )
        for chunk in in_chunks(image_ids):
            known = set(self._connection.scalars(select(ImageRow.id).where(ImageRow.id.in_(chunk))))
            for image_id in chunk:
                if image_id not in known:
                    raise NotInProject("image", image_id)
            for condition, why in used:
                found = self._connection.scalar(
                    select(ImageRow.hash).where(ImageRow.id.in_(chunk), condition).limit(1)
                )
                if found is not None:
                    raise ImageInUse(found, why)
        for chunk in in_chunks(image_ids):
            self._connection.execute(
                update(ImageRow).where(ImageRow.id.in_(chunk)).values(role=role)
            )

    # ------------------------------------------------------------------------------------ reading
    def get(self, image_id: int) -> Image:
        """Raises NotInProject for an unknown id."""
        image = self._one(ImageRow.id == image_id)
        if image is None:
            raise NotInProject("image", image_id)
        return image

    def by_hash(self, content_hash: str) -> Image | None:
        """The image with this content; None for unknown content."""
        return self._one(ImageRow.hash == content_hash)

    def _one(self, condition: object) -> Image | None:
        row = self._connection.execute(
            select(
                ImageRow.id, ImageRow.hash, ImageRow.role, ImageRow.width, ImageRow.height
            ).where(
                condition  # type: ignore[arg-type]
            )
        ).one_or_none()
        if row is None:
            return None
        paths = self._connection.execute(
            select(ImageRootRow.root, ImagePathRow.path)
            .join(ImageRootRow)
            .where(ImagePathRow.image_id == row.id)
            .order_by(ImagePathRow.id)
        )
        return Image(*row, paths=tuple(joined(root, path) for root, path in paths))

    def by_path(self, path: str) -> Image | None:
        """The image with this path; else the only image whose path ends with `/` and this path.

        Paths are compared as Unicode says that they are equal; see `core.names`.
        """
        wanted = composed(path.removeprefix("./"))
        name = wanted.rpartition("/")[2]
        rows = self._connection.execute(
            select(ImageRootRow.root, ImagePathRow.path, ImagePathRow.image_id)
            .join(ImageRootRow)
            .where(ImagePathRow.name.in_({name, unicodedata.normalize("NFD", name)}))
            .order_by(ImagePathRow.id)
        )
        holds = {composed(joined(root, rest)): image for root, rest, image in rows}  # newest wins
        if wanted in holds:
            return self.get(holds[wanted])
        ending = {image for place, image in holds.items() if place.endswith("/" + wanted)}
        return self.get(ending.pop()) if len(ending) == 1 else None

    def ids_and_hashes(self, role: Role) -> list[tuple[int, str]]:
        """(image id, content hash) of every image with this role, by id."""
        result = self._connection.execute(
            select(ImageRow.id, ImageRow.hash).where(ImageRow.role == role).order_by(ImageRow.id)
        )
        # The rows of the driver are plain tuples; a million of them need no further objects.
        with result:
            return result.cursor.fetchall()  # type: ignore[return-value]

    def hashes_and_paths(self, role: Role) -> list[tuple[str, str]]:
        """(content hash, the newest place where it was found) of every image with this role."""
        newest = (
            select(func.max(ImagePathRow.id).label("id")).group_by(ImagePathRow.image_id).subquery()
        )
        rows = self._connection.execute(
            select(ImageRow.hash, ImageRootRow.root, ImagePathRow.path)
            .join(ImagePathRow, ImagePathRow.image_id == ImageRow.id)
            .join(newest, newest.c.id == ImagePathRow.id)
            .join(ImageRootRow, ImageRootRow.id == ImagePathRow.root_id)
            .where(ImageRow.role == role)
            .order_by(ImageRow.id)
        )
        return [(content, joined(root, path)) for content, root, path in rows]

    def count(self, role: Role) -> int:
        """How many images have this role."""
        total = select(func.count()).select_from(ImageRow).where(ImageRow.role == role)
        return self._connection.scalar(total) or 0

    def quarantined(self) -> list[QuarantinedFile]:
        """Files that could not be read, with the reason."""
        rows = self._connection.execute(
            select(
                ImageRootRow.root,
                QuarantinedFileRow.path,
                QuarantinedFileRow.code,
                QuarantinedFileRow.detail,
            )
            .join(ImageRootRow)
            .order_by(ImageRootRow.root, QuarantinedFileRow.path)
        )
        return [
            QuarantinedFile(joined(root, path), code, detail) for root, path, code, detail in rows
        ]


class Tally:
    """Counts of the files of one import."""

    def __init__(self) -> None:
        self.new = self.known = self.duplicates = 0
