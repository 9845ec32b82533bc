"""Target sets: unlabelled images whose predictions matter, such as a folder from another domain.

A strategy asks for the labels of pool images that teach most about them. They are not of the pool and
not of the audit set: nobody is ever asked about them, and no label of theirs is ever learned from. A
set is kept in the project as `targets/NAME.json`, the content hashes of its images; their features
lie beside all others. The name ends with digits of a hash of the content, so that the same images are
the same set, and a round that names its set can be replayed when the folder is long gone.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import EncoderRecord, FoundImage, ProjectFolder, QuarantinedFile, Role
from alworkbench.core.errors import EncoderMismatch, InvalidTargets, NothingToImport, UnknownEncoder
from alworkbench.core.ports import Store
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.features.encode import encode_images
from alworkbench.features.feature_file import FROM_FILE
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.sources import read_source
from alworkbench.project.artifacts import Engine

FOLDER = "targets"
FORMAT = "alworkbench-targets-1"
MEMBERS = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TargetSet:
    """Images by content, each once, in an order that does not depend on where they lie."""

    name: str
    hashes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.hashes)


@dataclass(frozen=True, slots=True)
class FoundTargets:
    """What a source holds, before it is kept."""

    targets: TargetSet
    places: Mapping[str, Path]
    """Content hash -> where the picture lies."""
    refused: tuple[QuarantinedFile, ...]
    """Files that are no usable pictures: left out."""


def read_targets(
    folder: ProjectFolder, location: Path, progress: Progress = silent
) -> FoundTargets:
    """The images of a folder, CSV manifest or archive (unpacked into the project).

    Labels that come along are not looked at. Raises UnreadableSource, NothingToImport.
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
            f"{location} holds no picture that can be read: {len(refused)} files were refused, the "
            f"first because {refused[0].detail}. A target set needs at least one image."
            if refused
            else f"{location} holds no picture. A target set needs at least one image."
        )
    hashes = tuple(sorted(places))
    return FoundTargets(TargetSet(_name(location, hashes), hashes), places, tuple(refused))


def take_targets(
    folder: ProjectFolder,
    store: Store,
    engine: Engine,
    location: Path,
    *,
    device: torch.device,
    workers: int | None,
    batch_size: int,
    progress: Progress,
) -> TargetSet:
    """Read a source, encode what has no features yet, and keep the set; see `Workbench.take_targets`.

    Raises InvalidTargets where an image of the audit set is among them: what is chosen for an image
    cannot be measured on it. Images of the pool may be; they stay of the pool, and may be asked.
    """
    found = read_targets(folder, location, progress)
    with store.read() as reader:
        audit = {content for _, content in reader.images.ids_and_hashes(Role.AUDIT)}
        record = reader.computed.encoder()
    if shared := sum(content in audit for content in found.targets.hashes):
        raise InvalidTargets(
            str(location),
            f"{shared} of its {len(found.targets)} images are in the audit set, and what is chosen for "
            f"an image cannot be measured on it",
            saved_targets(folder),
        )
    if record is not None and not all(engine.table().has(found.targets.hashes)):
        _encode(folder, record, found, device, workers, batch_size, progress)
    kept = tuple(
        content
        for content, known in zip(
            found.targets.hashes, engine.table().has(found.targets.hashes), strict=True
        )
        if known
    )
    if not kept:
        raise NothingToImport(f"None of the images of {location} could be encoded.")
    targets = TargetSet(_name(location, kept), kept)
    save_targets(folder, targets)
    return targets


def _encode(
    folder: ProjectFolder,
    record: EncoderRecord,
    found: FoundTargets,
    device: torch.device,
    workers: int | None,
    batch_size: int,
    progress: Progress,
) -> None:
    """Into the project's features, with the encoder of the pool."""
    if record.spec.startswith(FROM_FILE):
        raise UnknownEncoder(
            f"The features of this project came from a file ({record.spec}); there is no model that "
            f"could encode target images. Name images whose features the file holds."
        )
    encoder = load_encoder(record.spec, device)
    if encoder.id != record.id:
        raise EncoderMismatch("The project's features", record.id, encoder.id)
    encode_images(
        encoder,
        list(found.places.items()),
        FeatureStore(folder.features / record.id),
        workers=workers,
        batch_size=batch_size,
        progress=progress,
    )


def count_targets(location: Path, progress: Progress = silent) -> int:
    """How many different images a source holds; nothing is kept of it."""
    with tempfile.TemporaryDirectory() as scratch:
        return len(read_targets(ProjectFolder(Path(scratch)), location, progress).targets)


def save_targets(folder: ProjectFolder, targets: TargetSet) -> None:
    """Keep a set under its name; the same set again changes nothing."""
    path = _path(folder, targets.name)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"format": FORMAT, "hashes": list(targets.hashes)}
        write_atomically(path, json.dumps(content, indent=0).encode())


def load_targets(folder: ProjectFolder, name: str) -> TargetSet:
    """A set that was kept. Raises InvalidTargets where there is none of this name, or it is damaged."""
    path = _path(folder, name)
    try:
        found = json.loads(path.read_bytes())
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, needed is {FORMAT!r}")
        hashes = found["hashes"]
        if not hashes or not all(isinstance(h, str) and MEMBERS.fullmatch(h) for h in hashes):
            raise ValueError("its hashes are no list of SHA-256 digests")
        if not name.endswith(_digest(hashes)):
            raise ValueError("its content is not what its name says")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidTargets(name, str(error), saved_targets(folder)) from error
    return TargetSet(name, tuple(hashes))


def saved_targets(folder: ProjectFolder) -> list[str]:
    """Names of the sets that were kept."""
    return sorted(path.stem for path in (folder.path / FOLDER).glob("*.json"))


def targets_of_round(folder: ProjectFolder, settings: Mapping[str, Any]) -> TargetSet | None:
    """The set that a round's settings name; None where the pool itself was the target."""
    name = settings.get("targets")
    return None if name is None else load_targets(folder, str(name))


def _path(folder: ProjectFolder, name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9-]{1,80}", name):
        raise InvalidTargets(name, "that is no name of a set", saved_targets(folder))
    return folder.path / FOLDER / f"{name}.json"


def _name(location: Path, hashes: tuple[str, ...]) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", location.resolve().stem.lower()).strip("-")[:40]
    return f"{words.rstrip('-') or 'targets'}-{_digest(hashes)}"


def _digest(hashes: Any) -> str:
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:12]
