"""The honest ruler of a project, and the advice that rests on it."""

from __future__ import annotations

from alworkbench.core.domain import Round
from alworkbench.project import audit_set
from alworkbench.project.accuracy_report import HonestCurve, history, honest_curve
from alworkbench.project.session import OpenProject
from alworkbench.project.status import newest_accuracy
from alworkbench.project.stopping import Advice, advise


class Auditing(OpenProject):
    """Draws the audit set, and reads what was measured with it."""

    def draw_audit(self, count: int, seed: int | None = None) -> Round:
        """Draw images without an answer at random into the audit set, and open a round that asks them.

        Closing it measures and teaches nothing. Images of earlier draws that have no answer come first.
        Raises RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted, ImageInUse.
        """
        engine = self.engine()
        return audit_set.draw(
            self.store, self._rows, engine.encoder_id, count, seed, self._clock, engine.device
        )

    def audit_offer(self, count: int) -> audit_set.AuditOffer:
        """What drawing so many audit images would buy, by the newest accuracy that is known."""
        with self.store.read() as reader:
            known = newest_accuracy(reader.computed.metrics())
            return audit_set.offer(
                reader, count, audit_set.UNKNOWN_ACCURACY if known is None else known
            )

    def honest_curve(self) -> HonestCurve:
        """What the project's records say of its accuracy, each source named for what it is."""
        with self.store.read() as reader:
            return honest_curve(reader, self.folder)

    def advise(self, target: float | None = None) -> Advice:
        """Whether to go on labelling, by what was recorded when rounds were closed."""
        with self.store.read() as reader:
            return advise(history(reader, target))
