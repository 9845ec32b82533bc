"""Records of computed results: encoders, posteriors, learners and measurements."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, insert, select, update

from alworkbench.core.domain import EncoderRecord, LearnerRecord, MetricRecord, PosteriorRecord
from alworkbench.core.errors import NotInProject
from store.repositories.common import new_id
from store.schema import EncoderRow, LearnerRow, MetricRow, PosteriorRow, ProjectRow

# In the order of the fields of the records.
POSTERIOR_COLUMNS = (
    PosteriorRow.id,
    PosteriorRow.encoder_id,
    PosteriorRow.file,
    PosteriorRow.created_at,
    PosteriorRow.provenance,
)
LEARNER_COLUMNS = (
    LearnerRow.id,
    LearnerRow.round_id,
    LearnerRow.posterior_id,
    LearnerRow.class_list_id,
    LearnerRow.file,
    LearnerRow.labels,
    LearnerRow.created_at,
    LearnerRow.settings,
)
METRIC_COLUMNS = (
    MetricRow.round_number,
    MetricRow.learner_id,
    MetricRow.labels,
    MetricRow.audit_images,
    MetricRow.figures,
    MetricRow.measured_at,
)


class ComputedRepository:
    """See `core.repositories.Computed`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # ------------------------------------------------------------------------------------- encoder
    def set_encoder(self, record: EncoderRecord) -> None:
        """Make this the encoder in use. Earlier encoders stay, with their posteriors."""
        known = self._connection.execute(
            update(EncoderRow).where(EncoderRow.id == record.id).values(spec=record.spec)
        )
        if not known.rowcount:
            self._connection.execute(insert(EncoderRow).values(id=record.id, spec=record.spec))
        self._connection.execute(update(ProjectRow).values(encoder_id=record.id))

    def encoder(self) -> EncoderRecord | None:
        """The encoder in use; None before the first encoding."""
        row = self._connection.execute(
            select(EncoderRow.id, EncoderRow.spec).join(
                ProjectRow, ProjectRow.encoder_id == EncoderRow.id
            )
        ).one_or_none()
        return None if row is None else EncoderRecord(*row)

    # ---------------------------------------------------------------------------------- posteriors
    def add_posterior(
        self, encoder_id: str, file: str, provenance: Mapping[str, Any], now: datetime
    ) -> PosteriorRecord:
        """Raises NotInProject for an encoder that was never set."""
        if (
            self._connection.scalar(select(EncoderRow.id).where(EncoderRow.id == encoder_id))
            is None
        ):
            raise NotInProject("encoder", encoder_id)
        id_ = new_id(
            self._connection,
            insert(PosteriorRow).values(
                encoder_id=encoder_id, file=file, created_at=now, provenance=dict(provenance)
            ),
        )
        row = self._connection.execute(
            select(*POSTERIOR_COLUMNS).where(PosteriorRow.id == id_)
        ).one()
        return PosteriorRecord(*row)

    def posterior(self, encoder_id: str) -> PosteriorRecord | None:
        """The newest posterior of this encoder."""
        row = self._connection.execute(
            select(*POSTERIOR_COLUMNS)
            .where(PosteriorRow.encoder_id == encoder_id)
            .order_by(PosteriorRow.id.desc())
            .limit(1)
        ).one_or_none()
        return None if row is None else PosteriorRecord(*row)

    def posteriors(self) -> list[PosteriorRecord]:
        """Every posterior of every encoder, oldest first."""
        rows = self._connection.execute(select(*POSTERIOR_COLUMNS).order_by(PosteriorRow.id))
        return [PosteriorRecord(*row) for row in rows]

    # ------------------------------------------------------------------------------------ learners
    def add_learner(
        self,
        *,
        round_id: int,
        posterior_id: int,
        class_list_id: int,
        file: str,
        labels: int,
        settings: Mapping[str, Any],
        now: datetime,
        ahead: bool = False,
    ) -> LearnerRecord:
        """Record a learner file."""
        return self.get_learner(
            new_id(
                self._connection,
                insert(LearnerRow).values(
                    round_id=round_id,
                    posterior_id=posterior_id,
                    class_list_id=class_list_id,
                    file=file,
                    labels=labels,
                    created_at=now,
                    settings=dict(settings),
                    ahead=ahead,
                ),
            )
        )

    def learner(self) -> LearnerRecord | None:
        """The newest learner, or None before the first round is closed."""
        return self._newest_learner(LearnerRow.ahead.is_(False))

    def learners(self, *, ahead: bool = False) -> list[LearnerRecord]:
        """Every learner, oldest first; with `ahead`, only those that were learned ahead."""
        rows = self._connection.execute(
            select(*LEARNER_COLUMNS).where(LearnerRow.ahead.is_(ahead)).order_by(LearnerRow.id)
        )
        return [LearnerRecord(*row) for row in rows]

    def get_learner(self, learner_id: int) -> LearnerRecord:
        """Raises NotInProject for an unknown id."""
        found = self._newest_learner(LearnerRow.id == learner_id)
        if found is None:
            raise NotInProject("learner", learner_id)
        return found

    def _newest_learner(self, *conditions: ColumnElement[bool]) -> LearnerRecord | None:
        row = self._connection.execute(
            select(*LEARNER_COLUMNS).where(*conditions).order_by(LearnerRow.id.desc()).limit(1)
        ).one_or_none()
        return None if row is None else LearnerRecord(*row)

    # ------------------------------------------------------------------------------------- metrics
    def add_metrics(self, record: MetricRecord) -> None:
        """A second record of the same round and learner replaces the first."""
        self._connection.execute(
            delete(MetricRow).where(
                MetricRow.round_number == record.round_number,
                MetricRow.learner_id.is_not_distinct_from(record.learner_id),
            )
        )
        self._connection.execute(
            insert(MetricRow).values(
                round_number=record.round_number,
                learner_id=record.learner_id,
                labels=record.labels,
                audit_images=record.audit_images,
                figures=dict(record.values),
                measured_at=record.measured_at,
            )
        )

    def metrics(self) -> list[MetricRecord]:
        """By round number, then time."""
        rows = self._connection.execute(
            select(*METRIC_COLUMNS).order_by(
                MetricRow.round_number, MetricRow.measured_at, MetricRow.id
            )
        )
        return [MetricRecord(*row) for row in rows]
