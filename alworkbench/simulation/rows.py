"""Points as flat rows: what the store and Parquet files hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.domain import SimulationPoint, SimulationRecord
from alworkbench.ports import Store
from alworkbench.simulation.plan import Arm, Point
from alworkbench.simulation.results import SimulationResult

ARM_FIELDS = tuple(field.name for field in fields(Arm))

_COUNTS = pa.int64()
_KINDS: dict[str, Any] = {
    "strategy": pa.string(),
    "adaptation": pa.string(),
    **dict.fromkeys(("batch_size", "seed", "round", "labels", "paid", "asked"), _COUNTS),
    "recall": pa.list_(pa.float64()),
    "classes_asked": pa.list_(_COUNTS),
    "images": pa.list_(pa.string()),
    "peak_bytes": _COUNTS,
}
SCHEMA = pa.schema(
    [(field.name, _KINDS.get(field.name, pa.float64())) for field in fields(SimulationPoint)]
)
"""Of points.parquet: one row for each learner of each run."""


def row_of(point: Point) -> SimulationPoint:
    values = {field.name: getattr(point, field.name) for field in fields(point)}
    arm = values.pop("arm")
    return SimulationPoint(**{name: getattr(arm, name) for name in ARM_FIELDS}, **values)


def point_of(row: SimulationPoint) -> Point:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    arm = Arm(**{name: values.pop(name) for name in ARM_FIELDS})
    return Point(arm, **values)


def write_parquet(path: Path, points: Sequence[Point]) -> None:
    """The file appears whole or not at all."""
    table = pa.Table.from_pylist([asdict(row_of(point)) for point in points], schema=SCHEMA)
    draft = path.with_name(f".{path.name}.part")
    pq.write_table(table, draft)
    draft.replace(path)


def read_parquet(path: Path) -> list[Point]:
    rows = pq.read_table(path, schema=SCHEMA).to_pylist()
    lists = ("recall", "classes_asked", "images")
    return [
        point_of(SimulationPoint(**row | {name: tuple(row[name]) for name in lists}))
        for row in rows
    ]


def keep(store: Store, result: SimulationResult) -> None:
    """Have a result in a store, once."""
    record = SimulationRecord(result.key, result.name, result.created_at, result.plan, result.facts)
    with store.write() as writer:
        writer.simulations.add(record, [row_of(point) for point in result.points])
