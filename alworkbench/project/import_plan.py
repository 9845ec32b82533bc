"""Labels and roles that come with an import of images, checked before anything of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from alworkbench.core.domain import AnswerKind, FoundImage, QuarantinedFile, Role, RoleMismatch
from alworkbench.core.errors import ContradictingLabels
from alworkbench.core.ports import Reader
from alworkbench.inputs.contradictions import Said, contradictions
from alworkbench.project.given_labels import GivenLabel
from alworkbench.project.label_findings import Findings
from alworkbench.project.session import stored_id

MANIFEST_ANNOTATOR = "manifest"
"""Whose answers the labels of a source of images are."""

AUDIT_SPLITS = ("test", "audit")
"""Values of a manifest's column `split` that make an image one of the audit set."""


@dataclass(frozen=True, slots=True)
class ImportPlan:
    """The labels and changes of roles of an import. Images are named by content hash."""

    labels: Mapping[str, str]
    """Image -> class name, of the labels to record."""
    moves: Mapping[Role, Sequence[str]]
    """Role -> images of the project that shall take it."""
    left_out: int
    """Labels that are left out because of the role of their image."""
    findings: Findings
    """What is wrong with the source."""

    def ids(self, reader: Reader, hashes: Iterable[str]) -> list[int]:
        """The image ids of these hashes; all of them are in the project."""
        wanted = set(hashes)
        return [
            image
            for r in Role
            for image, content in reader.images.ids_and_hashes(r)
            if content in wanted
        ]

    def given(self, reader: Reader) -> list[GivenLabel]:
        """The labels as given to images of the project, which has all of the images now."""
        if not self.labels:
            return []
        id_of = {name: stored_id(id_) for id_, name in reader.classes.current().given_names.items()}
        image_of = {
            content: image for r in Role for image, content in reader.images.ids_and_hashes(r)
        }
        return [
            GivenLabel(image_of[content], AnswerKind.CLASS, id_of[name])
            for content, name in self.labels.items()
        ]


def plan_import(
    reader: Reader,
    location: Path,
    found: Mapping[Role, Sequence[FoundImage]],
    pool_labels: bool,
    roles: RoleMismatch,
) -> ImportPlan:
    """What to record of the images that a source puts into each set, and what is wrong with it.

    Parameters are those of `Images.add`.
    """
    findings = Findings(location)
    labelled = {
        own: [f for f in images if f.class_name is not None and (pool_labels or own is Role.AUDIT)]
        for own, images in found.items()
    }
    stated = (Said(f.hash, own.value, f.path) for own, images in found.items() for f in images)
    findings.contradicting_roles += contradictions(stated)
    findings.contradictions += different_classes(f for images in labelled.values() for f in images)
    classes = reader.classes.current()
    with_name = cache(classes.ever_with_name)  # a source names few classes for many images
    labels = {}
    for images in labelled.values():
        for image in images:
            named = with_name(str(image.class_name))
            if named is None:
                findings.unknown_classes.setdefault(str(image.class_name), image.path)
                continue
            labels[image.hash] = named.name

    here = {content: r for r in Role for _, content in reader.images.ids_and_hashes(r)}
    different = {
        own: [
            f
            for f in (images if own is Role.AUDIT else labelled[own])
            if here.get(f.hash, own) is not own
        ]
        for own, images in found.items()
    }
    if roles is RoleMismatch.REFUSE:
        findings.different_roles += [
            f"{f.path} ({own}, here {here[f.hash]})" for own, fs in different.items() for f in fs
        ]
    left_out = 0
    for own, images in different.items():
        for f in images:
            # A label of the audit set becomes one that teaches only if labels of the pool are wanted.
            teaches = own is Role.AUDIT and not pool_labels
            if roles is RoleMismatch.LEAVE_OUT or (roles is RoleMismatch.KEEP and teaches):
                left_out += labels.pop(f.hash, None) is not None
    moves = {
        own: list(dict.fromkeys(f.hash for f in images))
        for own, images in different.items()
        if images
    }
    return ImportPlan(labels, moves if roles is RoleMismatch.CHANGE else {}, left_out, findings)


def refuse_different_classes(location: object, images: Iterable[FoundImage]) -> None:
    """Raises ContradictingLabels where copies of one picture come with different classes."""
    if found := different_classes(images):
        raise ContradictingLabels(location, found)


def different_classes(images: Iterable[FoundImage]) -> list[str]:
    """The copies of one picture that come with different classes; see `contradictions`."""
    return contradictions(
        Said(f.hash, f.class_name, f.path) for f in images if f.class_name is not None
    )


def by_role(
    entries: Iterable[FoundImage | QuarantinedFile], role: Role
) -> tuple[dict[Role, list[FoundImage]], list[QuarantinedFile]]:
    """The images of a source by the set that it puts them into (`role` if it says nothing), and the rest."""
    found: dict[Role, list[FoundImage]] = {Role.POOL: [], Role.AUDIT: []}
    refused: list[QuarantinedFile] = []
    for entry in entries:
        if isinstance(entry, QuarantinedFile):
            refused.append(entry)
        else:
            found[Role.AUDIT if entry.split in AUDIT_SPLITS else role].append(entry)
    return found, refused
