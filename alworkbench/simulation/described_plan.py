"""A plan as a JSON value, and read again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.core.domain import Goal
from alworkbench.core.errors import InvalidResult
from alworkbench.simulation.plan import OraclePlan, Plan


def described_plan(plan: Plan) -> dict[str, Any]:
    """The plan as a JSON value."""
    value: dict[str, Any] = json.loads(json.dumps(asdict(plan)))
    return value


def plan_described(value: Mapping[str, Any], folder: Path) -> Plan:
    """The plan in a JSON value. Raises InvalidResult, which names `folder`, if it describes none."""
    described = dict(value)
    try:
        oracle = dict(described.pop("oracle"))
        noise = oracle.pop("noise")
        values: dict[str, Any] = {
            **{name: _tuple(each) for name, each in described.items()},
            "goal": Goal(described["goal"]),
            "strengths": Strengths(**described["strengths"]),
            "oracle": OraclePlan(
                noise=_tuple(noise), **{name: _tuple(each) for name, each in oracle.items()}
            ),
        }
        if unknown := set(values) - {each.name for each in fields(Plan)}:
            raise ValueError(f"its plan has a field that is unknown here: {min(unknown)!r}")
        return Plan(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidResult(folder, f"{type(error).__name__}: {error}") from error


def _tuple(value: Any) -> Any:
    """JSON lists as the tuples that they were."""
    return tuple(_tuple(each) for each in value) if isinstance(value, list) else value
