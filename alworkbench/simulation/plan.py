"""The plan of a simulation, its runs, and the behaviour of the oracle.

Each round of a run gives one `core.domain.SimulationPoint`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from alworkbench.adaptation.adaptation_settings import Strengths
from alworkbench.core.domain import BASELINE_STRATEGY, DEFAULT_ADAPTATION, Arm, Goal
from alworkbench.core.words import percent

Confusion = tuple[tuple[float, ...], ...]
"""Probability of each answer (columns) by true class (rows). Each row adds up to 1."""


@dataclass(frozen=True, slots=True)
class OraclePlan:
    """How the oracle answers. By default it is always right and answers take no time."""

    noise: float | Confusion = 0.0
    """Share of wrong answers, uniform over the other classes, or a confusion matrix."""
    skip: float = 0.0
    """Share of images that are skipped."""
    seconds: tuple[float, ...] = ()
    """Recorded seconds; each answer takes one of them, drawn at random. Empty: answers take no time."""

    def words(self) -> str:
        """The behaviour in words, for reports."""
        parts = []
        if isinstance(self.noise, tuple):
            right = sum(row[i] for i, row in enumerate(self.noise)) / len(self.noise)
            parts.append(
                f"answers by a confusion matrix ({percent(right, 0)} right on average over classes)"
            )
        elif self.noise:
            parts.append(f"answers wrong {self.noise:.3g} of the time")
        if self.skip:
            parts.append(f"skips {self.skip:.3g} of the images")
        if self.seconds:
            mean = sum(self.seconds) / len(self.seconds)
            parts.append(f"takes {mean:.1f} s an image, as {len(self.seconds)} recorded answers")
        return "; ".join(parts) or "always right"


@dataclass(frozen=True, slots=True)
class Run:
    """One arm with one seed. Runs with equal seeds share pool, audit set and random draws."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """A name that can be a file name."""
        arm = self.arm
        return f"{arm.strategy}-{arm.adaptation}-{arm.batch_size}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Every strategy with every adaptation and batch size, and the baselines; `seeds` times each."""

    strategies: tuple[str, ...]
    adaptations: tuple[str, ...] = (DEFAULT_ADAPTATION,)
    batch_sizes: tuple[int, ...] = (10,)
    seeds: int = 3
    labels: int = 100
    """Images that each run asks, without the audit set."""
    audit: int = 0
    """Images drawn at random from the pool as an audit set before the first round. They are paid for:
    the horizontal axis of curves counts them."""
    pool_fraction: float = 2 / 3
    """Share of the pool that each seed sees, drawn at random so that deterministic strategies vary, too."""
    goal: Goal = Goal.BALANCED
    transductive: bool = False
    """Strategies may look at the test images, never at their labels; every figure says so."""
    oracle: OraclePlan = field(default_factory=OraclePlan)
    strengths: Strengths = field(default_factory=Strengths)
    baselines: tuple[str, ...] = ()
    """Learning methods with which `random` is run too, whatever the other arms learn with."""

    @property
    def compared(self) -> tuple[Arm, ...]:
        """Every combination of strategy, learning method and batch size."""
        return tuple(
            Arm(strategy, adaptation, size)
            for size in self.batch_sizes
            for adaptation in self.adaptations
            for strategy in self.strategies
        )

    @property
    def arms(self) -> tuple[Arm, ...]:
        """The compared arms, then those of the baselines that are not among them."""
        baselines = (
            Arm(BASELINE_STRATEGY, method, size)
            for size in self.batch_sizes
            for method in self.baselines
        )
        return tuple(dict.fromkeys((*self.compared, *baselines)))

    def runs(self) -> list[Run]:
        """Every run, seed by seed; results are listed in this order."""
        return [Run(arm, seed) for seed in range(self.seeds) for arm in self.arms]

    def key(self, fingerprint: str, code: str) -> str:
        """Hash of plan, data (`fingerprint`) and code version: the name of the result."""
        described = asdict(self)
        if not self.baselines:  # so that a plan without baselines keeps the key that it had before
            del described["baselines"]
        text = json.dumps([code, fingerprint, described], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
