"""The values behind a chart: a table for screens, and a CSV file for everybody else."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alworkbench.inputs.formula_guard import harmless

Cell = str | int | float | None
"""None: not known, or not measured."""


@dataclass(frozen=True, slots=True)
class ChartTable:
    """Columns of one length, in the order in which they are shown."""

    columns: Mapping[str, Sequence[Cell]]
    shares: frozenset[str] = frozenset()
    """Names of columns that hold shares between 0 and 1. Screens show them in percent."""

    def csv(self) -> bytes:
        """The table as CSV in UTF-8: whole precision, empty for None, no text that runs as a formula."""
        text = io.StringIO(newline="")
        writer = csv.writer(text)
        writer.writerow([harmless(name) for name in self.columns])
        for row in zip(*self.columns.values(), strict=True):
            writer.writerow(["" if cell is None else harmless(cell) for cell in row])
        return text.getvalue().encode()
