"""What is simulated, and what comes of it: plain values that files, statistics and reports are made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace

from alworkbench.adaptation.learner import Strengths
from alworkbench.domain import DEFAULT_ADAPTATION, Goal

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
class Arm:
    """One way of working that is compared with others: everything of a run but its seed."""

    strategy: str
    adaptation: str = DEFAULT_ADAPTATION
    batch_size: int = 10

    def words(self, others: tuple[Arm, ...] = ()) -> str:
        """Its name, with only what tells it from the others."""
        parts = [self.strategy]
        if any(other.adaptation != self.adaptation for other in others):
            parts.append(self.adaptation)
        if any(other.batch_size != self.batch_size for other in others):
            parts.append(f"batches of {self.batch_size}")
        return ", ".join(parts)


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


@dataclass(frozen=True, slots=True)
class Point:
    """One learner of one run, measured on the test part: what one round came to.

    Round 0 is the model as it came. Everything is per round but `labels`, `paid` and `asked`, which
    count from the start.
    """

    arm: Arm
    seed: int
    round: int
    labels: int
    """Labels learned from."""
    paid: int
    """Images paid for: every one asked, whether or not it taught anything, and the audit set. The
    honest horizontal axis: a skipped image costs an annotator as well."""
    asked: int
    """Images shown, skipped and unclear ones included."""
    accuracy: float
    balanced_accuracy: float
    macro_f1: float
    nlpd: float
    brier: float
    ece: float
    ece_floor: float
    """What ECE would be, on average, of a perfectly calibrated model with these confidences."""
    recall: tuple[float | None, ...]
    """Share found of each class in the test part; None where it has none."""
    classes_asked: tuple[int, ...]
    """Images of each (true) class that this round asked; one more at the end: of no class."""
    images: tuple[str, ...]
    """Content hashes of the images that this round asked, in order."""
    seconds_asking: float
    seconds_learning: float
    seconds_measuring: float
    seconds_answering: float
    """What the oracle's answers would have cost, by its recorded times."""
    peak_bytes: int
    """Most memory of the process so far, everything included."""

    def without_costs(self) -> Point:
        """What does not depend on the machine: equal for equal plan, data and code."""
        return replace(
            self, seconds_asking=0.0, seconds_learning=0.0, seconds_measuring=0.0, peak_bytes=0
        )
