"""Which images the newest learner has learned from: they never measure it, whatever role they have now."""

from __future__ import annotations

from alworkbench.core.ports import Reader
from alworkbench.project.session import Session


def learned_hashes(session: Session, reader: Reader) -> frozenset[str]:
    """Content hashes of the images that the newest learner has learned from."""
    newest = reader.computed.learner()
    if newest is None:
        return frozenset()
    from alworkbench.adaptation.learner_file import load_learner

    return frozenset(load_learner(session.folder.path / newest.file).hashes)
