"""A backup of a whole project, made while people label, and the way back.

A backup is a folder: the database, copied as one state; the files of the project; and a manifest with the
SHA-256 of each. The database comes first. Files are written before the database refers to them and are not
changed afterwards, so that every file to which the copied database refers is there to be copied.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path, PurePosixPath

from alworkbench import __version__
from alworkbench.core.atomic_files import atomic_folder, write_atomically
from alworkbench.core.domain import FoundImage, ImageFile, ProjectFolder, Role
from alworkbench.core.errors import BackupInsideProject, FolderNotEmpty, InvalidBackup
from alworkbench.core.ports import Reader, Store
from alworkbench.core.progress import Progress, silent
from alworkbench.features.shard import DONE
from alworkbench.inputs.picture import hash_file
from alworkbench.project.backup_manifest import (
    DATABASE,
    MANIFEST,
    PICTURES,
    BackedUpFile,
    BackupManifest,
    faults_of_backup,
    read_manifest,
)
from alworkbench.project.session import Session, resolve

CHUNK = 1 << 20
REBUILT = frozenset({"thumbnails", "views", "logs"})
"""Folders of a project that the program makes again: they are not backed up."""
DRAFT = ".part"
"""End of the name of a file or folder that is not finished."""


@dataclass(frozen=True, slots=True)
class BackupSummary:
    """What a backup holds, or what was restored from it."""

    folder: Path
    project: str
    files: int
    bytes: int
    images: int
    labels: int
    """Every label ever recorded, those taken back included."""
    pictures_left_out: int
    """Images none of whose files is in the backup."""


def back_up(
    session: Session, target: Path, *, with_images: bool = False, progress: Progress = silent
) -> BackupSummary:
    """Write a backup of the project to the new folder `target`. Others may label meanwhile.

    With `with_images`, also the picture of every image, wherever it lies. A failure leaves nothing. Raises
    FolderNotEmpty, BackupInsideProject, OutputUnwritable, and ProjectDamaged if the database has a fault.
    """
    project = session.folder.path.resolve()
    if target.resolve().is_relative_to(project):
        raise BackupInsideProject(target)
    _refuse_full(target, "backup")
    with atomic_folder(target) as draft:
        counts = session.store.copy_to(draft / DATABASE)
        with session.store.read() as reader:
            settings, places = reader.settings(), reader.images.files()
        files = {DATABASE: _described(draft / DATABASE)}
        sources = list(_files_of(project, with_images))
        for done, source in enumerate(sources, 1):
            name = source.relative_to(project).as_posix()
            files[name] = _copy(source, draft / name)
            progress("copying files", done, len(sources))
        missing = 0
        if with_images:
            missing = _copy_pictures(session.folder, places, draft, files, progress)
        manifest = BackupManifest(
            program=__version__,
            project=settings.name,
            made_at=session.now(),
            images=counts.images,
            labels=counts.labels,
            pictures_left_out=missing if with_images else counts.images,
            files=files,
        )
        write_atomically(draft / MANIFEST, manifest.model_dump_json(indent=1).encode())
    return _summary(target, manifest)


def restore(
    backup: Path,
    folder: Path,
    open_store: Callable[[Path], Store],
    *,
    move: Callable[[Path], None] | None = None,
    progress: Progress = silent,
) -> BackupSummary:
    """Make the new folder `folder` a project again, as it was when the backup was made.

    Every byte is checked before anything is written. A failure leaves nothing. A backup of an older
    version is upgraded. `open_store` opens the store of a folder; `move` moves the records of a folder to a
    server. Raises InvalidBackup, FolderNotEmpty, OutputUnwritable and ProjectTooNew.
    """
    _refuse_full(folder, "project")
    manifest = read_manifest(backup)
    if faults := faults_of_backup(backup, manifest, progress):
        raise InvalidBackup(backup, faults)
    with atomic_folder(folder) as draft:
        for done, (name, promised) in enumerate(manifest.files.items(), 1):
            if _copy(backup / name, draft / name) != promised:
                raise InvalidBackup(backup, [f"{name} changed while it was read"])
            progress("restoring files", done, len(manifest.files))
        _open_restored(draft, manifest, open_store, backup)
        if move is not None:
            move(draft)
    return _summary(folder, manifest)


def _open_restored(
    draft: Path, manifest: BackupManifest, open_store: Callable[[Path], Store], backup: Path
) -> None:
    """Check and upgrade the restored database, and tell it where the pictures are now."""
    store = open_store(draft)
    try:
        with store.read() as reader:
            found = reader.faults()
            if reader.labels.count() != manifest.labels:
                found.append(f"{DATABASE} holds another number of labels than its manifest")
        if found:
            raise InvalidBackup(backup, found)
        with store.write() as writer:
            # Each picture is known already and keeps its role; this adds the place.
            pictures = list(_restored_pictures(writer, draft, manifest))
            writer.images.add(pictures, [], root=PICTURES, role=Role.POOL)
    finally:
        store.close()


def _restored_pictures(
    reader: Reader, draft: Path, manifest: BackupManifest
) -> Iterator[FoundImage]:
    """The pictures that lay outside of the project folder, at their places inside of it."""
    for name in manifest.files:
        if name.startswith(f"{PICTURES}/"):
            image = reader.images.by_hash(PurePosixPath(name).stem)
            if image is not None:
                status = (draft / name).stat()
                yield FoundImage(
                    image.hash,
                    name.removeprefix(f"{PICTURES}/"),
                    status.st_size,
                    image.width,
                    image.height,
                    modified_ns=status.st_mtime_ns,
                )


def _refuse_full(folder: Path, what: str) -> None:
    """Raises FolderNotEmpty unless the folder is missing or empty."""
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise FolderNotEmpty(folder, what)


def _files_of(project: Path, with_images: bool) -> Iterator[Path]:
    """Every finished file of a project but its database. Links are followed, and no folder twice."""
    images = ProjectFolder(project).images.name
    left_out = REBUILT if with_images else REBUILT | {images}
    seen: set[Path] = set()
    for base, folders, names in os.walk(project, followlinks=True):
        here = Path(base)
        if here.resolve() in seen:
            folders.clear()
            continue
        seen.add(here.resolve())
        if here == project:
            folders[:] = [name for name in folders if name not in left_out]
            pointer = ProjectFolder(project).pointer.name  # the records are in the backup itself
            names = [n for n in names if not n.startswith(DATABASE) and n != pointer]
        folders[:] = sorted(name for name in folders if not name.endswith(DRAFT))
        if here.parent.parent == project / "features" and DONE not in names:
            folders.clear()  # a shard that is being written
            continue
        for name in sorted(names):
            if not name.endswith(DRAFT) and (here / name).is_file():
                yield here / name


def _copy_pictures(
    folder: ProjectFolder,
    places: Sequence[ImageFile],
    draft: Path,
    files: dict[str, BackedUpFile],
    progress: Progress,
) -> int:
    """Copy pictures from outside of the project folder. Returns how many images have no intact file."""
    images = [list(each) for _, each in groupby(places, key=lambda file: file.image_id)]
    missing = 0
    for done, each in enumerate(images, 1):
        missing += not any(_copy_picture(folder, place, draft, files) for place in each)
        progress("copying pictures", done, len(images))
    return missing


def _copy_picture(
    folder: ProjectFolder, place: ImageFile, draft: Path, files: dict[str, BackedUpFile]
) -> bool:
    """Whether the backup holds the picture of this place, which is copied where it lies outside."""
    source = resolve(folder, place.path)
    held = files.get(PurePosixPath(place.path).as_posix())
    if held is not None:
        return held.sha256 == place.hash
    suffix = source.suffix if source.suffix[1:].isalnum() else ""
    name = f"{PICTURES}/{place.hash[:2]}/{place.hash}{suffix.lower()}"
    try:
        copied = _copy(source, draft / name)
    except OSError as error:
        if error.filename is not None and Path(os.fsdecode(error.filename)) == source:
            return False  # it is gone, which doctor tells
        raise
    if copied.sha256 != place.hash:
        (draft / name).unlink()
        return False
    files[name] = copied
    return True


def _copy(source: Path, target: Path) -> BackedUpFile:
    """Copy one file into a folder of `atomic_folder`, which brings it to the disk."""
    target.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    with source.open("rb") as reading, target.open("xb") as writing:
        while chunk := reading.read(CHUNK):
            writing.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return BackedUpFile(bytes=size, sha256=digest.hexdigest())


def _described(path: Path) -> BackedUpFile:
    return BackedUpFile(bytes=path.stat().st_size, sha256=hash_file(path))


def _summary(folder: Path, manifest: BackupManifest) -> BackupSummary:
    return BackupSummary(
        folder,
        manifest.project,
        len(manifest.files),
        sum(file.bytes for file in manifest.files.values()),
        manifest.images,
        manifest.labels,
        manifest.pictures_left_out,
    )
