"""Images by content hash, with every path at which they were found."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Connection,
    CursorResult,
    bindparam,
    case,
    exists,
    func,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased

from alworkbench.core.domain import (
    FoundImage,
    Image,
    ImageFile,
    ImportSummary,
    QuarantinedFile,
    Role,
    RoleChange,
)
from alworkbench.core.errors import NotInProject
from alworkbench.core.names import composed
from store.repositories.common import in_chunks
from store.repositories.image_intake import ImageIntake
from store.repositories.places import joined
from store.repositories.roles import role_changes, set_role
from store.role_schema import RoleChangeRow
from store.schema import (
    ImagePathRow,
    ImageRootRow,
    ImageRow,
    QuarantinedFileRow,
)

CURRENT = 1 << 40
"""More than any id of a path."""
READ_AT_ONCE = 8192
"""Images that are Python objects at once while all are read in parts."""


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
        intake = ImageIntake(self._connection, root, role)
        for chunk in in_chunks(found):
            intake.add_found(chunk)
        refused: list[QuarantinedFile] = []
        for files in in_chunks(quarantined):
            intake.add_quarantined(files)
            refused.extend(files)
        return ImportSummary(
            files=intake.new + intake.known + intake.duplicates + len(refused),
            new=intake.new,
            known=intake.known,
            duplicates=intake.duplicates,
            quarantined=tuple(refused),
            changed=intake.changed,
        )

    # -------------------------------------------------------------------------------------- roles
    def set_role(
        self, image_ids: Sequence[int], role: Role, now: datetime, *, on_purpose: bool = False
    ) -> None:
        """Give images a role: all of them, or none. See `core.repositories.Images.set_role`."""
        set_role(self._connection, image_ids, role, now, on_purpose)

    def role_changes(self) -> list[RoleChange]:
        """Every change of a role, oldest first."""
        return role_changes(self._connection)

    # ------------------------------------------------------------------------------------ reading
    def get(self, image_id: int) -> Image:
        """Raises NotInProject for an unknown id."""
        return self.some([image_id])[0]

    def some(self, image_ids: Sequence[int]) -> list[Image]:
        """The images with these ids, in this order. Raises NotInProject."""
        columns = (ImageRow.id, ImageRow.hash, ImageRow.role, ImageRow.width, ImageRow.height)
        found: dict[int, Image] = {}
        for chunk in in_chunks(dict.fromkeys(image_ids)):
            places: dict[int, list[str]] = {}
            for image, root, path in self._connection.execute(
                select(ImagePathRow.image_id, ImageRootRow.root, ImagePathRow.path)
                .join(ImageRootRow, ImageRootRow.id == ImagePathRow.root_id)
                .where(ImagePathRow.image_id.in_(chunk))
                .order_by(ImagePathRow.id)
            ):
                places.setdefault(image, []).append(joined(root, path))
            for row in self._connection.execute(select(*columns).where(ImageRow.id.in_(chunk))):
                found[row.id] = Image(*row, paths=tuple(places.get(row.id, ())))
        for each in image_ids:
            if each not in found:
                raise NotInProject("image", each)
        return [found[each] for each in image_ids]

    def mark(self) -> tuple[int, int]:
        """Ids of the newest image and of the newest change of a role; 0 for none."""
        newest = self._connection.scalar(select(func.max(ImageRow.id)))
        changed = self._connection.scalar(select(func.max(RoleChangeRow.id)))
        return newest or 0, changed or 0

    def newest_place(self) -> int:
        """Id of the place of an image that was found last; 0 for none."""
        return self._connection.scalar(select(func.max(ImagePathRow.id))) or 0

    def by_hash(self, content_hash: str) -> Image | None:
        """The image with this content; None for unknown content."""
        found = self._connection.scalar(select(ImageRow.id).where(ImageRow.hash == content_hash))
        return None if found is None else self.get(found)

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
        with self._ids_and_hashes(role) as result:
            return result.cursor.fetchall()  # type: ignore[return-value]

    def ids_and_hashes_in_parts(self, role: Role) -> Iterator[Sequence[tuple[int, str]]]:
        """See `core.repositories.Images.ids_and_hashes_in_parts`."""
        with self._ids_and_hashes(role) as result:
            while part := result.cursor.fetchmany(READ_AT_ONCE):
                yield part

    def _ids_and_hashes(self, role: Role) -> CursorResult[tuple[int, str]]:
        """Read its `cursor`: the rows of the driver are plain tuples, and need no further objects."""
        return self._connection.execute(
            select(ImageRow.id, ImageRow.hash).where(ImageRow.role == role).order_by(ImageRow.id)
        )

    def known(self, hashes: Iterable[str]) -> set[str]:
        """See `core.repositories.Images.known`."""
        return {
            content
            for part in in_chunks(hashes)
            for content in self._connection.scalars(
                select(ImageRow.hash).where(ImageRow.hash.in_(part))
            )
        }

    def hashes_and_paths(self, role: Role) -> list[tuple[str, str]]:
        """See `core.repositories.Images.hashes_and_paths`."""
        rank = func.max(ImagePathRow.id + case((_is_current(), CURRENT), else_=0))
        newest = select((rank % CURRENT).label("id")).group_by(ImagePathRow.image_id).subquery()
        rows = self._connection.execute(
            select(ImageRow.hash, ImageRootRow.root, ImagePathRow.path)
            .join(ImagePathRow, ImagePathRow.image_id == ImageRow.id)
            .join(newest, newest.c.id == ImagePathRow.id)
            .join(ImageRootRow, ImageRootRow.id == ImagePathRow.root_id)
            .where(ImageRow.role == role)
            .order_by(ImageRow.id)
        )
        return [(content, joined(root, path)) for content, root, path in rows]

    def files(self, hashes: Collection[str] | None = None) -> list[ImageFile]:
        """See `core.repositories.Images.files`."""
        if hashes is None:
            return self._files(true())
        return [
            file
            for chunk in in_chunks(dict.fromkeys(hashes))
            for file in self._files(ImageRow.hash.in_(chunk))
        ]

    def _files(self, condition: ColumnElement[bool]) -> list[ImageFile]:
        current = _is_current()
        rows = self._connection.execute(
            select(
                ImagePathRow.id,
                ImageRow.id,
                ImageRow.hash,
                ImageRootRow.root,
                ImagePathRow.path,
                ImageRow.bytes,
                ImagePathRow.modified_ns,
                current,
            )
            .join(ImageRow, ImagePathRow.image_id == ImageRow.id)
            .join(ImageRootRow, ImageRootRow.id == ImagePathRow.root_id)
            .where(condition)
            .order_by(ImageRow.id, current.desc(), ImagePathRow.id.desc())
        )
        return [
            ImageFile(id_, image, content, joined(root, path), size, modified, bool(is_current))
            for id_, image, content, root, path, size, modified, is_current in rows
        ]

    def record_times(self, times: Mapping[int, int]) -> None:
        """See `core.repositories.Images.record_times`."""
        if times:
            self._connection.execute(
                update(ImagePathRow).where(ImagePathRow.id == bindparam("place")),
                [{"place": place, "modified_ns": when} for place, when in times.items()],
                execution_options={"synchronize_session": None},
            )

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
            ).join(ImageRootRow)
        )
        # Sorted here, because databases sort texts each in their own way.
        return [
            QuarantinedFile(joined(root, path), code, detail)
            for root, path, code, detail in sorted(rows, key=lambda row: (row.root, row.path))
        ]


def _is_current() -> ColumnElement[bool]:
    """Whether a path row is the newest of its path, so that the file there should have its content."""
    later = aliased(ImagePathRow)
    return ~(
        exists()
        .where(
            later.root_id == ImagePathRow.root_id,
            later.path == ImagePathRow.path,
            later.id > ImagePathRow.id,
        )
        .correlate(ImagePathRow)
    )
