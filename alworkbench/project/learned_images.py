"""Which images the newest learner has learned from: they never measure it, whatever role they have now.

They stand in the file of the learner. A file is never read while the store is being written, since every
answer would wait for that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from alworkbench.core.ports import Reader, Writer
from alworkbench.project.session import Session

T = TypeVar("T")


def learned_hashes(session: Session, reader: Reader) -> frozenset[str]:
    """Content hashes of the images that the newest learner has learned from."""
    newest = reader.computed.learner()
    if newest is None:
        return frozenset()
    from alworkbench.adaptation.learner_file import load_learner

    return frozenset(load_learner(session.folder.path / newest.file).hashes)


class OtherLearner(Exception):
    """What is known of learned images is of another learner than the newest, or was not read yet."""


@dataclass(frozen=True, slots=True)
class LearnedImages:
    """The images that one learner has learned from, read before a write block."""

    learner_id: int | None
    """None before the first learner."""
    hashes: frozenset[str]

    @classmethod
    def read(cls, session: Session) -> LearnedImages:
        """Those of the newest learner."""
        with session.store.read() as reader:
            newest = reader.computed.learner()
            return cls(newest.id if newest else None, learned_hashes(session, reader))

    def of_newest(self, reader: Reader) -> frozenset[str]:
        """The content hashes. Raises OtherLearner where a newer learner was stored since."""
        newest = reader.computed.learner()
        if (newest.id if newest else None) != self.learner_id:
            raise OtherLearner
        return self.hashes


NO_LEARNER = LearnedImages(None, frozenset())
"""What is assumed before any file is read: it holds before the first learner."""


def write_knowing_learned(session: Session, work: Callable[[Writer, LearnedImages], T]) -> T:
    """Run `work` in a write block; where it needs the learned images, they are read outside of the block.

    `work` may be run again from the beginning, after what it wrote was taken back: it changes nothing but
    the store. Returns what it returns.
    """
    learned = NO_LEARNER
    while True:
        try:
            with session.store.write() as writer:
                return work(writer, learned)
        except OtherLearner:
            learned = LearnedImages.read(session)
