"""What a strategy is asked, what it answers, and where strategies are found by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.adaptation.learner import Learner
from alworkbench.errors import UnknownStrategy

if TYPE_CHECKING:
    from alworkbench.features import FeatureTable

BLOCK_ROWS = 8192
"""Images that stream through the model at once."""


@dataclass(frozen=True, slots=True)
class Question:
    """Everything that a strategy may look at. Labels reach it through the learner alone."""

    table: FeatureTable
    candidates: Int[Tensor, "N"]
    """Rows of the table that may be asked."""
    targets: Int[Tensor, "M"]
    """Rows whose predictions matter; by default a random sample of the pool."""
    learner: Learner
    batch_size: int
    seed: int
    """Of this round: anything random comes from a generator seeded with it."""
    draw_seed: int
    """Of the posterior draws: the same in all rounds of a project (common random numbers)."""
    draws: int = 128
    memory: int = 1 << 30
    """Bytes that a strategy may hold beside the features."""

    def generator(self) -> torch.Generator:
        return torch.Generator().manual_seed(self.seed)

    def logits(self) -> Float[Tensor, "N C"]:
        """The learner's logits of all candidates, streamed."""
        device = self.learner.class_activations.device
        blocks = [
            self.learner.logits(features)
            for _, features in self.table.blocks(self.candidates, BLOCK_ROWS, device)
        ]
        return torch.cat(blocks)

    def drawn_probabilities(self) -> Iterator[Float[Tensor, "K N C"]]:
        """Class probabilities of the candidates under joint draws, block by block, in order."""
        model = self.learner.model
        step = self.learner.draws(self.draws, self.draw_seed)
        size = model.classes.unit.shape[1] + 3 * len(model.classes.unit)
        rows = max(1, min(BLOCK_ROWS, self.memory // (8 * self.draws * size)))
        device = self.learner.class_activations.device
        for _, features in self.table.blocks(self.candidates, rows, device):
            changes = model.change(model.images(features), step)  # K n C
            yield (self.learner.logits(features) + changes).softmax(dim=-1)


@dataclass(frozen=True, slots=True)
class Selection:
    """A batch in the order in which it was chosen, with what the strategy thought of each."""

    rows: tuple[int, ...]
    """Rows of the table."""
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Strategy:
    name: str
    summary: str
    """One line for lists."""
    unit: str
    """Of the scores: nats, probability, or none."""
    select: Callable[[Question], Selection]


_REGISTRY: dict[str, Strategy] = {}


def strategy(
    name: str, summary: str, unit: str
) -> Callable[[Callable[[Question], Selection]], Strategy]:
    """Register a selecting function under a name."""

    def register(select: Callable[[Question], Selection]) -> Strategy:
        if name in _REGISTRY:
            raise ValueError(f"the strategy {name!r} is registered twice")
        _REGISTRY[name] = Strategy(name, summary, unit, select)
        return _REGISTRY[name]

    return register


def strategies() -> list[Strategy]:
    """All strategies, in the order in which they are listed to people."""
    _load()
    return list(_REGISTRY.values())


def find_strategy(name: str) -> Strategy:
    """The strategy of this name, or UnknownStrategy with the nearest one."""
    _load()
    if name not in _REGISTRY:
        raise UnknownStrategy(name, _REGISTRY)
    return _REGISTRY[name]


def _load() -> None:
    """Strategies register when their modules are imported."""
    from alworkbench.acquisition import baselines, draws, uncertainty  # noqa: F401


def selection(question: Question, order: Tensor, scores: Tensor) -> Selection:
    """The first images of an order over the candidates, with their scores."""
    order = order[: question.batch_size].cpu()
    rows = question.candidates.cpu()[order]
    return Selection(tuple(rows.tolist()), tuple(scores.cpu()[order].tolist()))
