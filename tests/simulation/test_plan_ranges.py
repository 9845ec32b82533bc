"""Every key of a plan refuses values out of range in one sentence that names the key and what it needs."""

from __future__ import annotations

import math

import pytest

from alworkbench.core.errors import InvalidPlan
from alworkbench.simulation.config import SimulationConfig

HUGE = 10**30
NUMBERS = {
    "batch": (0, -1, 2.5, HUGE, math.nan, [0], "ten"),
    "seeds": (0, -1, 2.5, HUGE, math.nan, True),
    "labels": (0, -1, 2.5, HUGE, math.inf),
    "audit": (-1, 2.5, HUGE, math.nan),
    "pool_fraction": (0, -0.5, 1.5, HUGE, math.nan),
    "noise": (1, -0.5, HUGE, math.nan, [], [[0.5, 0.5]], "much"),
    "skip": (1, -0.5, HUGE, math.nan),
    "seconds": (0, -1, HUGE, math.nan, [-1], [math.inf], "soon"),
    "strength_image": (0, -1, HUGE, math.nan),
    "strength_text": (0, -1, HUGE, math.nan),
    "processes": (0, -1, 2.5, HUGE),
}
FIELDS = SimulationConfig.model_fields


@pytest.mark.parametrize(
    ("key", "value"), [(key, value) for key, values in NUMBERS.items() for value in values]
)
def test_a_number_out_of_range_is_refused_with_its_key_and_range(key: str, value: object) -> None:
    with pytest.raises(InvalidPlan) as told:
        SimulationConfig.of({key: value})
    assert key in str(told.value)
    assert str(FIELDS[key].json_schema_extra["needed"]) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("key", sorted(FIELDS))
def test_every_key_refuses_a_value_of_another_type(key: str) -> None:
    with pytest.raises(InvalidPlan, match=key):
        SimulationConfig.of({key: {"a": 1}})


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(InvalidPlan, match="strategys"):
        SimulationConfig.of({"strategys": "random"})
