"""Points as flat rows of Parquet files, and results in a store."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.core.domain import POINT_COLUMNS, SimulationPoint, SimulationRecord
from alworkbench.core.ports import Store
from alworkbench.simulation.results import SimulationResult

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
SCHEMA = pa.schema([(name, _KINDS.get(name, pa.float64())) for name in POINT_COLUMNS])
"""Of points.parquet: one row for each learner of each run."""


def write_parquet(path: Path, points: Sequence[SimulationPoint]) -> None:
    """The file appears whole or not at all."""
    table = pa.Table.from_pylist([point.as_row() for point in points], schema=SCHEMA)
    draft = path.with_name(f".{path.name}.part")
    pq.write_table(table, draft)
    draft.replace(path)


def read_parquet(path: Path) -> list[SimulationPoint]:
    """The points of a Parquet file that `write_parquet` wrote."""
    return [SimulationPoint.from_row(row) for row in pq.read_table(path, schema=SCHEMA).to_pylist()]


def keep(store: Store, result: SimulationResult) -> None:
    """Have a result in a store, once."""
    record = SimulationRecord(result.key, result.name, result.created_at, result.plan, result.facts)
    with store.write() as writer:
        writer.simulations.add(record, result.points)
