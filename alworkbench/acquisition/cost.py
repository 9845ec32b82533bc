"""The cost of a batch, stated before it is chosen: operations and memory as functions of sizes.

Memory is in bytes and counts what a strategy holds beside the features. It is the least that is needed:
images stream in blocks, and the blocks adapt to the budget.
"""

from __future__ import annotations

from dataclasses import dataclass

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS, AcquisitionSettings
from alworkbench.adaptation.conditioning import DRAWS_AT_ONCE, solved_at_once
from alworkbench.adaptation.label_gram import DENSE_LIMIT

OPERATIONS_PER_SECOND = 2e10
"""Multiply-adds in single precision of one processor core, for the estimate of seconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """The sizes that the cost of a strategy depends on."""

    candidates: int
    """N: images that can be picked."""
    targets: int
    """M: images whose predictions matter."""
    classes: int
    """C."""
    draws: int
    """K: posterior draws."""
    batch: int
    """B: images in the batch."""
    labelled: int
    """L: images with a label."""
    embedding: int
    """D: size of an embedding."""
    activation: int
    """P: size of an image's activation."""
    text_activation: int = 0
    """Q: size of a prompt's activation."""
    residual_head: bool = False
    """Whether the learner has a residual linear head: P or D weights for each class."""
    pool_is_target: bool = False
    """Whether the targets are a random sample of the pool, so that the pool is what matters."""
    settings: AcquisitionSettings = DEFAULT_SETTINGS
    """The tuned numbers: how many images of a large pool are used."""

    @property
    def logits(self) -> int:
        """Operations for the logits of all candidates."""
        return self.logits_of(self.candidates)

    def logits_of(self, images: int) -> int:
        """Operations for the logits of this many images: their embeddings, and products with the classes."""
        return images * self.embedding * (self.activation + self.classes)

    def drawn(self, images: int) -> int:
        """Operations for the drawn logits of this many images."""
        moved = self.embedding * (self.activation + 2 * self.classes)
        return images * self.draws * (moved + self.head_numbers)

    @property
    def draws_held(self) -> int:
        """Bytes of the draws of both projections and of the residual head, in single precision."""
        both = self.embedding * (self.activation + self.text_activation)
        return 4 * self.draws * (both + self.head_numbers)

    @property
    def draws_peak(self) -> int:
        """Largest number of bytes in use while the draws are made.

        Given labels these are the draws before and after conditioning, the corrections of a few draws, the
        linear system of the corrections, and the covariance of the labelled logits.
        """
        if not self.labelled:
            return self.draws_held
        pairs = self.labelled * self.classes
        few = min(self.draws, DRAWS_AT_ONCE)
        a_draw = self.draws_held // max(1, self.draws)
        correcting = few * (a_draw + 12 * self.labelled * self.embedding)
        solving = 92 * min(self.draws, solved_at_once(pairs)) * pairs
        sides = 2 * self.embedding**2 + self.activation**2 + self.text_activation**2
        covariance = 96 * self.labelled**2 + 24 * min(pairs, DENSE_LIMIT) ** 2 + 8 * sides
        return 2 * self.draws_held + 8 * self.draws * pairs + max(solving, correcting) + covariance

    @property
    def head_numbers(self) -> int:
        """Numbers of the residual head in one draw, whether it sees activations or embeddings."""
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
    """The cost of one batch."""

    operations: int
    """Multiply-adds."""
    memory: int
    """Bytes that are needed beside the features."""

    @property
    def seconds(self) -> float:
        """Rough estimate of the seconds on one processor core."""
        return self.operations / OPERATIONS_PER_SECOND


def logits_cost(size: Size) -> Cost:
    """Cost of a strategy that holds the logits of all candidates."""
    return Cost(size.logits, 8 * size.candidates * (size.classes + 2))


def streamed_logits_cost(size: Size) -> Cost:
    """Cost of a strategy that streams the logits of all candidates once."""
    return Cost(size.logits, 40 * size.candidates + size.logits_row)


def draws_cost(size: Size) -> Cost:
    """Cost of a strategy that streams the drawn logits of all candidates once."""
    streaming = size.draws_held + size.drawn_row + 24 * size.candidates
    return Cost(size.logits + size.drawn(size.candidates), max(size.draws_peak, streaming))


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of one batch beside the memory that is allowed, for people."""

    strategy: str
    size: Size
    operations: int
    """Multiply-adds."""
    seconds: float
    """Rough, on one processor core in single precision, without loading and reading files."""
    memory: int
    """Bytes that are needed beside the features."""
    allowed: int
    """Bytes that the strategy may hold beside the features."""

    @property
    def fits(self) -> bool:
        """Whether the strategy can start. It can still find that a block of one image does not fit."""
        return self.memory <= self.allowed
