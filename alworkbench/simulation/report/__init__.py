"""Reports of finished simulations: pictures, a page, text for a CI. Nothing heavy is imported here."""

from alworkbench.simulation.report.text import table_lines
from alworkbench.simulation.results import (
    SimulationResult,
    find_result,
    load_points,
    load_result,
    load_results,
    save_points,
    save_result,
)

__all__ = [
    "SimulationResult",
    "find_result",
    "load_points",
    "load_result",
    "load_results",
    "save_points",
    "save_result",
    "table_lines",
]
