"""Points as flat rows of a Parquet file, for tools that read tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import POINT_COLUMNS, SimulationPoint

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
    """Write one row for each point. The file appears whole or not at all."""
    table = pa.Table.from_pylist([point.as_row() for point in points], schema=SCHEMA)
    content = pa.BufferOutputStream()
    pq.write_table(table, content)
    write_atomically(path, content.getvalue().to_pybytes())
