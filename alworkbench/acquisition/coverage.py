"""Coverage, the default strategy: pick images that represent most of the remaining uncertainty.

Target j has a weight q_j: its uncertainty weight times what it counts for the goal (`target_weights`);
the weights sum to 1. Image i represents target j by the similarity kernel kappa_ij in [0, 1]
(`similarity`). A batch S has the value

    F(S) = sum_j q_j max_{i in labelled or S} kappa_ij

This is the facility location function, which `facility_location` maximises greedily. A labelled image
counts with its label as prediction. An image that people refused to classify represents its neighbours
whatever they show: no label is to be had there. A pending image, which an open round asks, counts as a pick.

There are two settings of the shrinkage of the model's confidence, weak and strong, and so two sets of
weights q. A pick in the strong setting takes the largest gain. A pick in the weak setting takes the
largest gain times one minus the margin of the candidate: where the model can be trusted, labels of
undecided images teach most. The share of the picks in the strong setting is

    1                         if the model does not know some class name
    1/2                       if there is no label yet
    min(1, 4 eps)             otherwise, with eps the contamination rate (`contamination`)

F rests on the cluster assumption that similar images share a class. With the probability that similarity
is uninformative (`cluster_assumption`), images are sampled at random instead, evenly spread over the
batch; with the goal `balanced`, from the predicted classes in turn.

If the pool is the target, its images without an answer are the targets, and large pools are subsampled
(`subsampling`). At first uncertainty is everywhere, and the batch is typical and diverse. Later
uncertainty concentrates on undecided images without a label nearby. The kernel uses correlations, not
covariances: under covariances images with long activations are informative about everything, and picks
are atypical (experiment A1). docs/method.md, section 12, has the pseudo-code.

Dimensions used in this file
    N  candidates          M  targets          L  labelled images
    P  activation size     C  classes          S  settings: weak, strong
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.acquisition.cluster_assumption import (
    uninformative_before_labels,
    uninformative_given_labels,
)
from alworkbench.acquisition.contamination import contamination_rate
from alworkbench.acquisition.cost import Cost, Size
from alworkbench.acquisition.facility_location import (
    GAINS_AT_ONCE,
    Candidates,
    Targets,
    lazy_greedy,
)
from alworkbench.acquisition.scores import margin
from alworkbench.acquisition.similarity import (
    EmbeddedImages,
    directions_of,
    embedded_images,
    root_given_labels,
)
from alworkbench.acquisition.strategy import AcquisitionContext, Batch, strategy
from alworkbench.acquisition.subsampling import (
    BYTES_PER_CANDIDATE,
    Subsample,
    candidate_count,
    logit_operations,
    subsample,
    target_count,
)
from alworkbench.acquisition.target_weights import TargetWeights


def _cost(size: Size) -> Cost:
    """Logits of all images; whitening and similarities of the candidates; repeated gains of a few."""
    whitening = size.activation**2
    targets, few = target_count(size), candidate_count(size)
    row_of_similarities = targets * (size.activation + size.classes)
    embedded = few + targets + size.labelled
    held = 4 * targets * (size.activation + 2 * size.classes + 6)
    held += BYTES_PER_CANDIDATE * size.candidates
    held += 4 * few * (size.activation + size.classes + 14)
    held += (
        16 * whitening
    )  # two whitening matrices, and the factor that leads from one to the other
    cluster_test = 16 * whitening + 4 * size.targets * size.activation
    tested = size.targets + min(size.settings.cluster_test_labels, size.labelled)
    conditioning = whitening * (size.labelled + size.activation) if size.labelled else 0
    operations = logit_operations(size) + whitening * tested + conditioning
    operations += embedded * (whitening + row_of_similarities)
    operations += size.batch * GAINS_AT_ONCE * row_of_similarities
    return Cost(operations, max(held, cluster_test) + _row(size))


def _row(size: Size) -> int:
    """Memory in bytes of one image while its similarities with the targets are computed."""
    return size.logits_row + 4 * (2 * size.activation + 3 * target_count(size))


@strategy("coverage", cost=_cost, streams=True)
def coverage(context: AcquisitionContext) -> Batch:
    """The default strategy. The module states the method and its sources."""
    random_picks, strong_share = _random_picks(context), _strong_share(context)
    shares = torch.tensor([1 - strong_share, strong_share])
    held = _cost(context.size).memory - _row(context.size)
    sample = subsample(context, held, shares)
    context = sample.context
    targets = _targets(sample)
    covered = _covered(context, targets)
    candidates = _candidates(context, targets, covered)
    return lazy_greedy(context, targets, covered, candidates, random_picks, strong_share)


def _random_picks(context: AcquisitionContext) -> int:
    """How many images of the batch are sampled at random."""
    settings = context.settings
    directions = _directions_without_labels(context, context.targets)
    share = uninformative_before_labels(directions, context.size.classes, settings)
    first = context.labelled[: settings.cluster_test_labels]
    if len(first):
        directions = _directions_without_labels(context, first)
        labels = context.labels[: len(first)].to(directions.device)
        share = uninformative_given_labels(directions, labels, share, settings)
    return round(share * min(context.batch_size, len(context.candidates)))


def _strong_share(context: AcquisitionContext) -> float:
    """Share of the picks in the strong setting, between 0 and 1."""
    settings = context.settings
    if context.unknown_names:
        return 1.0
    if not len(context.labelled):
        return settings.strong_share_without_labels
    zero_shot = replace(context.learner, update=None, state=None, predictor=None, pool_term=None)
    held = _cost(context.size).memory - _row(context.size)
    blocks = context.blocks(context.labelled, context.size.logits_row, held)
    predicted = torch.cat([zero_shot.logits(features).softmax(dim=-1) for features in blocks])
    rate = contamination_rate(predicted, context.labels)
    return min(1.0, settings.strong_share_per_contamination * rate)


def _directions_without_labels(
    context: AcquisitionContext, rows: Int[Tensor, "n"]
) -> Float[Tensor, "n P"]:
    """Directions under the posterior before any label, which is what the cluster test is about."""
    root, size = context.learner.image_activation_root, context.size
    blocks = context.blocks(rows, _row(size), _cost(size).memory - _row(size))
    return torch.cat([directions_of(features, root) for features in blocks])


def _targets(sample: Subsample) -> Targets:
    context = sample.context
    size = context.size
    root = root_given_labels(context, _row(size))
    held = _cost(size).memory - _row(size)
    parts = [
        embedded_images(context.learner, features, root)
        for features in context.blocks(context.targets, _row(size), held)
    ]
    images = EmbeddedImages.concatenate(parts)
    probabilities = images.root_probabilities.square()
    target_weights = sample.target_weights
    if target_weights is None:
        mass = probabilities.sum(dim=0)
        target_weights = TargetWeights.for_goal(
            context.goal, mass, context.labels, context.settings
        )
    weights = sample.represented(target_weights.of(probabilities))
    total = weights.sum(dim=0).clamp_min(torch.finfo(weights.dtype).tiny)
    return Targets(root, images, weights / total)


def _covered(context: AcquisitionContext, targets: Targets) -> Float[Tensor, "M"]:
    """max_i kappa_ij over the images that were answered or are pending, for each target j."""
    covered = torch.zeros_like(targets.weights[:, 0])
    size = context.size
    done = 0
    for features in context.blocks(context.labelled, _row(size)):
        directions = directions_of(features, targets.root)
        labels = context.labels[done : done + len(features)].to(covered.device)
        done += len(features)
        certain = torch.nn.functional.one_hot(labels, size.classes).to(covered)
        similarity = EmbeddedImages(directions, certain).similarity(targets.images)
        covered = torch.maximum(covered, similarity.amax(dim=0))
    for features in context.blocks(context.refused, _row(size)):
        correlation = directions_of(features, targets.root) @ targets.images.directions.T
        covered = torch.maximum(covered, correlation.clamp_min(0.0).square().amax(dim=0))
    for features in context.blocks(context.pending, _row(size)):
        images = embedded_images(context.learner, features, targets.root)
        covered = torch.maximum(covered, images.similarity(targets.images).amax(dim=0))
    return covered


def _candidates(
    context: AcquisitionContext, targets: Targets, covered: Float[Tensor, "M"]
) -> Candidates:
    size = context.size
    held = _cost(size).memory - _row(size)
    parts, gains, uncertainty, predicted = [], [], [], []
    for features in context.blocks(context.candidates, _row(size), held):
        images = embedded_images(context.learner, features, targets.root)
        parts.append(images)
        gains.append(targets.gains(images, covered))
        uncertainty.append(1 - margin(images.root_probabilities.square()))
        predicted.append(images.root_probabilities.argmax(dim=-1))
    return Candidates(
        EmbeddedImages.concatenate(parts),
        torch.cat(gains),
        torch.cat(uncertainty),
        torch.cat(predicted),
    )
