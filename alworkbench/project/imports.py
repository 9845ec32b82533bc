"""The images of a project: imported with their labels, and shown as the model saw them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from alworkbench.core.domain import (
    FoundImage,
    Image,
    ImportSummary,
    Role,
    RoleMismatch,
)
from alworkbench.core.errors import (
    ImagesRefused,
    UnknownImage,
)
from alworkbench.core.ports import Writer
from alworkbench.core.prefetch import prefetch
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.picture import DisplayImage, display
from alworkbench.inputs.pixels import MOST
from alworkbench.inputs.sources import read_source
from alworkbench.inputs.tree_walk import OUTSIDE
from alworkbench.inputs.white_point import LEAST
from alworkbench.project.given_labels import record_changes
from alworkbench.project.image_files import THREADS
from alworkbench.project.import_plan import MANIFEST_ANNOTATOR, by_role, plan_import
from alworkbench.project.import_words import unreadable
from alworkbench.project.learned_images import LearnedImages, write_knowing_learned
from alworkbench.project.mass_refusal import counted_reasons, is_mass_refusal, reasons_in_words
from alworkbench.project.renditions import Rendition, Renditions, original_bytes
from alworkbench.project.roles import change_roles, check_change
from alworkbench.project.session import Session, portable, resolve
from alworkbench.project.white_point import choose_white, keep_white, summarise_depths

if TYPE_CHECKING:
    from alworkbench.project.import_preview import ImportPreview

CHUNK = 2000
"""Images that are stored in one transaction: an answer never waits for longer than that takes."""


class Images:
    """Imports images and shows them.

    A source is read and checked to its end before anything of it is stored. A process that is killed while
    it stores may leave images without their labels; the same call completes them.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.renditions = Renditions(session)

    def get(self, image_id: int) -> Image:
        """The image with this id. Raises UnknownImage."""
        with self._session.store.read() as reader:
            return reader.images.get(image_id)

    def some(self, image_ids: Sequence[int]) -> list[Image]:
        """The images with these ids, in this order, read at once. Raises NotInProject."""
        with self._session.store.read() as reader:
            return reader.images.some(image_ids)

    def display(self, content: str) -> DisplayImage:
        """The picture with this content hash as a browser can show it: the pixels that the model saw.

        Raises UnknownImage, or UnreadableSource where the file is gone or was changed.
        """
        with self._session.store.read() as reader:
            image = reader.images.by_hash(content)
            white = reader.settings().white_point
        if image is None:
            raise UnknownImage(content)
        return display(original_bytes(self._session.folder, image), white)

    def rendition(self, content: str, side: int | None = None) -> Rendition:
        """The same picture with at most side x side pixels, kept for the next time; see `Renditions.get`.

        Raises ValueError for a side that is not one of `inputs.rendition.SIDES`, UnknownImage, or
        UnreadableSource where the file is gone or was changed and there is no rendition yet.
        """
        return self.renditions.get(content, side)

    def version(self) -> str:
        """Names the pixels of all pictures as they are shown now; another white point gives another."""
        return self.renditions.version()

    def add(
        self,
        location: Path,
        *,
        role: Role = Role.POOL,
        pool_labels: bool = False,
        roles: RoleMismatch = RoleMismatch.REFUSE,
        follow_links: bool = False,
        white_point: int | None = None,
        mapping: ColumnMapping = OUR_OWN,
        progress: Progress = silent,
    ) -> ImportSummary:
        """Import the images of a folder, CSV manifest or archive: all that can be read, or none.

        Rows of a manifest whose `split` is test or audit go to the audit set, whatever `role` is.
        Labels of the source are recorded for the audit set, and with `pool_labels` for the pool; one that
        counts already is not recorded again. `roles` says what to do with an image that the project has
        in the other set, if the source puts it into the audit set or gives it a label. `follow_links` reads
        what links lead to outside of the folder; `inputs.tree_walk` states the rule. `white_point`, 255 to
        65,535, is what is white in files of 16 bits that do not say so; the project keeps it. `mapping` says
        how the columns of a manifest are named, and what its splits mean.

        Raises ValueError for another `white_point`, WhitePointInUse, UnreadableSource, NothingToImport,
        UnknownClass, DifferentRoles, ContradictingLabels where copies of one picture have different labels or
        roles, and with `RoleMismatch.CHANGE` what `Roles.change` raises without a confirmation. Raises
        ImagesRefused where most files could not be read; the others are in the project then.
        """
        if white_point is not None and not LEAST <= white_point <= MOST:
            raise ValueError(f"the white point {white_point} is not between {LEAST} and {MOST}")
        folder, store = self._session.folder, self._session.store
        with store.read() as reader:
            white = choose_white(self._session, reader, white_point)
        wants_labels = pool_labels or role is Role.AUDIT
        source = read_source(
            location,
            into=folder.images,
            labelled=wants_labels,
            follow_links=follow_links,
            mapping=mapping,
            progress=progress,
        )
        found, refused = by_role(source.read(white=white, progress=progress), role)
        with store.read() as reader:
            plan = plan_import(reader, location, found, pool_labels, roles)
            plan.findings.refuse(reader.classes.current().names)
            for own, hashes in plan.moves.items():
                check_change(self._session, reader, plan.ids(reader, hashes), own)
        root = portable(folder, source.root)
        everything = [image for images in found.values() for image in images]
        depths = summarise_depths(everything)
        total = ImportSummary(0, 0, 0, 0)
        for own, images in found.items():
            for chunk in _chunks(images, CHUNK):
                with store.write() as writer:
                    total = _sum(total, writer.images.add(chunk, [], root=root, role=own))

        def settle(writer: Writer, learned: LearnedImages) -> ImportSummary:
            added = writer.images.add([], refused, root=root, role=role)
            # Another process may have changed a role in the meantime.
            plan = plan_import(writer, location, found, pool_labels, roles)
            plan.findings.refuse(writer.classes.current().names)
            moved = [
                change_roles(self._session, writer, learned, plan.ids(writer, hashes), own)
                for own, hashes in plan.moves.items()
            ]
            keep_white(writer, white_point, everything)
            recorded = record_changes(
                writer,
                plan.given(writer),
                annotator=MANIFEST_ANNOTATOR,
                source="manifest",
                now=self._session.now(),
            )
            return replace(
                _sum(total, added),
                labelled=recorded,
                moved=sum(len(each.images) for each in moved),
                left_out=plan.left_out,
            )

        total = replace(
            write_knowing_learned(self._session, settle),
            missing=self._missing_below(root),
            skipped=source.skipped,
            links_out=sum(each.detail == OUTSIDE for each in refused),
            whites=depths.whites,
            dark=depths.dark,
            dark_brightest=depths.brightest,
        )
        if is_mass_refusal(len(total.quarantined), total.files):
            raise ImagesRefused(
                f"files of {location}",
                len(total.quarantined),
                total.files,
                reasons_in_words(counted_reasons(total.quarantined)),
                f"alworkbench import {location}",
                unreadable(total),
            )
        return total

    def preview(
        self,
        location: Path,
        *,
        role: Role = Role.POOL,
        pool_labels: bool = False,
        roles: RoleMismatch = RoleMismatch.REFUSE,
        follow_links: bool = False,
        white_point: int | None = None,
        mapping: ColumnMapping = OUR_OWN,
        progress: Progress = silent,
    ) -> ImportPreview:
        """What `add` would do with the same parameters; nothing is stored.

        Raises WhitePointInUse, UnreadableSource and NothingToImport.
        """
        from alworkbench.project.import_preview import preview_import

        return preview_import(
            self._session,
            location,
            role=role,
            pool_labels=pool_labels,
            roles=roles,
            follow_links=follow_links,
            white_point=white_point,
            mapping=mapping,
            progress=progress,
        )

    def _missing_below(self, root: str) -> tuple[str, ...]:
        """Stored paths below a root at which there is no file any more."""
        with self._session.store.read() as reader:
            paths = [file.path for file in reader.images.files() if file.current]
        below = [path for path in paths if not root or path.startswith(f"{root.rstrip('/')}/")]
        exists = prefetch(
            lambda path: resolve(self._session.folder, path).exists(),
            below,
            threads=THREADS,
            ahead=64 * THREADS,
        )
        return tuple(path for path, there in zip(below, exists, strict=True) if not there)


def _sum(one: ImportSummary, other: ImportSummary) -> ImportSummary:
    return ImportSummary(
        one.files + other.files,
        one.new + other.new,
        one.known + other.known,
        one.duplicates + other.duplicates,
        (*one.quarantined, *other.quarantined),
        changed=one.changed + other.changed,
    )


def _chunks(images: Iterable[FoundImage], size: int) -> Iterator[list[FoundImage]]:
    iterator = iter(images)
    while chunk := list(islice(iterator, size)):
        yield chunk
