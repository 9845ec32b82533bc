"""What the model reads of the class names, found once and kept in a file.

The findings follow from the prompts, the encoder and the posterior. Computing them needs tensors. The file
`names.json` beside the features keeps the newest ones, so that the status of a project is read without torch.
It is a cache: it may be deleted, and a file that cannot be read or written costs time only.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import ClassList, EncoderRecord, NameKnowledge, PosteriorRecord
from alworkbench.core.errors import FeaturesMissing
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class NameFindings:
    """What the model reads of the names of one class list."""

    known: tuple[NameKnowledge, ...] = ()
    """What the model knows of each name, in their order; empty where that is unknown."""
    same: tuple[tuple[str, ...], ...] = ()
    """Groups of classes with the same text features."""


def name_findings(
    session: Session, classes: ClassList, encoder: EncoderRecord, posterior: PosteriorRecord | None
) -> NameFindings:
    """The findings on this class list, from the file if it holds them; empty before prompts are encoded."""
    path = session.folder.features / encoder.id / "names.json"
    key = _key(classes, posterior)
    found = _read(path, key)
    if found is None:
        try:
            found = _compute(session, classes, posterior)
        except FeaturesMissing:  # a class was added since; encoding is the next step
            return NameFindings()
        with suppress(OSError):
            write_atomically(path, json.dumps({"key": key, **asdict(found)}, indent=1).encode())
    return found


def _compute(
    session: Session, classes: ClassList, posterior: PosteriorRecord | None
) -> NameFindings:
    """Raises FeaturesMissing before the prompts are encoded."""
    from alworkbench.project.class_texts import same_names
    from alworkbench.project.posteriors import Posteriors

    session.engine().class_activations(classes)
    known = Posteriors(session).known_names(classes, posterior)
    return NameFindings(known, same_names(session, classes))


def _key(classes: ClassList, posterior: PosteriorRecord | None) -> str:
    """A hash of everything that the findings follow from, but for the encoder, whose folder it is."""
    names = [[each.name, *each.prompts] for each in classes.classes]
    read = json.dumps([names, None if posterior is None else posterior.file])
    return hashlib.sha256(read.encode()).hexdigest()


def _read(path: Path, key: str) -> NameFindings | None:
    """The findings in the file; None where it has those of other names, or cannot be read."""
    try:
        held = json.loads(path.read_bytes())
        if held["key"] != key:
            return None
        known = tuple(
            NameKnowledge(str(each["name"]), float(each["leverage"]), int(each["most_captions"]))
            for each in held["known"]
        )
        return NameFindings(known, tuple(tuple(map(str, group)) for group in held["same"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
