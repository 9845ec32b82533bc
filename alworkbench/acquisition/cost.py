"""What choosing a batch costs, stated before it is done: work and memory as functions of sizes."""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.acquisition.settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.adaptation.label_gram import DENSE_LIMIT
from alworkbench.adaptation.map_fit import DRAWS_AT_ONCE, solved_at_once

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
    residual_head: bool = False
    """Whether classes have weights of their own, P or D for each. Without labels they are left out."""
    pool_is_target: bool = False
    """Whether the targets are a sample of the pool, which is what matters."""
    settings: AcquisitionSettings = DEFAULT_SETTINGS
    """The tuned numbers: how many images of a large pool are used."""

    @property
    def logits(self) -> int:
        """Operations for the logits of all candidates."""
        return self.logits_of(self.candidates)

    def logits_of(self, images: int) -> int:
        """Operations for the logits of some images: embed them, and compare with the classes."""
        return images * self.embedding * (self.activation + self.classes)

    def drawn(self, images: int) -> int:
        """Operations for the draws of the logits of some images."""
        moved = self.embedding * (self.activation + 2 * self.classes)
        return images * self.draws * (moved + self.own_numbers)

    @property
    def step_memory(self) -> int:
        """Bytes of the draws of both projections and of classes' own weights, in single precision."""
        both = self.embedding * (self.activation + self.text_activation)
        return 4 * self.draws * (both + self.own_numbers)

    @property
    def draws_memory(self) -> int:
        """Bytes at most while the draws are made.

        With labels: the draws before and after, what a few of them are corrected by, the system that
        they are corrected with, and the labels' covariance.
        """
        if not self.labelled:
            return self.step_memory
        pairs = self.labelled * self.classes
        few = min(self.draws, DRAWS_AT_ONCE)
        a_draw = self.step_memory // max(1, self.draws)
        correcting = few * (a_draw + 12 * self.labelled * self.embedding)
        solving = 92 * min(self.draws, solved_at_once(pairs)) * pairs
        sides = 2 * self.embedding**2 + self.activation**2 + self.text_activation**2
        covariance = 96 * self.labelled**2 + 24 * min(pairs, DENSE_LIMIT) ** 2 + 8 * sides
        return 2 * self.step_memory + 8 * self.draws * pairs + max(solving, correcting) + covariance

    @property
    def own_numbers(self) -> int:
        """Of classes' own weights, in a draw: of activations or of embeddings, whatever is more."""
        return self.classes * max(self.activation, self.embedding) if self.residual_head else 0

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
