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
    text_activation: int = 0
    """Q: size of a prompt's activation."""

    @property
    def logits(self) -> int:
        """Operations for the logits of all candidates: embed them, and compare with the classes."""
        return self.candidates * self.embedding * (self.activation + self.classes)

    def drawn(self, images: int) -> int:
        """Operations for the draws of the logits of some images."""
        return images * self.draws * self.embedding * (self.activation + 2 * self.classes)

    @property
    def step_memory(self) -> int:
        """Bytes of the draws of both projections, in single precision."""
        return 4 * self.draws * self.embedding * (self.activation + self.text_activation)

    @property
    def draws_memory(self) -> int:
        """Bytes at most while the draws are made: with labels, their correction stands beside them."""
        return (3 if self.labelled else 1) * self.step_memory

    @property
    def logits_row(self) -> int:
        """Bytes of one image while its logits are computed: activation, embeddings, logits."""
        return 4 * (2 * self.activation + 4 * self.embedding + 6 * self.classes)

    @property
    def drawn_row(self) -> int:
        """Bytes of one image while its draws are computed."""
        return 8 * self.draws * (self.embedding + 3 * self.classes)


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
    """Of a strategy that holds the logits of every candidate."""
    return Cost(size.logits, 8 * size.candidates * (size.classes + 2))


def of_streamed_logits(size: Size) -> Cost:
    """Of a strategy that needs the logits of every candidate once, streamed."""
    return Cost(size.logits, 40 * size.candidates + size.logits_row)


def of_draws(size: Size) -> Cost:
    """Of a strategy that needs the draws of every candidate once, streamed."""
    streaming = size.step_memory + size.drawn_row + 24 * size.candidates
    return Cost(size.logits + size.drawn(size.candidates), max(size.draws_memory, streaming))
