"""What choosing a batch will cost, in words of the user, before anything is computed."""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.acquisition.cost import Size
from alworkbench.acquisition.strategy import Strategy


@dataclass(frozen=True, slots=True)
class Estimate:
    """The stated cost of one batch."""

    strategy: str
    size: Size
    operations: int
    """Multiply-adds."""
    seconds: float
    """Rough, on one processor core in single precision, without loading and reading."""
    memory: int
    """Bytes held beside the features, at least."""
    allowed: int
    """Bytes that it may hold beside the features."""

    @classmethod
    def of(cls, strategy: Strategy, size: Size, allowed: int) -> Estimate:
        """What a batch of this size costs with this strategy."""
        cost = strategy.cost(size)
        return cls(strategy.name, size, cost.operations, cost.seconds, cost.memory, allowed)

    @property
    def fits(self) -> bool:
        """Whether the strategy would be let begin; it may still think its blocks too small."""
        return self.memory <= self.allowed
