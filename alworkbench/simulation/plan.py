"""What is simulated, as plain values: plans, their runs, and how the one who answers behaves.

What comes of it is a `core.domain.SimulationPoint` for each learner.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from alworkbench.adaptation.settings import Strengths
from alworkbench.core.domain import DEFAULT_ADAPTATION, Arm, Goal

Confusion = tuple[tuple[float, ...], ...]
"""Rows: the true class; columns: the class that is answered. Each row adds up to one."""


@dataclass(frozen=True, slots=True)
class OraclePlan:
    """How the one who answers behaves. As it is: always right, at no cost, and never tired."""

    noise: float | Confusion = 0.0
    """The share of wrong answers (any other class, alike), or a confusion matrix."""
    skip: float = 0.0
    """The share of images that are skipped."""
    seconds: tuple[float, ...] = ()
    """Recorded seconds per answer; each answer costs one of them, drawn at random. Empty: no cost."""

    def words(self) -> str:
        """For reports: how it answers."""
        parts = []
        if isinstance(self.noise, tuple):
            right = sum(row[i] for i, row in enumerate(self.noise)) / len(self.noise)
            parts.append(
                f"answers by a confusion matrix ({right:.0%} right in the mean of classes)"
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
    """One replay. Runs of one seed share the part of the pool, the audit set and the draws."""

    arm: Arm
    seed: int

    @property
    def name(self) -> str:
        """Fit for a file name."""
        arm = self.arm
        return f"{arm.strategy}-{arm.adaptation}-{arm.batch_size}-{self.seed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated: every strategy with every adaptation and batch size, `seeds` times."""

    strategies: tuple[str, ...]
    adaptations: tuple[str, ...] = (DEFAULT_ADAPTATION,)
    batch_sizes: tuple[int, ...] = (10,)
    seeds: int = 3
    labels: int = 100
    """Budget of each run: images asked, audit set not counted."""
    audit: int = 0
    """Images of the pool drawn at random as an audit set before the first round. They are paid for:
    curves are drawn over images asked plus these."""
    pool_fraction: float = 2 / 3
    """Each seed sees its own random part of the pool, or deterministic strategies would not vary."""
    goal: Goal = Goal.BALANCED
    transductive: bool = False
    """Strategies may look at the test images (never at their labels); every figure says so."""
    oracle: OraclePlan = field(default_factory=OraclePlan)
    strengths: Strengths = field(default_factory=Strengths)

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Every combination of strategy, learning method and batch size."""
        return tuple(
            Arm(strategy, adaptation, size)
            for size in self.batch_sizes
            for adaptation in self.adaptations
            for strategy in self.strategies
        )

    def runs(self) -> list[Run]:
        """Every run, in the order in which results are listed."""
        return [Run(arm, seed) for seed in range(self.seeds) for arm in self.arms]

    def key(self, fingerprint: str, code: str) -> str:
        """Names the result: another plan, data (its fingerprint) or code is another result."""
        text = json.dumps([code, fingerprint, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]
