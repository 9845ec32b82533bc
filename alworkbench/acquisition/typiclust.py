"""TypiClust: the most typical image of each large cluster without labels. Hacohen et al. 2022,
arXiv:2202.02794.

Labelled images and candidates are clustered into min(L + B, 500) clusters by their embeddings. Clusters
with the fewest labels take turns, the largest first, and each gives its most typical candidate,

    typicality = 1 / mean distance to the 20 nearest neighbours in the cluster

The strategy is made for the first labels, when picking uncertain images teaches little. It differs from
the paper in two points: clusters of fewer than 5 images come last instead of never, and a batch may be
larger than the number of clusters. All embeddings are held; the strategy refuses if they do not fit the
memory.

Dimensions used in this file
    N  images: labelled images and candidates
    D  embedding size
"""

from __future__ import annotations

import heapq
import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.embeddings import embedding_row, unit_embeddings
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy

NEIGHBOURS = 20
"""Nearest neighbours that typicality is measured on."""
MOST_CLUSTERS = 500
SMALL = 5
"""Clusters with fewer images come last: they are hardly more than outliers."""
FULL_LIMIT = 10_000
"""Up to this many images k-means is used, above it mini-batch k-means."""
ITERATIONS = 100
SAME = 1e-6
"""Smallest mean distance, so that the typicality of copies is finite."""
COPY = 1e-5
"""A squared distance of two unit embeddings below this is rounding."""


def cluster(embeddings: Float[Tensor, "N D"], count: int, seed: int) -> Int[Tensor, "N"]:
    """Cluster of each image by k-means: at most `count` clusters, fewer if fewer images are distinct."""
    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    kind = KMeans if len(embeddings) <= FULL_LIMIT else MiniBatchKMeans
    found = kind(count, n_init=1, max_iter=ITERATIONS, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # warned when there are fewer distinct images than clusters; empty clusters are fine here
        warnings.simplefilter("ignore", ConvergenceWarning)
        labels = found.fit_predict(embeddings.cpu().numpy())
    return torch.from_numpy(labels).long()


def typicality(
    embeddings: Float[Tensor, "N D"], neighbours: int = NEIGHBOURS, block: int = 1024
) -> Float[Tensor, "N"]:
    """1 / mean distance to the nearest other images; 0 if there is no other image."""
    count = min(neighbours, len(embeddings) - 1)
    if count < 1:
        return torch.zeros(len(embeddings))
    means = []
    for start in range(0, len(embeddings), block):
        part = embeddings[start : start + block]
        squares = 2 - 2 * part @ embeddings.T
        squares = torch.where(squares > COPY, squares, 0.0)  # copies
        own = torch.arange(len(part))
        squares[own, start + own] = torch.inf
        nearest = squares.topk(count, dim=-1, largest=False).values
        means.append(nearest.sqrt().mean(dim=-1).cpu())
    return 1 / torch.cat(means).clamp_min(SAME)


def _clusters(size: Size) -> int:
    images = size.labelled + size.candidates
    return min(size.labelled + size.batch, MOST_CLUSTERS, images)


def _cost(size: Size) -> Cost:
    images = size.labelled + size.candidates
    rounds = ITERATIONS if images <= FULL_LIMIT else 10
    means = images * _clusters(size) * size.embedding * rounds
    near = images * images // max(1, _clusters(size)) * size.embedding
    # the embeddings, a copy of them in k-means, and its distances in blocks
    memory = 8 * images * size.embedding + 96 * images + embedding_row(size)
    return Cost(images * size.embedding * size.activation + means + near, memory)


@strategy("typiclust", cost=_cost)
def typiclust(context: AcquisitionContext) -> Batch:
    """Typical images, clusters with the fewest labels first."""
    rows = torch.cat([context.labelled.cpu(), context.candidates.cpu()])
    given = len(context.labelled)
    embeddings = unit_embeddings(context, rows)
    labels = cluster(embeddings, _clusters(context.size), context.seed)
    order: dict[int, list[int]] = {}
    values = torch.zeros(len(rows))
    heap: list[tuple[bool, int, int, int]] = []
    block = max(1, context.memory // 8 // (8 * len(rows)))
    for number in labels.unique().tolist():
        members = (labels == number).nonzero()[:, 0]
        values[members] = typicality(embeddings[members.to(embeddings.device)], block=block)
        asked = members[members >= given]
        if not len(asked):
            continue
        ranked = asked[values[asked].argsort(descending=True, stable=True)]
        order[number] = ranked.tolist()[::-1]
        covered = int((members < given).sum())
        heap.append((len(members) < SMALL, covered, -len(members), number))
    heapq.heapify(heap)
    chosen: list[int] = []
    while heap and len(chosen) < context.batch_size:
        small, covered, negative, number = heapq.heappop(heap)
        chosen.append(order[number].pop())
        if order[number]:
            heapq.heappush(heap, (small, covered + 1, negative, number))
    positions = torch.tensor(chosen, dtype=torch.long)
    return Batch(tuple(rows[positions].tolist()), tuple(values[positions].tolist()))
