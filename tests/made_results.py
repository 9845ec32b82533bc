"""Points as a simulation gives them, made from a seed: saturating curves that differ by strategy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from alworkbench.core.domain import Arm, SimulationPoint
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.results import SimulationResult, save_result

SPEEDS = {"random": 60.0, "margin": 90.0, "entropy": 58.0, "epig": 36.0}
"""Labels after which two thirds of the way are gone."""
NOW = datetime(2026, 1, 2, 3, 4, tzinfo=UTC)


def made_points(
    speeds: Mapping[str, float] = SPEEDS,
    seeds: int = 10,
    rounds: int = 10,
    classes: int = 5,
    batch: int = 10,
    adaptation: str = "linearised",
    seed: int = 0,
) -> list[SimulationPoint]:
    """The last class has no image in the test part."""
    random, starts = np.random.default_rng(seed), np.random.default_rng(99)
    base = 0.25 + 0.5 * starts.random(classes)
    points = []
    for each in range(seeds):
        hard = 0.15 * random.standard_normal()
        for strategy, speed in speeds.items():
            own = speed * np.exp(hard + 0.1 * random.standard_normal())
            for turn in range(rounds + 1):
                labels = turn * batch
                recall = base + 0.7 * (0.95 - base) * (1 - np.exp(-labels / own))
                accuracy = float(recall.mean() + (0.004 * random.standard_normal() if turn else 0))
                asked = batch if turn else 0
                classes_asked = random.multinomial(asked, [1 / (classes + 1)] * (classes + 1))
                images = [f"{strategy} {each} {labels} {i}" for i in range(asked)]
                points.append(
                    SimulationPoint(
                        arm=Arm(strategy, adaptation, batch),
                        seed=each,
                        round=turn,
                        labels=labels,
                        paid=labels,
                        asked=labels,
                        accuracy=accuracy,
                        balanced_accuracy=accuracy - 0.01,
                        macro_f1=accuracy - 0.015,
                        nlpd=1.5 - accuracy,
                        brier=1.1 * (1 - accuracy),
                        ece=0.04 + 0.02 * float(random.random()),
                        ece_floor=0.026,
                        recall=(*recall[:-1].tolist(), None),
                        classes_asked=tuple(classes_asked.tolist()),
                        images=tuple(hashlib.sha256(i.encode()).hexdigest() for i in images),
                        seconds_asking=0.05,
                        seconds_learning=0.2,
                        seconds_measuring=0.08,
                        seconds_answering=3.0 * asked,
                        peak_bytes=900_000_000 + 1_000_000 * turn,
                    )
                )
    return points


def made_facts(classes: int = 5) -> dict[str, Any]:
    return {
        "name": "toy <set>",
        "role": "report",
        "encoder": "small",
        "classes": [f"class & {i}" for i in range(classes)],
        "pool": 1000,
        "pool_per_seed": 667,
        "test": 500,
        "near_duplicates": 3,
        "near_duplicate_ratio": 0.5,
        "transductive": False,
        "code": "c0de",
        "versions": {"torch": "2"},
        "threads": 1,
        "processes": 1,
        "oracle": "always right",
        "card": {"source": "made", "licence": "none"},
    }


def made_result(
    folder: Path,
    points: list[SimulationPoint] | None = None,
    key: str = "abc123",
    baselines: tuple[str, ...] = (),
    **facts: Any,
) -> SimulationResult:
    points = made_points() if points is None else points
    strategies = tuple(dict.fromkeys(point.arm.strategy for point in points))
    seeds = len({point.seed for point in points})
    transductive = bool(facts.get("transductive"))
    plan = Plan(strategies, seeds=seeds, transductive=transductive, baselines=baselines)
    described = {**made_facts(len(points[0].recall)), **facts}
    return save_result(folder, "toy <set>: some", key, plan, described, points, NOW)
