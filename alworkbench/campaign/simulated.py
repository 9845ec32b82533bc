"""The plan of a finished simulation, read back from its result, to run it again."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from alworkbench.adaptation.learner import Strengths
from alworkbench.domain import Goal
from alworkbench.errors import InvalidResult
from alworkbench.simulation.plan import OraclePlan, Plan
from alworkbench.simulation.results import SimulationResult


def plan_of(result: SimulationResult) -> Plan:
    """Raises InvalidResult where the result does not describe its plan."""
    described = dict(result.plan)
    try:
        oracle = dict(described.pop("oracle"))
        noise = oracle.pop("noise")
        values: dict[str, Any] = {
            **{name: _tuple(value) for name, value in described.items()},
            "goal": Goal(described["goal"]),
            "strengths": Strengths(**described["strengths"]),
            "oracle": OraclePlan(
                noise=_tuple(noise), **{name: _tuple(value) for name, value in oracle.items()}
            ),
        }
        if unknown := set(values) - {each.name for each in fields(Plan)}:
            raise ValueError(f"its plan has a field that is unknown here: {min(unknown)!r}")
        return Plan(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidResult(result.folder, f"{type(error).__name__}: {error}") from error


def _tuple(value: Any) -> Any:
    """JSON lists as the tuples that they were."""
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value
