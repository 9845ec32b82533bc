"""What choosing a batch costs, stated before it is done: work and memory as functions of sizes."""

from __future__ import annotations

from dataclasses import dataclass

OPERATIONS_PER_SECOND = 2e10
"""Multiply-adds in single precision that one processor core does, for an estimate of seconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """The figures that a strategy's cost depends on."""

    candidates: int
    """N: images that may be asked."""
    targets: int
    """M: images whose predictions matter."""
    classes: int
    """C."""
    draws: int
    """K: posterior draws."""
    batch: int
    """B: images to choose."""
    labelled: int
    """L: images with a label."""
    embedding: int
    """D: size of an embedding."""
    activation: int
    """P: size of an image's activation."""

    @property
    def logits(self) -> int:
        """Operations for the logits of all candidates: embed them, and compare with the classes."""
        return self.candidates * self.embedding * (self.activation + self.classes)

    def drawn(self, images: int) -> int:
        """Operations for the draws of the logits of some images."""
        return images * self.draws * self.embedding * (self.activation + 2 * self.classes)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one batch."""

    operations: int
    """Multiply-adds."""
    memory: int
    """Bytes held beside the features, at least: what is streamed adapts to the budget."""

    @property
    def seconds(self) -> float:
        """A rough estimate on one processor core."""
        return self.operations / OPERATIONS_PER_SECOND


def of_logits(size: Size) -> Cost:
    """Of a strategy that needs the logits of every candidate."""
    return Cost(size.logits, 8 * size.candidates * (size.classes + 2))


def of_draws(size: Size) -> Cost:
    """Of a strategy that needs the draws of every candidate once, streamed."""
    row = 8 * size.draws * (size.embedding + 3 * size.classes)
    return Cost(size.logits + size.drawn(size.candidates), 16 * size.candidates + row)
