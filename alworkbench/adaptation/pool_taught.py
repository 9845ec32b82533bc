"""The pool-taught learner: the learner of the labels and the class Gaussians of the pool, stacked.

    z^ = alpha z + beta g

z are the logits of the learner of the labels (the base learner), g the log likelihoods of the class
Gaussians of the pool (`pool_gaussians`), which start from z. How far each is believed is chosen from the
labels: both are learned again without each of five folds, and alpha and beta maximise the likelihood of the
labels that were left out (`stacking`). So beta tends to zero where images of a class do not lie together, and
alpha and beta together are a temperature: the same choice decides how sure the prediction is. Labels that a
strategy chose ask for a little too little confidence (P11 of docs/experiments/posterior.md).

**Labels of classes that a fold has not seen.** With few labels, the label that is left out is often the only
one of its class. It says how well classes without a label are predicted. The whole learner has more classes
with labels than its folds, so such labels get the weight that makes their share what the base learner
expects of the pool:

    weight = min(1, q / (1 - q) * (seen + 1) / unseen)

q is the mean probability over the pool of the classes without a label; `seen` and `unseen` count the left-out
labels whose class has, and has not, a label in the other folds.

Without labels alpha and beta are the prior means. An image anywhere is answered from what is stored: the
pool is not needed any more. Figures: docs/experiments/adaptation.md, L16 and L17.

Dimensions used in this file
    N  images, M unlabelled images of the pool, n labelled images
    C  classes
"""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.adaptation_settings import AdaptationSettings
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.left_out_folds import without_each_fold
from alworkbench.adaptation.pool_gaussians import GaussianImages, PoolTerm, fit_gaussians
from alworkbench.adaptation.stacking import mixed, stack
from alworkbench.encoders.head import Features
from alworkbench.posterior.covariance import LinearisedKernel


def teach(
    base: Learner,
    unlabelled: Features,
    labelled: Features,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"] | None,
    settings: AdaptationSettings,
) -> Learner:
    """The pool-taught learner of n labels and M unlabelled images; `base` is what the labels taught.

    Arguments are those of `learn`; n may be 0. Where all images are alike they say nothing about the
    classes, and the result is `base`.
    """
    device, dtype = base.class_activations.device, base.class_activations.dtype
    unlabelled, labelled = unlabelled.to(device, dtype), labelled.to(device, dtype)
    inputs = GaussianImages.of(unlabelled, labelled, settings.pool_directions)
    if inputs is None:
        return base
    targets = targets.to(device)
    weights = torch.ones_like(targets[:, 0]) if weights is None else weights.to(targets)
    logits = base.logits(unlabelled)
    gaussians = fit_gaussians(inputs, logits, targets, weights, settings)
    left_out, unseen = _left_out(base, inputs, unlabelled, targets, weights, settings)
    counted = weights * _weight_of_unseen(logits, targets, weights, unseen)
    scales = stack(
        left_out, targets, counted, settings.stacking_means, settings.stacking_deviations
    )
    folds = min(settings.head_input_folds, len(targets))
    left_out = mixed(left_out, scales).float()
    term = PoolTerm(gaussians, float(scales[0]), float(scales[1]), left_out, folds)
    return replace(base, pool_term=term)


def _left_out(
    base: Learner,
    inputs: GaussianImages,
    unlabelled: Features,
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    settings: AdaptationSettings,
) -> tuple[Float[Tensor, "n 2 C"], Float[Tensor, "n"]]:
    """z and g of each labelled image, both learned without its fold; and which share of its label the
    classes have that no other fold names. Kept from the whole are the prior of the base learner, the
    class prior and the coordinates of the Gaussians."""
    count, classes = targets.shape
    found = torch.zeros(count, 2, classes).to(base.class_activations)
    unseen = torch.zeros(count, dtype=targets.dtype, device=targets.device)
    state = base.state
    if state is None:
        return found, unseen
    exact = LinearisedKernel(
        base.model.double().classes, state.images, state.images, state.residual_head
    )
    shift = 0.0 if state.log_class_prior is None else state.log_class_prior
    images = base.model.images(unlabelled)
    across = LinearisedKernel(
        base.model.classes, images, state.images.to(images.logits.dtype), state.residual_head
    )
    labelled_x = inputs.x[inputs.unlabelled :]
    shifted = state.images.logits + shift
    for each in without_each_fold(exact, shifted, targets.to(shifted), weights, settings):
        fold, others, learned = each.fold, each.weights, each.found
        logits = images.logits + across.matvec(learned.dual.to(images.logits))
        gaussians = fit_gaussians(inputs, logits, targets, others, settings)
        found[fold, 0] = (learned.logits - shift)[fold].to(found)
        found[fold, 1] = labelled_x[fold] @ gaussians.weights.T + gaussians.offsets
        named = (others[:, None] * targets).sum(dim=0) > 0
        unseen[fold] = (targets[fold] * ~named).sum(dim=-1)
    return found, unseen


def _weight_of_unseen(
    logits: Float[Tensor, "M C"],
    targets: Float[Tensor, "n C"],
    weights: Float[Tensor, "n"],
    unseen: Float[Tensor, "n"],
) -> Float[Tensor, "n"]:
    """The factor on the weight of each left-out label, between 0 and 1."""
    total, of_unseen = float(weights.sum()), float((weights * unseen).sum())
    if not of_unseen > 0:
        return torch.ones_like(weights)
    named = (weights[:, None] * targets).sum(dim=0) > 0
    expected = float(logits.softmax(dim=-1)[:, ~named].sum(dim=-1).mean()) if len(logits) else 0.0
    odds = expected / max(1 - expected, torch.finfo(torch.float32).eps)
    factor = min(1.0, odds * (total - of_unseen + 1) / of_unseen)
    return 1 - unseen + factor * unseen
