"""What an import of images would do, without storing anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from alworkbench.core.domain import AnswerKind, FoundImage, ImportSummary, Role, RoleMismatch
from alworkbench.core.errors import ClassNotInUse, WorkbenchError
from alworkbench.core.names import composed
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.sources import Source, read_source
from alworkbench.inputs.tree_walk import OUTSIDE
from alworkbench.project.given_labels import GivenLabel, changes
from alworkbench.project.import_plan import (
    MANIFEST_ANNOTATOR,
    ImportPlan,
    by_role,
    plan_import,
)
from alworkbench.project.label_findings import Problem
from alworkbench.project.roles import check_change
from alworkbench.project.session import Session, portable
from alworkbench.project.white_point import choose_white, summarise_depths


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do. Nothing was stored."""

    would: ImportSummary
    """Labels of unknown classes are not counted. `missing` is not looked for."""
    problems: tuple[Problem, ...]
    """Why the import would be refused; empty for one that can be done."""


def preview_import(
    session: Session,
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
    """Read and check a source as `Images.add` does, and say what it would store.

    An archive is unpacked into a temporary folder. Raises WhitePointInUse, UnreadableSource and
    NothingToImport.
    """
    with session.store.read() as reader:
        white = choose_white(session, reader, white_point)
    with TemporaryDirectory() as unpacked:
        source = read_source(
            location,
            into=Path(unpacked),
            labelled=pool_labels or role is Role.AUDIT,
            follow_links=follow_links,
            mapping=mapping,
            progress=progress,
        )
        found, refused = by_role(source.read(white=white, progress=progress), role)
        root = _stored_root(session, source, Path(unpacked))
    with session.store.read() as reader:
        plan = plan_import(reader, location, found, pool_labels, roles)
        images = [image for each in found.values() for image in each]
        would = _counted(reader, root, images)
        moved = 0
        for own, hashes in plan.moves.items():
            ids = plan.ids(reader, hashes)
            moved += len(ids)
            try:
                check_change(session, reader, ids, own)
            except WorkbenchError as error:
                plan.findings.others.append(str(error))
        labelled = _labelled(reader, plan)
        depths = summarise_depths(images)
    return ImportPreview(
        replace(
            would,
            files=would.files + len(refused),
            quarantined=tuple(refused),
            labelled=labelled,
            moved=moved,
            left_out=plan.left_out,
            skipped=source.skipped,
            whites=depths.whites,
            dark=depths.dark,
            dark_brightest=depths.brightest,
            links_out=sum(each.detail == OUTSIDE for each in refused),
        ),
        plan.findings.problems(),
    )


def _stored_root(session: Session, source: Source, unpacked: Path) -> str:
    """The root as the project would store it: an archive would be unpacked into the project."""
    root, temporary = source.root.resolve(), unpacked.resolve()
    if root.is_relative_to(temporary):
        root = session.folder.images / root.relative_to(temporary)
    return portable(session.folder, root)


def _counted(reader: Reader, root: str, images: Iterable[FoundImage]) -> ImportSummary:
    """New images, known files and copies, as the store would count them."""
    at: defaultdict[str, set[str]] = defaultdict(set)
    hashes: set[str] = set()
    for file in reader.images.files():
        at[composed(file.path)].add(file.hash)
        hashes.add(file.hash)
    total = known = new = changed = 0
    for image in images:
        total += 1
        path = image.path.removeprefix("./")
        held = at[composed(path if not root else f"{root.rstrip('/')}/{path}")]
        if image.hash in held:
            known += 1
            continue
        new += image.hash not in hashes
        changed += bool(held)
        held.add(image.hash)
        hashes.add(image.hash)
    return ImportSummary(total, new, known, total - new - known, changed=changed)


def _labelled(reader: Reader, plan: ImportPlan) -> int:
    """Labels that would be recorded: those of new images, and what differs from answers that count."""
    classes = reader.classes.current()
    id_of = {name: id_ for id_, name in classes.given_names.items()}
    image_of = {content: image for r in Role for image, content in reader.images.ids_and_hashes(r)}
    known = [
        GivenLabel(image_of[content], AnswerKind.CLASS, id_of[name])
        for content, name in plan.labels.items()
        if content in image_of
    ]
    fresh = [name for content, name in plan.labels.items() if content not in image_of]
    try:
        if retired := [name for name in fresh if id_of[name] not in classes.counted]:
            raise ClassNotInUse(retired[0], None, "A new label")
        return len(fresh) + len(changes(reader, known, MANIFEST_ANNOTATOR))
    except ClassNotInUse as error:
        plan.findings.others.append(str(error))
        return 0
