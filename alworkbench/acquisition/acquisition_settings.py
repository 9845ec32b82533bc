"""The tuned numbers of the default strategy and of parts that several strategies use.

Each field states its meaning and the experiment that its value comes from. A1 to A28 are the experiments
in docs/experiments/acquisition.md. The settings are recorded with every round, and `replay` reads them
from there.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.recorded_settings import RecordedSettings


@dataclass(frozen=True, slots=True)
class AcquisitionSettings(RecordedSettings):
    """One value that carries all of them. Raises ValueError if a number is out of its range."""

    weak_shrinkage: tuple[float, float] = (1.0, 9.0)
    """Weak shrinkage of the model's confidence: contradicting and confirming pseudo-labels (A22, A24)."""
    strong_shrinkage: tuple[float, float] = (5.0, 5.0)
    """Strong shrinkage: contradicting and confirming pseudo-labels (A10)."""
    strong_share_without_labels: float = 0.5
    """Share of the picks that use strong shrinkage before any label (A22)."""
    strong_share_per_contamination: float = 4.0
    """With labels, that share is the contamination rate times this number, at most 1 (A22)."""
    label_noise: float = 0.3
    """Noise variance of a label as an observation of the image's embedding, in units of the variance of
    that embedding (A11, A20)."""
    most_targets: int = 4096
    """Targets that represent a larger pool (A18)."""
    most_candidates: int = 8192
    """Candidates that are compared with the targets; more if the batch is larger (A18)."""
    class_count_images: int = 16_384
    """Random images of a larger pool on which predicted classes are counted. Limits the cost; not tuned."""
    cluster_test_labels: int = 100
    """First labels that test the cluster assumption. Later labels are chosen where classes meet, where
    similar images differ in class (A8)."""
    least_uninformative: float = 0.05
    """Smallest probability, before any label, that similarity is uninformative (A8)."""
    crowding_limit: float = 2.0
    """How many times its share of the pool an image may represent before that probability rises (A8)."""
    informative_auc_mean: float = 0.75
    """Prior mean of the area under the ROC curve if similarity is informative (A8)."""
    informative_auc_deviation: float = 0.1
    """Prior standard deviation of that area (A8)."""
    uniform_share: float = 0.1
    """Uniform share of the strategies that sample in proportion to a score: an image then has at least
    probability 0.1 / n at each turn, and a LURE weight is at most 10. Chosen by this argument; not tuned."""

    def __post_init__(self) -> None:
        for name in ("strong_share_without_labels", "least_uninformative", "uniform_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be between 0 and 1, found {getattr(self, name)}")
        for name in ("label_noise", "crowding_limit", "informative_auc_deviation"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")
        for name in ("most_targets", "most_candidates", "class_count_images"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, found {getattr(self, name)}")
        for name in ("weak_shrinkage", "strong_shrinkage"):
            pair = getattr(self, name)
            if len(pair) != 2 or min(pair) < 0 or not sum(pair) > 0:
                raise ValueError(f"{name} must be two numbers that are not below 0, found {pair}")


DEFAULT_SETTINGS = AcquisitionSettings()
"""The settings of every round, unless a record says otherwise."""
