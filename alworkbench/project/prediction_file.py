"""Predictions written as CSV or Parquet, row by row, whole or not at all."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from io import TextIOWrapper
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

from alworkbench.core.atomic_files import atomic_path
from alworkbench.core.errors import InvalidPredictionFile
from alworkbench.inputs.formula_guard import harmless
from alworkbench.project.predictions import Prediction, PredictionRun

SUFFIXES = (".csv", ".parquet")
UNCERTAINTY = ("uncertainty_nats", "epistemic_nats", "aleatoric_nats")
"""Columns of the uncertainty and its two parts, see `uncertainty_parts`. They are not calibrated."""
ROWS_AT_ONCE = 8192
"""Rows of one group of a Parquet file."""


def check_suffix(path: Path) -> None:
    """Raises InvalidPredictionFile for a kind of file that cannot be written."""
    if path.suffix not in SUFFIXES:
        raise InvalidPredictionFile(
            f"Predictions can be written as {' or '.join(SUFFIXES)}, not as "
            f"{path.suffix or 'a file without suffix'!r}. Name the file predictions.csv, for example."
        )


def write_predictions(path: Path, run: PredictionRun, top: int) -> None:
    """Write every prediction with its `top` classes, its learner and its calibration.

    Columns: path, hash, role, class, probability; class_2, probability_2 and so on; those of UNCERTAINTY if
    the run has it; calibration in words; learner (empty: the model before labels). Raises
    InvalidPredictionFile for another kind of file.
    """
    check_suffix(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = prediction_rows(run, top)
    with atomic_path(path) as draft, draft.open("wb") as file:
        if path.suffix == ".csv":
            _write_csv(file, rows, columns(top, run.uncertainty))
        else:
            _write_parquet(file, rows, columns(top, run.uncertainty))


def columns(top: int, uncertainty: bool = False) -> tuple[str, ...]:
    """Names of the columns of a file with so many classes for each image, and with its uncertainty."""
    more = [f"{name}_{k}" for k in range(2, top + 1) for name in ("class", "probability")]
    parts = UNCERTAINTY if uncertainty else ()
    return ("path", "hash", "role", "class", "probability", *more, *parts, "calibration", "learner")


def prediction_rows(run: PredictionRun, top: int) -> Iterator[dict[str, Any]]:
    """The predictions of a run as rows of such a file. Can be read once."""
    return (_row(each, run, top) for each in run.rows)


def _row(each: Prediction, run: PredictionRun, top: int) -> dict[str, Any]:
    ranked: list[Any] = [
        value for pair in zip(each.classes, each.probabilities, strict=True) for value in pair
    ]
    ranked += [None] * (2 * top - len(ranked))  # the list has fewer classes
    found = each.uncertainty
    parts = () if found is None else (found.total, found.epistemic, found.aleatoric)
    of_image = (each.path, each.hash, each.role.value)
    values = (*of_image, *ranked, *parts, run.calibration.words, run.learner_id)
    return dict(zip(columns(top, run.uncertainty), values, strict=True))


def _write_csv(file: BinaryIO, rows: Iterator[Mapping[str, Any]], names: tuple[str, ...]) -> None:
    with TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, names)
        writer.writeheader()
        for row in rows:
            writer.writerow({name: harmless(value) for name, value in row.items()})


def _write_parquet(
    file: BinaryIO, rows: Iterator[Mapping[str, Any]], names: tuple[str, ...]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {name: pa.float64() for name in ("probability", *UNCERTAINTY)}
    kinds["learner"] = pa.int64()
    schema = pa.schema(
        [(name, kinds.get(name, kinds.get(name.split("_")[0], pa.string()))) for name in names]
    )
    with pq.ParquetWriter(file, schema) as writer:
        while group := list(islice(rows, ROWS_AT_ONCE)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))
