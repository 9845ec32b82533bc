"""The prepared next round: kept, read and dropped."""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, delete, insert, select

from alworkbench.core.domain import AheadLearner, NewRound, PreparedRound
from store.errors import UndecodableJson
from store.prepared_schema import PreparedRoundRow


class PreparedRepository:
    """See `core.repositories.Prepared`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def put(self, prepared: PreparedRound) -> None:
        """Keep this one instead of any other."""
        self.drop()
        batch = asdict(prepared.batch)
        self._connection.execute(
            insert(PreparedRoundRow).values(
                id=1,
                after_round_id=prepared.after_round_id,
                created_at=prepared.created_at,
                learner=asdict(prepared.learner),
                batch=batch,
            )
        )

    def get(self) -> PreparedRound | None:
        """The one that is kept. Raises UndecodableJson, which becomes ProjectDamaged."""
        row = self._connection.execute(
            select(
                PreparedRoundRow.after_round_id,
                PreparedRoundRow.learner,
                PreparedRoundRow.batch,
                PreparedRoundRow.created_at,
            )
        ).one_or_none()
        if row is None:
            return None
        after, learner, batch, created_at = row
        try:
            return PreparedRound(
                after, AheadLearner(**learner), NewRound.from_record(batch), created_at
            )
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise UndecodableJson(f"the prepared round is not one: {error!r}") from error

    def drop(self) -> None:
        """Keep none."""
        self._connection.execute(delete(PreparedRoundRow))
