"""The arms of a plan and its key: baselines add runs of random alone; without them nothing changes."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import BASELINE_METHODS, BASELINE_STRATEGY, Arm
from alworkbench.simulation.plan import Plan

quick = settings(deadline=None, derandomize=True, max_examples=50)
METHODS = ("free-weights", "linearised", "probe")


def some(values: tuple[object, ...], least: int = 1) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, unique=True).map(tuple)


plans = st.fixed_dictionaries(
    {
        "strategies": some(("random", "margin", "coverage")),
        "adaptations": some(METHODS),
        "batch_sizes": some((5, 10)),
        "baselines": some(METHODS, least=0),
    }
)


@quick
@given(plans)
def test_baselines_add_arms_of_random_alone_and_each_once(words: dict[str, Any]) -> None:
    plan = Plan(**words)
    plain = replace(plan, baselines=())
    assert plan.arms[: len(plain.arms)] == plain.arms == plan.compared
    added = plan.arms[len(plain.arms) :]
    wanted = {Arm("random", method, size) for method in plan.baselines for size in plan.batch_sizes}
    assert set(added) == wanted - set(plain.arms)
    assert len(set(plan.arms)) == len(plan.arms)
    assert len(plan.runs()) == plan.seeds * len(plan.arms)
    assert len({run.name for run in plan.runs()}) == len(plan.runs())


@quick
@given(plans)
def test_each_arm_has_a_name_of_its_own(words: dict[str, Any]) -> None:
    plan = Plan(**words)
    names = [arm.words(plan.arms) for arm in plan.arms]
    assert len(set(names)) == len(names)
    for arm, name in zip(plan.arms, names, strict=True):
        alone = sum(other.strategy == arm.strategy for other in plan.arms) == 1
        others = {other.adaptation for other in plan.arms} - {arm.adaptation}
        if arm.strategy == BASELINE_STRATEGY and others:
            assert arm.adaptation in name, "baselines have learners that no other strategy has"
        else:
            assert (name == arm.strategy) == alone


@quick
@given(plans)
def test_a_plan_without_baselines_keeps_its_key_and_each_baseline_changes_it(
    words: dict[str, Any],
) -> None:
    plan = Plan(**words)
    plain = replace(plan, baselines=())
    described = asdict(plain)
    described.pop("baselines")
    text = json.dumps(["code", "data", described], sort_keys=True)
    assert plain.key("data", "code") == hashlib.sha256(text.encode()).hexdigest()[:16]
    assert (plan.key("data", "code") == plain.key("data", "code")) == (plan.baselines == ())


def test_a_plan_has_no_baselines_unless_they_are_named() -> None:
    assert Plan(("random", "margin")).baselines == ()
    arms = Plan(("random", "margin"), ("free-weights",), baselines=BASELINE_METHODS).arms
    assert arms[2:] == (Arm("random", "probe"),)
