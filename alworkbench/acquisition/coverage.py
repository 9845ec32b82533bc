"""The default: a batch that stands for as much of the pool's remaining doubt as possible.

Every target j has a doubt u_j, one minus the margin of its two likeliest classes in which confidence is
believed as far as labels have tested its class, and a weight w_j, by which the goal `balanced` counts all
predicted classes alike. There are two views of it, one of which believes the model more than the other
(`doubt`).

An asked image i stands for a target by s_ij, as far as the posterior given the labels ties their
embeddings together and the model sees them alike (`likeness`); a labelled image has its label for what
the model sees. A batch S has in either view the value

    F(S) = sum_j w_j u_j max_{i in labelled or S} s_ij                    with sum_j w_j u_j = 1

The cautious view adds the image that raises its F most; the trusting one multiplies what an image adds to
its own by how torn the model is about that image, one minus its margin: where a model can be believed,
that is where labels teach. A share of the picks is the cautious view's: all where the model does not
know some class's name, whose images it takes for others; else one half without labels, and then four
times what `honesty` finds, at most all.

F is facility location, which is submodular (Nemhauser, Wolsey & Fisher 1978): gains only fall while the
batch grows, so that few need to be computed again after a pick (Minoux 1978). Images that nobody could
answer stand for their surroundings whatever the model says there: near them no label is to be had.

Where the pool is what matters, its images without an answer are the targets, or those that stand for
them (`considered`).

Nothing stands for anything where similar images are of different classes, as in a domain that the model
cannot see. `kinship` gives the probability of that, from the pool alone and then from the first labels;
it is the share of the batch that is drawn at random instead, spread over the batch, and from the
predicted classes in turn where the goal is `balanced`.

Early, doubt is everywhere and the batch is typical and spread out; later it gathers where predictions
are torn and no label is near. Correlation, not covariance: the linear model holds images with long
activations for informative about everything, and in measurements they were not; see README.md beside.

Dimensions used in this file
    N  candidates          M  targets, or those of them that are drawn
    L  labelled images
    P  activation size     C  classes             V  the two views of doubt
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.baselines import in_turns
from alworkbench.acquisition.cluster_assumption import FIRST, doubt_beforehand, doubt_of_kinship
from alworkbench.acquisition.contamination import misleading
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.similarity import Places, directions_of, places_of, root_given_labels
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy
from alworkbench.acquisition.subsampling import (
    HELD,
    Considered,
    consider,
    logits_for,
    shortlist_of,
    targets_of,
)
from alworkbench.acquisition.target_weights import (
    CAUTIOUS,
    TRUSTING,
    VIEWS,
    Weighing,
    tested_by,
    torn,
)
from alworkbench.core.domain import Goal

_AT_ONCE = 64
"""Candidates whose gain is computed again at once."""

_UNTESTED = 0.5
"""Share of the picks that the cautious view has as long as no label says anything."""

_CAUTION = 4.0
"""A model that misleads on one label of so many is not trusted at all."""

_ROUNDING = 1e-9
"""A product of a turn and a share is a whole number if it lacks less."""

_CERTAIN = 1e-6
"""Least that an image counts for being torn itself: where none is, gains alone decide."""


def _cost(size: Size) -> Cost:
    """Logits of all; whitened activations and ties of a shortlist once, and ties of a few again.

    Whether images are kin is asked of the targets and the first labels by the posterior as it came.
    """
    whitening = size.activation**2
    targets, few = targets_of(size), shortlist_of(size)
    ties = targets * (size.activation + size.classes)
    placed = few + targets + size.labelled
    held = 4 * targets * (size.activation + 2 * size.classes + 6) + HELD * size.candidates
    held += 4 * few * (size.activation + size.classes + 14)
    kinship = whitening * (size.targets + min(FIRST, size.labelled))
    given = whitening * (size.labelled + size.activation) if size.labelled else 0
    held += 16 * whitening  # two whitenings, and the factor that leads from one to the other
    held = max(held, 16 * whitening + 4 * size.targets * size.activation)  # while kinship is asked
    again = size.batch * _AT_ONCE * ties
    operations = logits_for(size) + kinship + given + placed * (whitening + ties) + again
    return Cost(operations, held + _row(size))


def _row(size: Size) -> int:
    """Bytes of one image while its ties with the targets are computed."""
    return size.logits_row + 4 * (2 * size.activation + 3 * targets_of(size))


@dataclass(frozen=True, slots=True)
class _Ground:
    """The targets, and how images are seen."""

    root: Float[Tensor, "P P"]
    """Whitens activations."""
    places: Places
    weights: Float[Tensor, "M V"]
    """w_j u_j, of itself and of what it stands for; they add up to one in either view."""

    def gains(self, places: Places, covered: Float[Tensor, "M"]) -> Float[Tensor, "n V"]:
        return (places.ties(self.places) - covered).clamp_min_(0.0) @ self.weights


@strategy(
    "coverage",
    "images that stand for most of the remaining doubt (the default)",
    unit="share of doubt",
    cost=_cost,
    range="[0, 1]",
    source="ours; facility location: Nemhauser, Wolsey & Fisher 1978",
)
def coverage(context: AcquisitionContext) -> Batch:
    """Greedy maximisation of the expected reduction of uncertainty over the targets."""
    at_random, cautious = _at_random(context), _cautious(context)
    shares = {CAUTIOUS: cautious, TRUSTING: 1 - cautious}
    views = torch.tensor([shares[view] for view in VIEWS])
    held = _cost(context.size).memory - _row(context.size)
    considered = consider(context, held, views)
    context = considered.context
    ground = _ground(considered)
    covered = _covered(context, ground)
    alone = _alone(context, ground, covered)
    return _greedy(context, ground, covered, alone, at_random, cautious)


def _at_random(context: AcquisitionContext) -> int:
    """How many images of the batch are drawn at random."""
    share = doubt_beforehand(_seen(context, context.targets), context.size.classes)
    first = context.labelled[:FIRST]
    if len(first):
        directions = _seen(context, first)
        labels = context.labels[:FIRST].to(directions.device)
        share = doubt_of_kinship(directions, labels, share)
    return round(share * min(context.batch_size, len(context.candidates)))


def _cautious(context: AcquisitionContext) -> float:
    """Share of the picks that the cautious view has."""
    if context.unknown_names:
        return 1.0
    if not len(context.labelled):
        return _UNTESTED
    start = replace(context.learner, update=None, taught=None, predictor=None)
    held = _cost(context.size).memory - _row(context.size)
    blocks = context.blocks(context.labelled, context.size.logits_row, held)
    foretold = torch.cat([start.logits(features).softmax(dim=-1) for features in blocks])
    return min(1.0, _CAUTION * misleading(foretold, context.labels))


def _seen(context: AcquisitionContext, rows: Int[Tensor, "n"]) -> Float[Tensor, "n P"]:
    """Directions as the model sees them without labels: whether those are right is asked here."""
    root = context.learner.model.image_activation_root
    size = context.size
    blocks = context.blocks(rows, _row(size), _cost(size).memory - _row(size))
    return torch.cat([directions_of(features, root) for features in blocks])


def _ground(considered: Considered) -> _Ground:
    context = considered.context
    size = context.size
    root = root_given_labels(context, _row(size))
    held = _cost(size).memory - _row(size)
    parts = [
        places_of(context.learner, features, root)
        for features in context.blocks(context.targets, _row(size), held)
    ]
    places = Places.concatenate(parts)
    probabilities = places.roots.square()
    weighing = considered.weighing
    if weighing is None:
        tested = tested_by(context.labels, size.classes)
        weighing = Weighing.by(context.goal, probabilities.sum(dim=0), tested)
    weights = considered.stood_for(weighing.of(probabilities))
    total = weights.sum(dim=0).clamp_min(torch.finfo(weights.dtype).tiny)
    return _Ground(root, places, weights / total)


def _covered(context: AcquisitionContext, ground: _Ground) -> Float[Tensor, "M"]:
    """How well each target is stood for by the images that were answered."""
    covered = torch.zeros_like(ground.weights[:, 0])
    size = context.size
    done = 0
    for features in context.blocks(context.labelled, _row(size)):
        directions = directions_of(features, ground.root)
        labels = context.labels[done : done + len(features)].to(covered.device)
        done += len(features)
        told = torch.nn.functional.one_hot(labels, size.classes).to(covered)
        ties = Places(directions, told).ties(ground.places)
        covered = torch.maximum(covered, ties.amax(dim=0))
    for features in context.blocks(context.refused, _row(size)):
        near = directions_of(features, ground.root) @ ground.places.directions.T
        covered = torch.maximum(covered, near.clamp_min(0.0).square().amax(dim=0))
    return covered


@dataclass(frozen=True, slots=True)
class _Alone:
    """Each candidate by itself, before anything is picked."""

    places: Places
    gains: Float[Tensor, "N V"]
    torn: Float[Tensor, "N"]
    predicted: Int[Tensor, "N"]


def _alone(context: AcquisitionContext, ground: _Ground, covered: Float[Tensor, "M"]) -> _Alone:
    size = context.size
    held = _cost(size).memory - _row(size)
    parts, gains, own, predicted = [], [], [], []
    for features in context.blocks(context.candidates, _row(size), held):
        places = places_of(context.learner, features, ground.root)
        parts.append(places)
        gains.append(ground.gains(places, covered))
        own.append(torn(places.roots.square()))
        predicted.append(places.roots.argmax(dim=-1))
    return _Alone(Places.concatenate(parts), torch.cat(gains), torch.cat(own), torch.cat(predicted))


def _greedy(
    context: AcquisitionContext,
    ground: _Ground,
    covered: Float[Tensor, "M"],
    alone: _Alone,
    at_random: int,
    cautious: float,
) -> Batch:
    """Pick by pick: gains only fall, so one that was not computed again is a bound from above.

    Where nothing is left to gain (more picks than distinct images, say), the model's own doubt decides.
    `at_random` picks, evenly spread, are drawn from the candidates instead; of the others, `cautious` is
    the cautious view's share, which is counted on from batch to batch, so that batches of one image have
    both views. Scores are gains, the mean of both views.
    """
    count = min(context.batch_size, len(context.candidates))
    shuffled = iter(_shuffled(context, alone.predicted).tolist())
    picked = len(context.labelled) + len(context.refused)
    bounds = alone.gains.clone()
    own = {CAUTIOUS: torch.ones_like(alone.torn), TRUSTING: alone.torn.clamp_min(_CERTAIN)}
    appeal = torch.stack([own[view] for view in VIEWS], dim=-1)
    rows: list[int] = []
    scores: list[float] = []
    stale = torch.zeros_like(alone.torn, dtype=torch.bool)
    taken = torch.zeros_like(stale)
    while len(rows) < count:
        if _falls_due(len(rows), at_random / count):
            best = next(row for row in shuffled if not bool(taken[row]))
            if bool(stale[best]):
                bounds[best] = ground.gains(alone.places[[best]], covered)[0]
        else:
            view = VIEWS.index(CAUTIOUS if _falls_due(picked, cautious) else TRUSTING)
            appeals = (bounds[:, view] * appeal[:, view]).masked_fill(taken, -torch.inf)
            best = _first(appeals)
            if float(appeals[best]) <= 0.0:
                best = _first(alone.torn.masked_fill(taken, -torch.inf))
            elif bool(stale[best]):
                first = appeals.masked_fill(~stale, -torch.inf).topk(min(_AT_ONCE, len(appeals)))
                again = first.indices[stale[first.indices]].sort().values
                bounds[again] = ground.gains(alone.places[again], covered)
                stale[again] = False
                continue
            picked += 1
        rows.append(int(context.candidates[best]))
        scores.append(max(0.0, float(bounds[best].mean())))
        covered = torch.maximum(covered, alone.places[[best]].ties(ground.places)[0])
        taken[best] = True
        stale = ~taken
    return Batch(tuple(rows), tuple(scores))


def _falls_due(turn: int, share: float) -> bool:
    """Whether this turn, from zero, is one of a share of all turns that is evenly spread."""
    return math.floor((turn + 1) * share + _ROUNDING) > math.floor(turn * share + _ROUNDING)


def _shuffled(context: AcquisitionContext, predicted: Int[Tensor, "N"]) -> Int[Tensor, "N"]:
    if context.goal is Goal.BALANCED:
        return in_turns(predicted, context.size.classes, context.generator())
    return torch.randperm(len(predicted), generator=context.generator())


def _first(values: Float[Tensor, "N"]) -> int:
    """The first of the highest values."""
    return int((values == values.max()).to(torch.uint8).argmax())
