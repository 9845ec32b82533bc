"""Target-aware search: the candidates nearest to the most uncertain targets, by 2-Wasserstein distance.

The B targets with the highest predictive entropy take turns, the most uncertain first, and each takes the
nearest candidate that is left. The embedding of an image is Gaussian. All images share the covariance
B~^-1 up to the factor alpha, so the 2-Wasserstein distance is Euclidean,

    W2^2 = |mu_i - mu_j|^2 + (sqrt alpha_i - sqrt alpha_j)^2 tr B~^-1

Baumann et al. 2024, arXiv:2412.06014. The scores are the distances, in units of the embedding. O(N T D)
operations for T = min(B, M) targets, streamed; T B pairs are held.

Dimensions used in this file
    N  candidates
    M  targets
    T  targets that are searched for
    k  nearest candidates that are kept of each
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
    """[mu, sqrt(alpha tr B~^-1)]: Euclidean distances between these are 2-Wasserstein distances.

    The same as `posterior.predictive.wasserstein_coordinates`, from the roots that a linearised model holds.
    """
    embeddings = model.head.embed_images(features)
    alpha = (features.activations @ model.image_activation_root).square().sum(dim=-1)
    trace = model.image_embedding_root.square().sum()
    return torch.cat([embeddings, (alpha * trace).sqrt()[:, None]], dim=-1)


def uncertain_targets(context: AcquisitionContext) -> Int[Tensor, "T"]:
    """Rows of the T targets with the highest predictive entropy, highest first."""
    size = context.size
    found = []
    for features in context.blocks(context.targets, size.logits_row + 16 * size.classes):
        logits = context.learner.logits(features)
        found.append(scores.entropy(logits.softmax(dim=-1)).cpu())
    order = scores.best(torch.cat(found), size.batch)
    return context.targets.cpu()[order]


def nearest_in_turns(
    near: Int[Tensor, "T k"], distances: Float[Tensor, "T k"], count: int
) -> list[tuple[int, float]]:
    """The targets take turns, and each takes its nearest candidate that is left: (candidate, distance)."""
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
    searched = min(size.batch, size.targets)
    return size.logits_row + 4 * size.activation + 16 * searched


def _held(size: Size) -> int:
    """Bytes of the nearest candidates of each target. B of each suffice, whatever the others take."""
    searched = min(size.batch, size.targets)
    return searched * (48 * size.batch + 4 * (size.activation + 2 * size.embedding))


def _cost(size: Size) -> Cost:
    searched = min(size.batch, size.targets)
    embed = (size.candidates + searched) * size.activation * (size.embedding + size.activation)
    targets = size.targets * size.embedding * (size.activation + size.classes)
    near = size.candidates * searched * size.embedding
    return Cost(embed + targets + near, _held(size) + _row(size))


@strategy("targeted", cost=_cost)
def targeted(context: AcquisitionContext) -> Batch:
    """The nearest candidates of the most uncertain targets, in turns."""
    size = context.size
    model = context.learner.model
    device = context.learner.class_activations.device
    wanted = wasserstein_points(
        model, context.table.gather(uncertain_targets(context), device)
    )  # T D+1
    best = wanted.new_full((len(wanted), 0), 0.0)
    nearest = torch.zeros(len(wanted), 0, dtype=torch.long, device=device)
    done = 0
    for features in context.blocks(context.candidates, _row(size), _held(size)):
        points = wasserstein_points(model, features)
        # not by |x|^2 + |y|^2 - 2 x.y, which does not give exactly 0 for an image and itself
        distances = torch.cdist(wanted, points, compute_mode="donot_use_mm_for_euclid_dist")
        here = torch.arange(done, done + len(points), device=device).expand(len(wanted), -1)
        distances, here = torch.cat([best, distances], dim=1), torch.cat([nearest, here], dim=1)
        order = distances.argsort(dim=1, stable=True)[:, : size.batch]
        best, nearest = distances.gather(1, order), here.gather(1, order)
        done += len(points)
    chosen = nearest_in_turns(nearest, best, size.batch)
    positions = torch.tensor([position for position, _ in chosen], dtype=torch.long)
    rows = context.candidates.cpu()[positions]
    return Batch(tuple(rows.tolist()), tuple(distance for _, distance in chosen))
