"""What is simulated, and what comes of it: plain values that files and reports are made of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field

from alworkbench import __version__
from alworkbench.adaptation.learner import Strengths


@dataclass(frozen=True, slots=True)
class Plan:
    """What is simulated. Runs of one seed share the part of the pool, the test part and the start."""

    strategies: tuple[str, ...]
    seeds: int = 3
    batch_size: int = 10
    labels: int = 100
    """Budget of each run."""
    pool_fraction: float = 2 / 3
    """Each seed sees its own random part of the pool, or deterministic strategies would not vary."""
    strengths: Strengths = field(default_factory=Strengths)

    def key(self, fingerprint: str) -> str:
        """Names the result: another plan, data (its fingerprint) or version is another result."""
        text = json.dumps([__version__, fingerprint, asdict(self)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Point:
    """One learner of one run, measured on the test part. `labels` 0 is the model as it came."""

    strategy: str
    seed: int
    labels: int
    accuracy: float
    balanced_accuracy: float
    nlpd: float
    ece: float
    seconds_asking: float
    seconds_learning: float
    asked: tuple[int, ...]
    """How many images of each class this round asked, in the order of the classes."""
