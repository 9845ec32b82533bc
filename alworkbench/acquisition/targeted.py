"""Target-aware support search: what the targets need, found in the pool by 2-Wasserstein distance.

The B targets whose predictions are most uncertain are taken in turns, most uncertain first, and each asks
the nearest candidate that is left. The embedding of an image is a Gaussian belief; all images share the
covariance B~^-1 up to the factor alpha, so that the distance is exact and Euclidean,

    W2^2 = |mu_i - mu_j|^2 + (sqrt alpha_i - sqrt alpha_j)^2 tr B~^-1

Baumann et al., arXiv:2412.06014. Uncertainty is the entropy of the learner's prediction. Scores are
distances, in units of the embedding. O(N T D) for T = min(B, M) targets, streamed; T B pairs are held.

Dimensions used in this file
    N  candidates
    M  targets
    T  targets that ask
    k  neighbours kept of each
    D  embedding size
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition import scores
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy
from alworkbench.encoders.head import Features
from alworkbench.posterior.linearisation import Linearisation


def wasserstein_points(model: Linearisation, features: Features) -> Float[Tensor, "n D_plus_1"]:
    """[mu, sqrt(alpha tr B~^-1)]: Euclidean distances of these are 2-Wasserstein distances.

    As `posterior.predictive.wasserstein_coordinates`, from the roots that a linearised model holds.
    """
    embeddings = model.head.embed_images(features)
    alpha = (features.activations @ model.image_activation_root).square().sum(dim=-1)
    trace = model.image_embedding_root.square().sum()
    return torch.cat([embeddings, (alpha * trace).sqrt()[:, None]], dim=-1)


def asking(context: AcquisitionContext) -> Int[Tensor, "T"]:
    """Rows of the targets that ask: the most uncertain ones, most uncertain first."""
    size = context.size
    found = []
    for features in context.blocks(context.targets, size.logits_row + 16 * size.classes):
        logits = context.learner.logits(features)
        found.append(scores.entropy(logits.softmax(dim=-1)).cpu())
    order = scores.best(torch.cat(found), size.batch)
    return context.targets.cpu()[order]


def in_turns(
    near: Int[Tensor, "T k"], distances: Float[Tensor, "T k"], count: int
) -> list[tuple[int, float]]:
    """Each row takes its nearest column that nobody took, in turns: (candidate, distance)."""
    taken: set[int] = set()
    chosen: list[tuple[int, float]] = []
    next_of = [0] * len(near)
    candidates, values = near.tolist(), distances.tolist()
    while len(chosen) < count:
        before = len(chosen)
        for row, mine in enumerate(candidates):
            while next_of[row] < len(mine) and mine[next_of[row]] in taken:
                next_of[row] += 1
            if next_of[row] == len(mine):
                continue
            taken.add(mine[next_of[row]])
            chosen.append((mine[next_of[row]], values[row][next_of[row]]))
            if len(chosen) == count:
                break
        if len(chosen) == before:
            break
    return chosen


def _row(size: Size) -> int:
    asked = min(size.batch, size.targets)
    return size.logits_row + 4 * size.activation + 16 * asked


def _held(size: Size) -> int:
    """Neighbours of every target that asks: B of each suffice, whatever the others take."""
    asked = min(size.batch, size.targets)
    return asked * (48 * size.batch + 4 * (size.activation + 2 * size.embedding))


def _cost(size: Size) -> Cost:
    asked = min(size.batch, size.targets)
    embed = (size.candidates + asked) * size.activation * (size.embedding + size.activation)
    targets = size.targets * size.embedding * (size.activation + size.classes)
    near = size.candidates * asked * size.embedding
    return Cost(embed + targets + near, _held(size) + _row(size))


@strategy(
    "targeted",
    "nearest in the pool to the most uncertain targets, by 2-Wasserstein distance",
    unit="none",
    cost=_cost,
    source="Baumann et al. 2024, arXiv:2412.06014",
    range="0 and above, a distance of embeddings",
)
def targeted(context: AcquisitionContext) -> Batch:
    """Nearest candidates to the targets in Wasserstein distance between predicted embeddings."""
    size = context.size
    model = context.learner.model
    device = context.learner.class_activations.device
    wanted = wasserstein_points(model, context.table.gather(asking(context), device))  # T D+1
    best = wanted.new_full((len(wanted), 0), 0.0)
    places = torch.zeros(len(wanted), 0, dtype=torch.long, device=device)
    done = 0
    for features in context.blocks(context.candidates, _row(size), _held(size)):
        points = wasserstein_points(model, features)
        # not by |x|^2 + |y|^2 - 2 x.y, in which the distance of an image to itself is not zero
        distances = torch.cdist(wanted, points, compute_mode="donot_use_mm_for_euclid_dist")
        here = torch.arange(done, done + len(points), device=device).expand(len(wanted), -1)
        distances, here = torch.cat([best, distances], dim=1), torch.cat([places, here], dim=1)
        order = distances.argsort(dim=1, stable=True)[:, : size.batch]
        best, places = distances.gather(1, order), here.gather(1, order)
        done += len(points)
    chosen = in_turns(places, best, size.batch)
    positions = torch.tensor([position for position, _ in chosen], dtype=torch.long)
    rows = context.candidates.cpu()[positions]
    return Batch(tuple(rows.tolist()), tuple(distance for _, distance in chosen))
