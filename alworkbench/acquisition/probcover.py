"""ProbCover: the images whose balls cover most of the pool that is not covered yet. Yehuda et al. 2022,
arXiv:2205.11320.

An image covers the images within a radius of it. The radius is the largest one for which 95 % of the
balls are pure: they hold no image of another predicted class. No search is needed. A ball is pure up to
the distance of the nearest image of another class, so the radius is the 5 % quantile of that distance
over a seeded sample. The paper uses k-means clusters as classes; here the predicted classes are known.
Greedy picks reach at least 1 - 1/e of the best cover of that size. When every image is covered, all
images count as uncovered again.

O(N^2 D) operations once. The embeddings and the pairs of neighbours are held; the strategy refuses if
they do not fit the memory.

Dimensions used in this file
    N  images: labelled images and candidates
    D  embedding size
    E  pairs of neighbours
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.embeddings import embedding_row, unit_embeddings
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy
from alworkbench.core.errors import MemoryBudgetTooSmall

PURITY = 0.95
"""Share of the balls that hold one predicted class only."""
SAMPLE = 1000
"""Images on which the radius is estimated."""
LARGEST = 2.0
"""Distance between opposite unit embeddings."""


@dataclass(frozen=True, slots=True)
class Neighbours:
    """For each image, the images within the radius, itself included, in compressed sparse rows."""

    starts: Int[Tensor, "N_plus_1"]
    others: Int[Tensor, "E"]

    def of(self, image: int) -> Int[Tensor, "n"]:
        """The images inside the ball of this image."""
        return self.others[int(self.starts[image]) : int(self.starts[image + 1])]


def _squares(
    left: Float[Tensor, "n D"], right: Float[Tensor, "N D"], block: int
) -> Iterator[tuple[int, Float[Tensor, "b N"]]]:
    """Squared distances of unit vectors, some rows at a time."""
    for start in range(0, len(left), block):
        yield start, (2 - 2 * left[start : start + block] @ right.T).clamp_min(0)


def pure_radius(
    embeddings: Float[Tensor, "N D"],
    classes: Int[Tensor, "N"],
    generator: torch.Generator,
    *,
    purity: float = PURITY,
    block: int = 256,
) -> float:
    """The largest radius for which a share `purity` of the balls hold one class only."""
    sample = torch.randperm(len(embeddings), generator=generator)[:SAMPLE]
    sample = sample.to(embeddings.device)
    distances = []
    for start, squares in _squares(embeddings[sample], embeddings, block):
        own = classes[sample[start : start + len(squares)]]
        other = torch.where(own[:, None] == classes, torch.inf, squares).amin(dim=-1)
        distances.append(other.sqrt().clamp_max(LARGEST))
    ordered = torch.cat(distances).sort().values
    # a ball is open: it ends before its nearest image of another class
    return float(ordered[int((1 - purity) * len(ordered))])


def neighbours(
    embeddings: Float[Tensor, "N D"], radius: float, memory: int, *, block: int = 256
) -> Neighbours:
    """All pairs within the radius, and each image with itself. Raises MemoryBudgetTooSmall."""
    counts, others, found = [], [], 0
    for start, squares in _squares(embeddings, embeddings, block):
        near = squares < radius**2
        own = torch.arange(len(near), device=near.device)
        near[own, start + own] = True
        counts.append(near.sum(dim=-1).cpu())
        some = near.nonzero()[:, 1].to(torch.int32).cpu()
        found += len(some)
        if 8 * found > memory:  # in blocks, and joined
            expected = found * len(embeddings) // (start + len(near))
            raise MemoryBudgetTooSmall(8 * expected, memory, "probcover")
        others.append(some)
    starts = torch.cat([torch.zeros(1, dtype=torch.long), torch.cat(counts).cumsum(dim=0)])
    return Neighbours(starts, torch.cat(others))


def cover(near: Neighbours, free: Tensor, covered: Tensor, count: int) -> list[tuple[int, int]]:
    """Greedy picks among the `free` images: (image, images newly covered). Ties go to the earlier image."""
    free, covered = free.clone(), covered.clone()
    degrees = _degrees(near, covered)
    picks: list[tuple[int, int]] = []
    for _ in range(min(count, int(free.sum()))):
        if not bool(((degrees > 0) & free).any()):  # everything is covered: start again
            covered = ~free
            degrees = _degrees(near, covered)
        image = int(torch.where(free, degrees, -1).argmax())
        picks.append((image, int(degrees[image])))
        free[image] = False
        ball = near.of(image).long()
        new = ball[~covered[ball]]
        covered[new] = True
        for other in new.tolist():  # each pair is visited once in all: neighbourhood is mutual
            degrees[near.of(other).long()] -= 1
    return picks


def _degrees(near: Neighbours, covered: Tensor) -> Int[Tensor, "N"]:
    """Images not covered yet within each ball."""
    open_ends = (~covered)[near.others.long()].long().cumsum(dim=0)
    sums = torch.cat([torch.zeros(1, dtype=torch.long), open_ends])
    return sums[near.starts[1:]] - sums[near.starts[:-1]]


def _images(size: Size) -> int:
    return size.labelled + size.candidates


def _held(size: Size) -> int:
    return 4 * _images(size) * size.embedding + 96 * _images(size)


def _cost(size: Size) -> Cost:
    images = _images(size)
    pairs = images * (images + min(images, SAMPLE)) * size.embedding
    memory = _held(size) + size.logits_row + embedding_row(size) + 32 * images
    return Cost(size.logits + images * size.embedding * size.activation + pairs, memory)


@strategy("probcover", cost=_cost)
def probcover(context: AcquisitionContext) -> Batch:
    """Greedy maximum coverage of the pool by balls of one radius."""
    rows = torch.cat([context.labelled.cpu(), context.candidates.cpu()])
    given = len(context.labelled)
    embeddings = unit_embeddings(context, rows)
    held = _held(context.size)
    parts = [
        context.learner.logits(features).argmax(dim=-1)
        for features in context.blocks(rows, context.size.logits_row, held)
    ]
    free_memory = context.memory - held
    block = max(1, min(1024, free_memory // 4 // (32 * len(rows))))
    radius = pure_radius(embeddings, torch.cat(parts), context.generator(), block=block)
    near = neighbours(embeddings, radius, free_memory // 2, block=block)
    free = torch.arange(len(rows)) >= given
    covered = torch.zeros(len(rows), dtype=torch.bool)
    for image in range(given):
        covered[near.of(image).long()] = True
    picks = cover(near, free, covered, context.batch_size)
    positions = torch.tensor([image for image, _ in picks], dtype=torch.long)
    return Batch(tuple(rows[positions].tolist()), tuple(float(new) for _, new in picks))
