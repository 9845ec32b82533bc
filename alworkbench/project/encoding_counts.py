"""How many images of a project have features: counted again when images or features change.

A page reads the state of the project each time it is drawn. To compare the content hashes of all images with
those of all features takes a second for some 100,000 images.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from alworkbench.core.domain import EncoderRecord, Role
from alworkbench.core.kept_values import KeptValues
from alworkbench.core.ports import Reader
from alworkbench.features.shard import refused_files, shards_mark
from alworkbench.project.mass_refusal import reasons_of
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class EncodingCounts:
    """Images with and without features."""

    encoded: int
    """In pool and audit set."""
    refused: Mapping[str, int]
    """Why images have no features although they were encoded -> how many."""
    pool_without: frozenset[int]
    """Ids of the images of the pool that have no features."""


def encoding_counts(session: Session, reader: Reader, encoder: EncoderRecord) -> EncodingCounts:
    """Count them, or give what was counted while images and features were the same. Loads no tensors."""
    folder = session.folder.features / encoder.id
    if not session.has_files:  # the features are in memory
        return _counted(session, reader, encoder)
    mark = (str(folder.resolve()), reader.images.mark(), shards_mark(folder))
    return _KEPT.of(mark, lambda: _counted(session, reader, encoder))


_KEPT: KeptValues[EncodingCounts] = KeptValues(most=8)


def _counted(session: Session, reader: Reader, encoder: EncoderRecord) -> EncodingCounts:
    known = session.encoded()
    pool, audit = (reader.images.ids_and_hashes(role) for role in (Role.POOL, Role.AUDIT))
    lost = [content for _, content in (*pool, *audit) if content not in known]
    refused: Mapping[str, int] = {}
    if lost:
        refused = reasons_of(refused_files(session.folder.features / encoder.id), lost)
    return EncodingCounts(
        len(pool) + len(audit) - len(lost),
        refused,
        frozenset(image for image, content in pool if content not in known),
    )
