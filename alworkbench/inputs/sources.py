"""Sources of images: a folder tree, a CSV manifest, or an archive of either.

Opening a source counts its files and refuses a source without any. Reading gives the files as a stream,
in an order that depends only on their names. A file that is not a usable picture becomes a
`QuarantinedFile`, and reading continues. An archive is unpacked first and then read as a folder.
"""

from __future__ import annotations

import stat
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.domain import FoundImage, QuarantineCode, QuarantinedFile
from alworkbench.core.errors import NothingToImport, UnreadableSource
from alworkbench.core.names import as_on_disk
from alworkbench.core.progress import Progress, silent
from alworkbench.core.words import counted
from alworkbench.inputs.archives import ArchiveLimits, is_archive, unpack
from alworkbench.inputs.exported_folder import exported_folder
from alworkbench.inputs.formats import suffixes
from alworkbench.inputs.inspecting import Outcome, inspect_files
from alworkbench.inputs.label_formats.mapping import OUR_OWN, ColumnMapping
from alworkbench.inputs.manifests import count_rows, read_manifest
from alworkbench.inputs.picture import Undecodable
from alworkbench.inputs.tree_walk import LOOP, OUTSIDE, Candidate, walk, within

MANIFEST = "manifest.csv"
"""If a folder has this file at its top, the manifest decides what is read."""


@dataclass(frozen=True, slots=True)
class Source:
    """An opened source. `files` files will be read; the others are skipped."""

    root: Path
    """The folder that every path is relative to."""
    manifest: Path | None
    labelled: bool
    follow_links: bool
    """Whether links that lead out of the folder are followed."""
    files: int
    skipped: Mapping[str, int]
    """Suffix, `hidden` or `link to a folder` -> how many files are not read for that reason, sorted."""
    mapping: ColumnMapping = OUR_OWN
    """How the columns of the manifest are read."""

    def read(
        self, *, workers: int | None = None, white: int | None = None, progress: Progress = silent
    ) -> Iterator[FoundImage | QuarantinedFile]:
        """Every file once: a folder by names, a manifest by lines.

        Files are decoded by `workers` processes (by default one for each processor), a few at a time. `white`
        counts for files of 16 bits that do not say what is white.
        """
        outside = None if self.follow_links else self.root.resolve()
        waiting: deque[_Looked] = deque()

        def to_inspect() -> Iterator[Path]:
            for candidate in self._candidates():
                waiting.append(_look(self.root, outside, candidate))
                if waiting[-1].refusal is None:
                    yield waiting[-1].path

        def found() -> Iterator[FoundImage | QuarantinedFile]:
            for outcome in inspected:
                while waiting[0].refusal is not None:
                    yield _result(waiting.popleft(), None)
                yield _result(waiting.popleft(), outcome)
            while waiting:
                yield _result(waiting.popleft(), None)

        with closing(inspect_files(to_inspect(), white=white, workers=workers)) as inspected:
            for done, each in enumerate(found(), start=1):
                progress("reading images", done, max(done, self.files))
                yield each

    def _candidates(self) -> Iterator[Candidate]:
        if self.manifest is None:
            export = exported_folder(self.root)
            for candidate in walk(
                self.root, labelled=self.labelled, follow_links=self.follow_links
            ):
                if isinstance(candidate, Candidate):
                    yield candidate if export is None else export.candidate(candidate)
        else:
            for row in read_manifest(self.manifest, self.mapping):
                yield Candidate(row.path, row.label, row.split, row.hash, row.refusal)


def read_source(
    location: Path,
    *,
    into: Path | None = None,
    labelled: bool = False,
    follow_links: bool = False,
    mapping: ColumnMapping = OUR_OWN,
    limits: ArchiveLimits | None = None,
    progress: Progress = silent,
) -> Source:
    """Open a folder, a manifest (.csv), or a zip or tar archive, which is unpacked below `into`.

    With `labelled`, the name of the folder that holds a picture is its class (except for the top
    folder); a manifest has its own labels. `follow_links` reads what links lead to outside of the folder;
    `tree_walk` states the rule. `mapping` says how the columns of a manifest are read. Raises
    UnreadableSource if the location does not exist or is something else, NothingToImport if it holds no
    image.
    """
    location = as_on_disk(Path(location))
    try:
        mode = location.stat().st_mode
    except OSError as error:
        raise UnreadableSource(
            f"{location} cannot be read: {error.strerror}. Name a folder of images, a CSV manifest, "
            f"or a zip or tar archive: `alworkbench import FOLDER`."
        ) from error
    if stat.S_ISDIR(mode) and (location / MANIFEST).is_file():
        location, mode = location / MANIFEST, stat.S_IFREG
    if stat.S_ISREG(mode) and location.suffix.lower() == ".csv":
        return _open_manifest(location, follow_links, mapping)
    if mapping != OUR_OWN:
        raise UnreadableSource(
            f"{location} is no CSV manifest, so it has no columns or splits to name. Nothing was imported. "
            f"Leave out these options, or name the manifest."
        )
    if stat.S_ISDIR(mode):
        return _open_folder(location, labelled, follow_links, progress)
    if stat.S_ISREG(mode) and is_archive(location):
        if into is None:
            raise ValueError("an archive needs a folder for its files")
        folder = unpack(location, into, limits=limits, progress=progress)
        # An archive has no links. Its name is known to people, and the folder of its files is not.
        return _open_folder(_inner(folder), labelled, False, progress, named=location)
    raise UnreadableSource(
        f"{location} is not a folder, a CSV manifest, or a zip or tar archive. Import the "
        f"folder of the images: `alworkbench import {location.parent}`."
    )


def _open_folder(
    folder: Path,
    labelled: bool,
    follow_links: bool,
    progress: Progress,
    named: Path | None = None,
) -> Source:
    """`named` is the archive that the folder was unpacked from."""
    if (folder / MANIFEST).is_file():
        return _open_manifest(folder / MANIFEST, follow_links)
    files = 0
    skipped: Counter[str] = Counter()
    for number, candidate in enumerate(
        walk(folder, labelled=labelled, follow_links=follow_links), start=1
    ):
        if isinstance(candidate, Candidate):
            files += 1
        else:
            skipped[candidate] += 1
        if number % 1000 == 0:
            progress("looking for images", number, 0)
    if not files:
        raise NothingToImport(_without_images(named or folder, skipped, archive=named is not None))
    return Source(folder, None, labelled, follow_links, files, dict(sorted(skipped.items())))


def _without_images(place: Path, skipped: Counter[str], *, archive: bool) -> str:
    """What is wrong with a source without images, and what to do."""
    advice = (
        "Pack the folder with the images into a new archive, or choose another one."
        if archive
        else "Name the folder of the images: `alworkbench import FOLDER`."
    )
    if not skipped:
        return f"{place} is empty: it holds no file. {advice}"
    return (
        f"{place} holds no image, but {counted(skipped.total(), 'other file')} "
        f"({skipped_in_words(skipped)}). The name of an image ends in {', '.join(sorted(suffixes()))} and "
        f"does not begin with a dot. {advice}"
    )


def skipped_in_words(skipped: Mapping[str, int]) -> str:
    """`12 .heic, 3 hidden`: the most frequent reason first."""
    ordered = sorted(skipped.items(), key=lambda each: (-each[1], each[0]))
    return ", ".join(f"{count} {reason}" for reason, count in ordered)


def _open_manifest(manifest: Path, follow_links: bool, mapping: ColumnMapping = OUR_OWN) -> Source:
    files = count_rows(manifest, mapping)
    if not files:
        raise NothingToImport(
            f"The manifest {manifest} lists no file below its first line. Add a line for each "
            f"image, then run `alworkbench import {manifest}` again."
        )
    root = mapping.root or manifest.parent
    return Source(root, manifest, True, follow_links, files, {}, mapping)


def _inner(folder: Path) -> Path:
    """The folder that was archived: many archives hold one folder around everything."""
    while True:
        inside = [e for e in folder.iterdir() if e.name != "__MACOSX" and e.name[0] != "."]
        if len(inside) != 1 or not inside[0].is_dir():
            return folder
        folder = inside[0]


# ------------------------------------------------------------------------------- looking into a file


@dataclass(frozen=True, slots=True)
class _Looked:
    """A candidate, and what a look at its place gave."""

    candidate: Candidate
    path: Path
    place: str
    """Its path as the disk spells it, relative to the root."""
    modified_ns: int | None = None
    refusal: str | None = None
    """Why the file must not be opened. Reading a pipe, for example, would never end."""


def _look(root: Path, real_root: Path | None, candidate: Candidate) -> _Looked:
    """Look at the place of a candidate; with `real_root`, it must be below that after all links."""
    if candidate.refusal is not None:
        return _Looked(candidate, root, candidate.path, refusal=candidate.refusal)
    # A manifest may spell a name in another way than the disk.
    path = as_on_disk(root / candidate.path)
    place = path.relative_to(root).as_posix()
    modified = refusal = None
    try:
        status = path.stat()
        modified = status.st_mtime_ns  # before the file is read: later changes show
        if not stat.S_ISREG(status.st_mode):
            refusal = "it is no plain file"
        elif real_root is not None and not within(path, real_root):
            refusal = OUTSIDE
    except RuntimeError:
        refusal = LOOP
    except OSError as error:
        refusal = error.strerror or str(error)
    return _Looked(candidate, path, place, modified, refusal)


def _result(looked: _Looked, outcome: Outcome | None) -> FoundImage | QuarantinedFile:
    """What was found at a place; `outcome` is None for a file that was not opened."""
    candidate = looked.candidate
    if isinstance(outcome, Undecodable):
        return QuarantinedFile(looked.place, outcome.code, outcome.detail)
    if outcome is None:
        return QuarantinedFile(looked.place, QuarantineCode.IO, looked.refusal or "")
    if candidate.hash not in (None, outcome.hash):
        refusal = f"its SHA-256 is {outcome.hash}, and the manifest says {candidate.hash}"
        return QuarantinedFile(looked.place, QuarantineCode.IO, refusal)
    return FoundImage(
        hash=outcome.hash,
        path=looked.place,
        bytes=outcome.bytes,
        width=outcome.width,
        height=outcome.height,
        class_name=candidate.class_name,
        split=candidate.split,
        modified_ns=looked.modified_ns,
        depth=outcome.depth,
    )
