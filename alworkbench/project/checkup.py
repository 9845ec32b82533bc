"""A full check of a project: database, image files, features, posterior, learner and class names.

Everything is read; nothing is changed but the recorded modification times of image files that are intact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch

from alworkbench.core.domain import Role
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.project.class_texts import same_names
from alworkbench.project.computed_learner import learner_files
from alworkbench.project.image_files import FileFault, file_faults, hashes_of, in_words
from alworkbench.project.integrity import verify
from alworkbench.project.mass_refusal import reasons_in_words, reasons_of
from alworkbench.project.repairs import Repair, find_repairs
from alworkbench.project.session import Session

BLOCK = 4096
"""Rows of features that are read at once."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with a project."""

    part: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checkup:
    """What a full check found."""

    images: int
    """Images whose files were read."""
    findings: tuple[Finding, ...]
    files: tuple[FileFault, ...]
    """Images without a file that holds them."""
    repairs: tuple[Repair, ...] = ()
    """What `alworkbench doctor --repair` can do."""

    @property
    def healthy(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def check_up(session: Session, progress: Progress = silent, *, record: bool = True) -> Checkup:
    """Check everything that a project consists of.

    With `record`, modification times of intact image files are recorded, so that later checks are quick;
    a project that cannot be written is checked without that.
    """
    record = record and not session.read_only
    faults = file_faults(session, full=True, record=record, progress=progress)
    damaged = verify(session.folder, progress).damaged
    repairs = find_repairs(session, damaged)
    with session.store.read() as reader:
        images = sum(reader.images.count(role) for role in Role)
        findings = [
            *_database(reader),
            *_files(session, reader, faults),
            *_features(session, reader),
            *_stored_files(session, reader, damaged),
        ]
    findings += _class_names(session)
    findings += [
        Finding(each.name, each.found, "alworkbench doctor --repair mends it.") for each in repairs
    ]
    return Checkup(images, tuple(findings), tuple(faults), tuple(repairs))


def _database(reader: Reader) -> Iterator[Finding]:
    for fault in reader.faults():
        yield Finding("database", fault, "Restore project.db from a backup.")


def _files(session: Session, reader: Reader, faults: list[FileFault]) -> Iterator[Finding]:
    if faults:
        yield Finding(
            "image files",
            in_words(faults),
            "Bring the files back, or import them from where they are now (alworkbench import FOLDER). "
            "They are not asked until then; their labels are kept.",
        )
    lost, current = hashes_of(faults), reader.rounds.current()
    if current is None or not lost:
        return
    asked = [item for item in reader.rounds.items(current.id) if not item.complete]
    gone = sum(reader.images.get(item.image_id).hash in lost for item in asked)
    if gone:
        yield Finding(
            f"round {current.number}",
            f"{gone} images that it asks have no file",
            "Bring the files back, or skip these images on the labelling page.",
        )


def _features(session: Session, reader: Reader) -> Iterator[Finding]:
    record = reader.computed.encoder()
    if record is None:
        return
    store = FeatureStore(session.folder.features / record.id)
    table: FeatureTable | None = None
    yield from _attempt("features", store.encoder)
    try:
        table = store.open_table()
    except WorkbenchError as error:
        yield Finding("features", str(error), "The message names the folder to delete.")
        return
    broken = _broken_rows(table)
    if broken:
        yield Finding(
            "features",
            f"{broken} rows hold numbers that are not finite",
            "Delete the folder of features, and run alworkbench encode.",
        )
    hashes = [content for role in Role for _, content in reader.images.ids_and_hashes(role)]
    refused = table.quarantined()
    without = [content for content, has in zip(hashes, table.has(hashes), strict=True) if not has]
    set_aside = [content for content in without if content in refused]
    if set_aside:
        reasons = reasons_in_words(reasons_of(store.refused(), set_aside))
        yield Finding(
            "features",
            f"the encoder set {len(set_aside)} images aside: {reasons}",
            "Mend the files and import them again, then run alworkbench encode.",
        )
    if missing := len(without) - len(set_aside):
        yield Finding("features", f"{missing} images have none yet", "Run alworkbench encode.")


def _broken_rows(table: FeatureTable) -> int:
    """Rows with an infinite number or NaN. Reads all features."""
    return sum(
        int((~torch.isfinite(block.activations.float()).all(dim=1)).sum())
        for _, block in table.blocks(torch.from_numpy(np.arange(len(table))), BLOCK, "cpu")
    )


def _stored_files(
    session: Session, reader: Reader, damaged: Mapping[str, str]
) -> Iterator[Finding]:
    """What is damaged, and the files to which the database refers."""
    for name, problem in damaged.items():
        yield Finding(name, problem, "Restore it from a backup, or make it again.")
    folder = session.folder.path
    encoder = reader.computed.encoder()
    posterior = reader.computed.posterior(encoder.id) if encoder else None
    learner = reader.computed.learner()
    for part, record in (("posterior", posterior), ("learner", learner)):
        if record is not None and not (folder / record.file).is_file():
            yield Finding(
                part, f"{record.file} is missing", "Restore it from a backup, or make it again."
            )
    in_use = {record.file for record in (posterior, learner) if record is not None}
    earlier = {each.file for each in reader.computed.posteriors()} | learner_files(reader)
    lost = [file for file in sorted(earlier - in_use) if not (folder / file).is_file()]
    if lost:
        yield Finding(
            "earlier models",
            f"{len(lost)} files of earlier posteriors or learners are missing, such as {lost[0]}",
            "Restore them from a backup. Without them, earlier rounds cannot be measured again.",
        )


def _attempt(part: str, read: Callable[[], object]) -> Iterator[Finding]:
    try:
        read()
    except WorkbenchError as error:
        yield Finding(part, str(error), "Restore the file from a backup, or make it again.")


def _class_names(session: Session) -> Iterator[Finding]:
    try:
        groups = same_names(session, session.classes())
    except WorkbenchError:  # its file is damaged, which is another finding
        return
    for group in groups:
        yield Finding(
            "class names",
            f"the model reads {', '.join(group)} as the same text",
            "Use other templates: alworkbench prompts use.",
        )
