"""Target sets: unlabelled images whose predictions matter, such as a folder from another domain.

A strategy asks for labels of pool images that improve the predictions of the target images. A target set
is not part of the pool or of the audit set: nobody is asked about its images, and nothing is learned from
them. The project keeps a set as `targets/NAME.json`, the content hashes of its images; their features
lie with all others. The name ends with a hash of the content: the same images are the same set, and a
round that names its set can be replayed after the folder is gone.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.domain import FoundImage, ProjectFolder, QuarantinedFile, Role
from alworkbench.core.errors import InvalidTargets, NothingToImport
from alworkbench.core.progress import Progress, silent
from alworkbench.features.encode import encode_images
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.sources import read_source
from alworkbench.project.artifacts import load_project_encoder
from alworkbench.project.kept_targets import (
    TargetSet,
    digest_of,
    load_targets,
    save_targets,
    saved_targets,
)
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class FoundTargets:
    """The images of a source, before they are kept as a set."""

    targets: TargetSet
    places: Mapping[str, Path]
    """Content hash -> file."""
    refused: tuple[QuarantinedFile, ...]
    """Files that are no readable pictures."""


def read_targets(
    folder: ProjectFolder, location: Path, progress: Progress = silent
) -> FoundTargets:
    """The images of a folder, CSV manifest or archive (unpacked into the project).

    Labels of the source are ignored. Raises UnreadableSource, NothingToImport.
    """
    source = read_source(location, into=folder.images, labelled=False, progress=progress)
    places: dict[str, Path] = {}
    refused: list[QuarantinedFile] = []
    for entry in source.read(progress=progress):
        if isinstance(entry, FoundImage):
            places.setdefault(entry.hash, source.root / entry.path)
        else:
            refused.append(entry)
    if not places:
        raise NothingToImport(
            f"{location} holds no readable image: {len(refused)} files were refused, the "
            f"first because {refused[0].detail}. A target set needs at least one image."
            if refused
            else f"{location} holds no image. A target set needs at least one image."
        )
    hashes = tuple(sorted(places))
    return FoundTargets(TargetSet(_name(location, hashes), hashes), places, tuple(refused))


class Targets:
    """Keeps target sets in a project."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def names(self) -> list[str]:
        """The names of all kept sets, sorted."""
        return saved_targets(self._session.folder)

    def take(
        self,
        location: Path | str,
        *,
        workers: int | None = None,
        batch_size: int = 64,
        progress: Progress = silent,
    ) -> TargetSet:
        """Keep the images of a folder, manifest or archive as a target set, and encode them.

        The name of a kept set gives that set. Images of the pool may be among them; they stay in the
        pool and may be asked. Raises UnreadableSource, NothingToImport, EncoderMismatch, UnknownEncoder,
        and InvalidTargets where an image of the audit set is among them: an image that decides what is
        labelled cannot measure the result.
        """
        session = self._session
        if not Path(location).exists():
            return load_targets(session.folder, str(location))
        engine = session.engine()
        place = Path(location)
        found = read_targets(session.folder, place, progress)
        with session.store.read() as reader:
            audit = {content for _, content in reader.images.ids_and_hashes(Role.AUDIT)}
            record = reader.computed.encoder()
        if shared := sum(content in audit for content in found.targets.hashes):
            raise InvalidTargets(
                str(place),
                f"{shared} of its {len(found.targets)} images are in the audit set, and images "
                f"that guide the choice of a batch must not measure the model",
                saved_targets(session.folder),
            )
        if record is not None and not all(engine.table().has(found.targets.hashes)):
            encode_images(
                load_project_encoder(
                    record,
                    session.device,
                    "target images",
                    "Name images whose features the file holds.",
                ),
                list(found.places.items()),
                FeatureStore(session.folder.features / record.id),
                workers=workers,
                batch_size=batch_size,
                white=session.settings().white_point,
                progress=progress,
            )
        known = engine.table().has(found.targets.hashes)
        kept = tuple(c for c, has in zip(found.targets.hashes, known, strict=True) if has)
        if not kept:
            raise NothingToImport(f"None of the images of {place} could be encoded.")
        targets = TargetSet(_name(place, kept), kept)
        save_targets(session.folder, targets)
        return targets

    def count(self, location: Path | str, progress: Progress = silent) -> int:
        """How many different images `take` would find. Nothing is kept or encoded."""
        if not Path(location).exists():
            return len(load_targets(self._session.folder, str(location)))
        with tempfile.TemporaryDirectory() as scratch:
            found = read_targets(ProjectFolder(Path(scratch)), Path(location), progress)
            return len(found.targets)


def _name(location: Path, hashes: tuple[str, ...]) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", location.resolve().stem.lower()).strip("-")[:40]
    return f"{words.rstrip('-') or 'targets'}-{digest_of(hashes)}"
