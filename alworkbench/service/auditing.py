"""The honest ruler of a project, and the advice that rests on it."""

from __future__ import annotations

from alworkbench.campaign import audit
from alworkbench.campaign.curve import HonestCurve, history, honest_curve
from alworkbench.campaign.stopping import Advice, advise
from alworkbench.domain import Round
from alworkbench.service.project import OpenProject
from alworkbench.service.status import newest_accuracy


class Auditing(OpenProject):
    """Draws the audit set, and reads what was measured with it."""

    def draw_audit(self, count: int, seed: int | None = None) -> Round:
        """Draw images without an answer at random into the audit set, and open a round that asks them.

        Closing it measures and teaches nothing. Images of earlier draws that have no answer come first.
        Raises RoundStillOpen, FeaturesMissing, PosteriorMissing, PoolExhausted, ImageInUse.
        """
        engine = self.engine()
        return audit.draw(
            self.store, self._rows, engine.encoder_id, count, seed, self._clock, engine.device
        )

    def audit_offer(self, count: int) -> audit.AuditOffer:
        """What drawing so many audit images would buy, by the newest accuracy that is known."""
        with self.store.read() as reader:
            known = newest_accuracy(reader.computed.metrics())
            return audit.offer(reader, count, audit.UNKNOWN_ACCURACY if known is None else known)

    def honest_curve(self) -> HonestCurve:
        """What the project's records say of its accuracy, each source named for what it is."""
        with self.store.read() as reader:
            return honest_curve(reader, self.folder)

    def advise(self, target: float | None = None) -> Advice:
        """Whether to go on labelling, by what was recorded when rounds were closed."""
        with self.store.read() as reader:
            return advise(history(reader, target))
