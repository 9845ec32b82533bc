"""Finished simulations, and what each of their learners was measured to be worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from sqlalchemy import Connection, insert, select

from alworkbench.core.domain import POINT_COLUMNS, SimulationPoint, SimulationRecord
from store.repositories.common import in_chunks, new_id
from store.schema import SimulationPointRow, SimulationRow


class SimulationRepository:
    """See `ports.Simulations`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, record: SimulationRecord, points: Sequence[SimulationPoint]) -> None:
        """Keep a simulation with its points. One whose key is known already changes nothing."""
        known = select(SimulationRow.id).where(SimulationRow.key == record.key)
        if self._connection.scalar(known) is not None:
            return
        values = asdict(record)
        simulation = new_id(self._connection, insert(SimulationRow).values(values))
        for chunk in in_chunks(points):
            self._connection.execute(
                insert(SimulationPointRow),
                [{"simulation_id": simulation, **point.as_row()} for point in chunk],
            )

    def all(self) -> list[SimulationRecord]:
        """Oldest first."""
        columns = (
            SimulationRow.key,
            SimulationRow.name,
            SimulationRow.created_at,
            SimulationRow.plan,
            SimulationRow.facts,
        )
        order = (SimulationRow.created_at, SimulationRow.id)
        rows = self._connection.execute(select(*columns).order_by(*order))
        return [SimulationRecord(*row) for row in rows]

    def points(self, key: str) -> list[SimulationPoint]:
        """In the order in which they were added; none for an unknown key."""
        columns = [getattr(SimulationPointRow, name) for name in POINT_COLUMNS]
        rows = self._connection.execute(
            select(*columns)
            .join(SimulationRow, SimulationRow.id == SimulationPointRow.simulation_id)
            .where(SimulationRow.key == key)
            .order_by(SimulationPointRow.id)
        )
        return [
            SimulationPoint.from_row(dict(zip(POINT_COLUMNS, row, strict=True))) for row in rows
        ]
