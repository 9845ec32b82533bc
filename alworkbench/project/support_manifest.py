"""The manifest of a support set: where it comes from, and whether it still holds.

A manifest lists labelled pictures that people train other models on, often long after it was written. In the
meantime a picture can be moved or edited, and a label can be corrected or taken back.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from alworkbench.core.domain import Role, deciding_label
from alworkbench.core.errors import InvalidSupportManifest
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.core.words import counted
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes
from alworkbench.project.session import Session

FORMAT = "alworkbench-support-2"
_OLDER = "alworkbench-support-1"
"""It does not say where the set comes from."""
NAME = "support.json"
"""Of the manifest in a folder."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a support set was chosen with."""

    project: str
    """Name of the project."""
    class_list: int
    """Version of the class list."""
    encoder: str
    """Id of the encoder."""
    posterior: str | None
    """File of the posterior in the project folder; None if the project has none."""
    learner: int | None
    """Id of the newest learner, as `alworkbench predict` writes it; None before the first one."""


def read_origin(reader: Reader, encoder_id: str) -> Origin:
    """What a support set would be chosen with now."""
    classes, posterior = reader.classes.current(), reader.computed.posterior(encoder_id)
    learner = reader.computed.learner()
    return Origin(
        reader.settings().name,
        classes.id or 0,
        encoder_id,
        posterior.file if posterior else None,
        learner.id if learner else None,
    )


class Drift(StrEnum):
    """Why an image of a manifest can no longer be used as it stands there."""

    MISSING = "missing"
    """There is no readable file at its path."""
    CHANGED = "changed"
    """The file has another content than when the manifest was written."""
    UNKNOWN = "unknown"
    """The project has no image with this content."""
    AUDIT = "audit"
    """The image is now one of the audit set, which nothing may learn from."""
    LABEL = "label"
    """Its label no longer counts: it was corrected, taken back or outvoted, or its class was removed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An image that drifted."""

    path: str
    label: str
    """In the manifest."""
    drift: Drift
    detail: str
    """In words."""


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of a manifest found."""

    manifest: Path
    images: int
    """Images that were checked: all that the manifest lists."""
    findings: tuple[Finding, ...]
    """In the order of the manifest; an image can have two, one of its file and one of its label."""
    notes: tuple[str, ...]
    """What the project has newer than the manifest. It does not spoil the set."""

    @property
    def holds(self) -> bool:
        """Whether no image drifted."""
        return not self.findings

    @property
    def words(self) -> str:
        """Whether the set holds, in a sentence."""
        if self.holds:
            return f"All {counted(self.images, 'image')} are as the manifest says."
        drifted = len({each.path for each in self.findings})
        verb = "is" if drifted == 1 else "are"
        return (
            f"{drifted:,} of {counted(self.images, 'image')} {verb} no longer as the manifest says."
        )


def verify_manifest(session: Session, manifest: Path, progress: Progress = silent) -> Verification:
    """Check the pictures of a manifest, and their labels against the project. Reads all pictures.

    `manifest` is the .json file, or a folder with it. Paths inside of a folder are relative to it. Raises
    InvalidSupportManifest.
    """
    file = manifest / NAME if manifest.is_dir() else manifest
    found = _read(file)
    with session.store.read() as reader:
        classes = reader.classes.current()
        role_of = {
            content: (image, role)
            for role in Role
            for image, content in reader.images.ids_and_hashes(role)
        }
        answers = reader.labels.by_annotator(Role.POOL)
        encoder = reader.computed.encoder()
        now = read_origin(reader, encoder.id) if encoder else None
    # A label that a learner learns from, as in `taught_labels`: classes outside of the list teach nothing.
    label_of: dict[int, str | None] = {}
    place_of = classes.counted
    for image, given in answers.items():
        deciding = deciding_label(given, place_of).class_id
        if deciding in place_of:
            label_of[image] = classes.names[place_of[deciding]]
    findings: list[Finding] = []
    total = len(found["images"])
    for done, image in enumerate(found["images"], start=1):
        path, label, content = image["path"], image["label"], image["sha256"]
        details = [*_of_file(file.parent / path, content)]
        details += _of_label(role_of.get(content), label, label_of)
        findings += [Finding(path, label, drift, detail) for drift, detail in details]
        progress("checking images", done, total)
    notes = tuple(_newer(found, now))
    return Verification(file, total, tuple(findings), notes)


def _of_file(path: Path, content: str) -> Iterator[tuple[Drift, str]]:
    try:
        data = read_bytes(path)
    except Undecodable as error:
        yield Drift.MISSING, f"the file cannot be read ({error.detail})"
        return
    if content_hash(data) != content:
        yield Drift.CHANGED, "the content of the file changed since the manifest was written"


def _of_label(
    known: tuple[int, Role] | None, label: str, label_of: Mapping[int, str | None]
) -> Iterator[tuple[Drift, str]]:
    if known is None:
        yield Drift.UNKNOWN, "the project has no image with this content"
        return
    image, role = known
    if role is Role.AUDIT:
        yield Drift.AUDIT, "the image is now in the audit set, which nothing may learn from"
        return
    counts = label_of.get(image)
    if counts is None:
        yield Drift.LABEL, f"the label {label!r} no longer counts; the image has no label now"
    elif counts != label:
        yield Drift.LABEL, f"the label {label!r} no longer counts; the image is {counts!r} now"


def _newer(found: Mapping[str, Any], now: Origin | None) -> Iterator[str]:
    if found["format"] == _OLDER:
        yield "The manifest has an older form and does not say which project it is from."
        return
    if now is None:
        return
    for name, value in asdict(now).items():
        before = found[name]
        if before != value:
            words = name.replace("_", " ")
            yield f"The {words} was {_said(before)} when the set was chosen, and is {_said(value)} now."


def _said(value: object) -> str:
    return "none" if value is None else str(value)


def _read(file: Path) -> dict[str, Any]:
    """The manifest, with all that a check needs. Raises InvalidSupportManifest."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSupportManifest(file, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # UnicodeDecodeError is a ValueError
        raise InvalidSupportManifest(file, "it is not JSON in UTF-8") from error
    if not isinstance(found, dict) or found.get("format") not in (FORMAT, _OLDER):
        raise InvalidSupportManifest(file, f"its format is not {FORMAT}")
    wanted = ("project", "class_list", "encoder", "posterior", "learner")
    missing = [] if found["format"] == _OLDER else [each for each in wanted if each not in found]
    if missing:
        raise InvalidSupportManifest(file, f"it lacks {', '.join(missing)}")
    images = found.get("images")
    if not isinstance(images, list) or not all(map(_is_image, images)):
        raise InvalidSupportManifest(file, "an image lacks one of path, label and sha256")
    return found


def _is_image(image: object) -> bool:
    names: Sequence[str] = ("path", "label", "sha256")
    return isinstance(image, dict) and all(isinstance(image.get(name), str) for name in names)
