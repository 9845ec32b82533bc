"""Sources of images: a folder tree, a CSV manifest, or an archive of either.

Opening a source counts its files and refuses a source without any. Reading gives the files as a stream,
in an order that depends only on their names. A file that is not a usable picture becomes a
`QuarantinedFile`, and reading continues. An archive is unpacked first and then read as a folder.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.domain import FoundImage, QuarantineCode, QuarantinedFile
from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.core.names import as_on_disk, fault_of_name, shown, tidy_name
from alworkbench.core.prefetch import prefetch
from alworkbench.core.progress import Progress, silent
from alworkbench.inputs.archives import ArchiveLimits, is_archive, unpack
from alworkbench.inputs.manifests import count_rows, read_manifest
from alworkbench.inputs.picture import SUFFIXES, Undecodable, inspect_file

MANIFEST = "manifest.csv"
"""If a folder has this file at its top, the manifest decides what is read."""
LOOP = "a link that leads to itself"
THREADS = 4
"""Threads that decode. Decoders release the interpreter lock; each thread holds one picture."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to inspect, or one that is refused without opening it (`refusal` says why)."""

    path: str
    """Relative to the root, forward slashes."""
    class_name: str | None = None
    split: str | None = None
    hash: str | None = None
    """The SHA-256 that the manifest gives."""
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source. `files` files will be read; the others are skipped."""

    root: Path
    """The folder that every path is relative to."""
    manifest: Path | None
    labelled: bool
    files: int
    skipped: Mapping[str, int]
    """Suffix, `hidden` or `link to a folder` -> how many files are not read for that reason, sorted."""

    def read(
        self, *, threads: int = THREADS, progress: Progress = silent
    ) -> Iterator[FoundImage | QuarantinedFile]:
        """Every file once: a folder by names, a manifest by lines. Holds a few pictures at a time."""
        look: Callable[[Candidate], FoundImage | QuarantinedFile] = _Inspector(self.root)
        with closing(
            prefetch(look, self._candidates(), threads=max(1, threads), ahead=4 * threads)
        ) as inspected:
            for done, found in enumerate(inspected, start=1):
                progress("reading images", done, max(done, self.files))
                yield found

    def _candidates(self) -> Iterator[Candidate]:
        if self.manifest is None:
            for candidate in _walk(self.root, self.labelled):
                if isinstance(candidate, Candidate):
                    yield candidate
        else:
            for row in read_manifest(self.manifest):
                yield Candidate(row.path, row.label, row.split, row.hash, row.refusal)


def read_source(
    location: Path,
    *,
    into: Path | None = None,
    labelled: bool = False,
    limits: ArchiveLimits | None = None,
    progress: Progress = silent,
) -> Source:
    """Open a folder, a manifest (.csv), or a zip or tar archive, which is unpacked below `into`.

    With `labelled`, the name of the folder that holds a picture is its class (except for the top
    folder); a manifest has its own labels. Raises UnreadableSource if the location does not exist or is
    something else, NothingToImport if it holds no image.
    """
    location = as_on_disk(Path(location))
    try:
        mode = location.stat().st_mode
    except OSError as error:
        raise UnreadableSource(
            f"{location} cannot be read: {error.strerror}. Name a folder of images, a CSV manifest, "
            f"or a zip or tar archive: `alworkbench import FOLDER`."
        ) from error
    if stat.S_ISDIR(mode):
        return _open_folder(location, labelled, progress)
    if stat.S_ISREG(mode) and location.suffix.lower() == ".csv":
        return _open_manifest(location)
    if stat.S_ISREG(mode) and is_archive(location):
        if into is None:
            raise ValueError("an archive needs a folder for its files")
        folder = unpack(location, into, limits=limits, progress=progress)
        return _open_folder(_inner(folder), labelled, progress)
    raise UnreadableSource(
        f"{location} is not a folder, a CSV manifest, or a zip or tar archive. Import the "
        f"folder of the images: `alworkbench import {location.parent}`."
    )


def _open_folder(folder: Path, labelled: bool, progress: Progress) -> Source:
    if (folder / MANIFEST).is_file():
        return _open_manifest(folder / MANIFEST)
    files = 0
    skipped: Counter[str] = Counter()
    for number, candidate in enumerate(_walk(folder, labelled), start=1):
        if isinstance(candidate, Candidate):
            files += 1
        else:
            skipped[candidate] += 1
        if number % 1000 == 0:
            progress("looking for images", number, 0)
    if not files:
        found = (
            f"{skipped.total()} other files ({skipped_in_words(skipped)})"
            if skipped
            else "nothing at all"
        )
        raise NothingToImport(
            f"{folder} holds no image: {found} was found. The name of an image ends in "
            f"{', '.join(sorted(SUFFIXES))} and does not begin with a dot. "
            f"Name the folder of the images: `alworkbench import FOLDER`."
        )
    return Source(folder, None, labelled, files, dict(sorted(skipped.items())))


def skipped_in_words(skipped: Mapping[str, int]) -> str:
    """`12 .heic, 3 hidden`: the most frequent reason first."""
    ordered = sorted(skipped.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered)


def _open_manifest(manifest: Path) -> Source:
    files = count_rows(manifest)
    if not files:
        raise NothingToImport(
            f"The manifest {manifest} lists no file below its first line. Add a line for each "
            f"image, then run `alworkbench import {manifest}` again."
        )
    return Source(manifest.parent, manifest, True, files, {})


def _inner(folder: Path) -> Path:
    """The folder that was archived: many archives hold one folder around everything."""
    while True:
        inside = [e for e in folder.iterdir() if e.name != "__MACOSX" and e.name[0] != "."]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]


# ----------------------------------------------------------------------------------- walking a tree


def _walk(root: Path, labelled: bool) -> Iterator[Candidate | str]:
    """Every file below the root, depth first by name; a text says why one is skipped."""
    real_root = root.resolve()

    def descend(folder: Path, prefix: str) -> Iterator[Candidate | str]:
        try:
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise UnreadableSource(
                    f"{root} cannot be read: {error.strerror}. Allow reading with `chmod +r`, "
                    f"then run `alworkbench import {root}` again."
                ) from error
            refusal = f"the folder cannot be read: {error.strerror}"
            yield Candidate(shown(prefix.rstrip("/")), refusal=refusal)
            return
        class_name = tidy_name(folder.name) if labelled and prefix else None
        for entry in entries:
            path = prefix + entry.name
            if entry.name.startswith("."):
                yield "hidden"
            elif entry.is_symlink():
                yield _linked(real_root, entry, path, class_name)
            elif entry.is_dir():
                yield from descend(Path(entry.path), path + "/")
            elif Path(entry.name).suffix.lower() not in SUFFIXES:
                yield _suffix(entry)
            elif (fault := fault_of_name(path)) is not None:
                yield Candidate(shown(path), refusal=f"its path {fault}: rename it")
            else:
                yield Candidate(path, class_name)

    yield from descend(root, "")


def _linked(
    root: Path, entry: os.DirEntry[str], path: str, class_name: str | None
) -> Candidate | str:
    """A link to a picture inside the tree is read; a link out of the tree is refused."""
    try:
        target = Path(entry.path).resolve()
    except (OSError, RuntimeError):  # Python 3.13 and newer raise OSError, older ones RuntimeError
        return Candidate(shown(path), refusal=LOOP)
    inside = target.is_relative_to(root)
    if inside and target.is_dir():
        return "link to a folder"  # its files are read at their own place
    image = Path(entry.name).suffix.lower() in SUFFIXES
    if not image and not target.is_dir():
        return _suffix(entry)
    if not inside:
        refusal = "a link that leads out of the folder; import the place that it leads to"
        return Candidate(shown(path), refusal=refusal)
    return Candidate(path, class_name)


def _suffix(entry: os.DirEntry[str]) -> str:
    suffix = Path(entry.name).suffix.lower()
    return shown(suffix) or "without suffix"


# ------------------------------------------------------------------------------- looking into a file


@dataclass(frozen=True, slots=True)
class _Inspector:
    root: Path

    def __call__(self, candidate: Candidate) -> FoundImage | QuarantinedFile:
        refusal = candidate.refusal
        if refusal is not None:
            return QuarantinedFile(candidate.path, QuarantineCode.IO, refusal)
        # A manifest may spell a name in another way than the disk.
        path = as_on_disk(self.root / candidate.path)
        place = path.relative_to(self.root).as_posix()
        if (refusal := self._unfit(path)) is not None:
            return QuarantinedFile(place, QuarantineCode.IO, refusal)
        try:
            modified = path.stat().st_mtime_ns  # before the file is read: later changes show
            found = inspect_file(path)
        except OSError as error:
            return QuarantinedFile(place, QuarantineCode.IO, error.strerror or str(error))
        except Undecodable as error:
            return QuarantinedFile(place, error.code, error.detail)
        if candidate.hash not in (None, found.hash):
            refusal = f"its SHA-256 is {found.hash}, and the manifest says {candidate.hash}"
            return QuarantinedFile(place, QuarantineCode.IO, refusal)
        return FoundImage(
            hash=found.hash,
            path=place,
            bytes=found.bytes,
            width=found.width,
            height=found.height,
            class_name=candidate.class_name,
            split=candidate.split,
            modified_ns=modified,
        )

    def _unfit(self, path: Path) -> str | None:
        """Why the file must not be opened, or None. Reading a pipe, for example, would never end."""
        try:
            if not stat.S_ISREG(path.stat().st_mode):
                return "it is no plain file"
            if not path.resolve().is_relative_to(self.root.resolve()):
                return "a link that leads out of the folder"
        except RuntimeError:
            return LOOP
        except OSError as error:
            return error.strerror or str(error)
        return None
