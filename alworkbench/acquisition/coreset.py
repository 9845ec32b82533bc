"""Core-set by greedy k-centre: every image of the pool is near a labelled one. Sener and Savarese 2018,
arXiv:1708.00489.

Each pick is the image that is farthest from all labelled images and earlier picks. The largest remaining
distance is at most twice that of the best batch (Gonzalez 1985). Distances are those of unit embeddings,
between 0 and 2. Without labels, the first pick is the image nearest to the mean. O(N D) operations a pick
if the embeddings fit half of the memory, otherwise O(N P) and one pass over the features.

Dimensions used in this file
    N  candidates
"""

from __future__ import annotations

import torch

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.embeddings import Cosines, embedding_row, unit_embeddings
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy


def _cost(size: Size) -> Cost:
    embed = size.candidates * size.embedding * size.activation
    passes = size.candidates * (size.labelled + size.batch) * max(size.embedding, size.activation)
    held = 4 * size.labelled * (size.embedding + size.activation) + 24 * size.candidates
    return Cost(embed + passes, held + embedding_row(size))


@strategy("coreset", cost=_cost)
def coreset(context: AcquisitionContext) -> Batch:
    """Farthest-first traversal: each pick is farthest from all labelled and picked images."""
    cosines = Cosines(context)
    count = len(context.candidates)
    # largest cosine with a labelled or picked image; the farthest candidate has the smallest
    covered = torch.full((count,), -1.0, device=context.learner.class_activations.device)
    first: int | None = None
    if len(context.labelled):
        covered = cosines.nearest(unit_embeddings(context, context.labelled))
    else:
        first = int(cosines.nearest(cosines.mean()[None]).argmax())
    taken = torch.zeros(count, dtype=torch.bool, device=covered.device)
    positions: list[int] = []
    distances: list[float] = []
    for _ in range(min(context.batch_size, count)):
        if first is not None and not positions:
            position = first
        else:
            position = int(torch.where(taken, torch.inf, covered).argmin())
        distances.append(float((2 - 2 * covered[position]).clamp_min(0).sqrt()))
        positions.append(position)
        taken[position] = True
        if len(positions) < min(context.batch_size, count):
            unit = cosines.of(torch.tensor([position]))
            covered = torch.maximum(covered, cosines.nearest(unit))
    rows = context.candidates.cpu()[torch.tensor(positions, dtype=torch.long)]
    return Batch(tuple(rows.tolist()), tuple(distances))
