"""The numbers of prompt tuning, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.core.recorded_settings import RecordedSettings


@dataclass(frozen=True, slots=True)
class TuningSettings(RecordedSettings):
    """How a context is tuned. The defaults are those of the published code of TPT and C-TPT.

    Source: Shu et al., NeurIPS 2022, arXiv:2209.07511; Yoon et al., ICLR 2024, arXiv:2403.14119.
    """

    phrase: str = "a photo of a"
    """What the context says before it is tuned."""
    confident_share: float = 0.1
    """Share of the views that are selected; at least one is."""
    learning_rate: float = 0.005
    weight_decay: float = 0.01
    epsilon: float = 1e-8
    """Added to the size of each coordinate of the gradient before the step divides by it."""
    weight: float | None = None
    """Weight of the objective's penalty. None: the objective's own."""

    def __post_init__(self) -> None:
        """Raises ValueError for a number outside of its range."""
        if not 0 < self.confident_share <= 1:
            raise ValueError(f"confident_share must be in (0, 1], found {self.confident_share}")
        for name in ("learning_rate", "epsilon"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be above 0, found {getattr(self, name)}")
        if not 0 <= self.learning_rate * self.weight_decay < 1:
            raise ValueError(f"weight_decay must be from 0, found {self.weight_decay}")
        if self.weight is not None and not self.weight >= 0:
            raise ValueError(f"weight must be from 0, found {self.weight}")


DEFAULT_TUNING = TuningSettings()
