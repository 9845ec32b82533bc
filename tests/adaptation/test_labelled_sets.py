"""Label weights, soft and contradicting labels, classes without labels, and leave-one-out."""

import pytest
import torch
from torch.nn.functional import one_hot

from alworkbench.adaptation import leave_one_out as leaving_out
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learning import LearnedWeights, learn, restore
from alworkbench.adaptation.leave_one_out import held_out_changes, leave_one_out, leaves_out
from alworkbench.adaptation.map_fit import fit
from alworkbench.adaptation.methods import find_method
from alworkbench.posterior.covariance import LinearisedKernel
from alworkbench.posterior.linearisation import Linearisation
from tests.factories import generator, normal, small_model


def labelled_set(images=24, classes=4, strength=0.05, seed=3):
    model = small_model(images=images, classes=classes, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior.tempered(strength, strength), model.classes)
    labels = torch.randint(0, classes, (images,), generator=generator(seed))
    return model, start, one_hot(labels, classes).double()


def test_two_answers_that_contradict_are_one_soft_label_of_weight_two():
    model, start, targets = labelled_set(8)
    other = targets.roll(1, dims=1)
    rows = torch.arange(8).repeat_interleave(2)
    both = torch.stack([targets, other], dim=1).reshape(16, -1)
    twice = learn(start, model.images[rows], both)
    soft = learn(
        start, model.images, (targets + other) / 2, torch.full((8,), 2.0, dtype=torch.float64)
    )
    assert torch.allclose(twice.logits(model.images), soft.logits(model.images), atol=1e-4)


def test_the_order_of_labels_does_not_matter():
    model, start, targets = labelled_set()
    order = torch.randperm(24, generator=generator(1))
    one = learn(start, model.images, targets)
    other = learn(start, model.images[order], targets[order])
    assert torch.allclose(one.logits(model.images), other.logits(model.images), atol=1e-4)


def test_a_label_of_no_weight_teaches_nothing():
    model, start, targets = labelled_set()
    weights = torch.ones(24, dtype=torch.float64)
    weights[10:] = 0
    one = learn(start, model.images, targets, weights)
    other = learn(start, model.images[:10], targets[:10])
    assert torch.allclose(one.logits(model.images), other.logits(model.images), atol=1e-4)


@pytest.mark.parametrize("bad", [0.5, -1.0, float("nan")])
def test_invalid_targets_and_weights_are_refused(bad):
    model, start, targets = labelled_set(4)
    if bad == 0.5:
        with pytest.raises(ValueError, match="must sum to 1"):
            learn(start, model.images, bad * targets)
    else:
        with pytest.raises(ValueError, match="weights"):
            learn(start, model.images, targets, torch.full((4,), bad, dtype=torch.float64))


def test_a_class_added_later_is_learned_as_if_it_was_there_from_the_start():
    """Old labels teach on with a zero for the new class; logits stay finite and that of a fit afresh."""
    model, _, targets = labelled_set(classes=4)
    classes = torch.cat([model.classes, normal(77, 1, model.classes.shape[1]).float()])
    tempered = model.posterior.tempered(0.05, 0.05)
    larger = zero_shot(model.head, tempered, classes)
    wider = torch.cat([targets, torch.zeros(24, 1, dtype=torch.float64)], dim=1)
    learned = learn(larger, model.images, wider)
    m = Linearisation.build(model.head.to("cpu", torch.float64), tempered, classes.double())
    images = m.images(model.images.to("cpu", torch.float64))
    found = fit(m, images, wider)
    assert found.gradient <= 1e-10
    logits = learned.logits(model.images)
    assert torch.isfinite(logits).all()
    assert torch.allclose(logits.double(), found.logits, atol=1e-3)
    # the zero-shot logits of the old classes stay as they were
    before = zero_shot(model.head, tempered, model.classes).logits(model.images)
    assert torch.allclose(larger.logits(model.images)[:, :4], before, atol=1e-5)


def test_a_weighted_learner_is_restored_as_it_was():
    model, start, targets = labelled_set()
    weights = torch.linspace(0.5, 2, 24, dtype=torch.float64)
    learned = learn(start, model.images, targets, weights)
    found = restore(start, LearnedWeights.of(learned), model.images, weights)
    assert torch.equal(found.logits(model.images), learned.logits(model.images))
    assert torch.allclose(found.draws(8, 7).image, learned.draws(8, 7).image, atol=1e-2)


@pytest.mark.parametrize("name", ["free-weights", "linearised", "probe"])
def test_stored_soft_labels_do_not_name_a_class_that_was_added_since(name):
    model, start, targets = labelled_set(8)
    targets, weights = (targets + targets.roll(1, dims=1)) / 2, torch.full((8,), 2.0).double()
    method = find_method(name)
    learned = LearnedWeights.of(method.fit_base(start, model.images, targets, weights))
    classes = torch.cat([model.classes, normal(77, 1, model.classes.shape[1]).float()])
    larger = zero_shot(model.head, model.posterior.tempered(0.05, 0.05), classes)
    wider = torch.cat([targets, torch.zeros(8, 1, dtype=torch.float64)], dim=1)
    found, wanted = (
        method.restore(larger, learned, model.images, each, weights, 0) for each in (targets, wider)
    )
    assert torch.equal(found.logits(model.images), wanted.logits(model.images))
    assert torch.equal(found.state.weights, weights)


@pytest.mark.parametrize("name", ["free-weights", "linearised", "probe", "cache", "nearest-mean"])
def test_labels_of_weight_one_are_labels_without_weights_to_the_bit(name):
    model, start, targets = labelled_set(12)
    ones = torch.ones(12, dtype=torch.float64)
    one, other = (find_method(name)(start, model.images, targets, w) for w in (None, ones))
    assert torch.equal(one.logits(model.images), other.logits(model.images))
    assert torch.equal(one.draws(4, 7).image, other.draws(4, 7).image)


def test_leave_one_out_is_measured_against_the_labels_that_are_given():
    model, start, targets = labelled_set(12)
    soft = (targets + targets.roll(1, dims=1)) / 2
    learned = learn(start, model.images, soft)
    for labels in (soft.argmax(dim=-1), targets.argmax(dim=-1)):
        found = leave_one_out(learned, soft, labels=labels)
        hits = found.logits.argmax(dim=-1) == labels
        assert found.metrics.accuracy == pytest.approx(float(hits.double().mean()))
    assert (
        leave_one_out(learned, targets).metrics
        == leave_one_out(learned, targets, labels=targets.argmax(dim=-1)).metrics
    )


@pytest.mark.parametrize("limit", [0, 3000])
@pytest.mark.parametrize("groups", [6, 3])
def test_leave_one_out_is_exact_for_a_quadratic_loss(groups, limit, monkeypatch):
    """L_i = (z - t_i)' Lambda_i (z - t_i) / 2, each group's optimum found anew by a dense solve."""
    monkeypatch.setattr(leaving_out, "DENSE_LIMIT", limit)
    model = small_model(images=6, classes=3)
    m = model.linearisation()
    images = m.images(model.images)
    kernel = LinearisedKernel(m.classes, images, images)
    p, wanted = normal(1, 6, 3).softmax(dim=-1), normal(2, 6, 3)
    weights = torch.linspace(0.5, 2, 6, dtype=torch.float64)
    curvature = torch.block_diag(
        *[w * (torch.diag(r) - torch.outer(r, r)) for w, r in zip(weights, p, strict=True)]
    )
    dense = kernel.dense().reshape(18, 18)

    def optimum(keep):
        mask = keep.repeat_interleave(3).double()
        own = mask[:, None] * curvature * mask
        # a = own (t - z), z = K a (about z_0 = 0)
        dual = torch.linalg.solve(torch.eye(18).double() + own @ dense, own @ wanted.flatten())
        return dense @ dual, dual

    fitted, dual = optimum(torch.ones(6, dtype=torch.bool))
    group_of = torch.arange(6) % groups
    moved = held_out_changes(kernel, p, weights, dual.reshape(6, 3), group_of)
    for group in range(groups):
        out = group_of == group
        refitted, _ = optimum(~out)
        found = fitted.reshape(6, 3) - moved
        assert torch.allclose(found[out], refitted.reshape(6, 3)[out], rtol=1e-5, atol=1e-5)


def test_leave_one_out_is_close_to_learning_again_without_each_label():
    model, start, targets = labelled_set(30, 5, strength=0.3)
    learned = learn(start, model.images, targets)
    found = leave_one_out(learned, targets)
    assert found.groups == 30
    again = torch.stack(
        [
            learn(start, model.images[rows], targets[rows]).logits(model.images[i : i + 1])[0]
            for i in range(30)
            if len(rows := torch.tensor([j for j in range(30) if j != i]))
        ]
    ).double()
    centred = [z - z.mean(dim=-1, keepdim=True) for z in (found.logits, again)]
    apart = (centred[0] - centred[1]).abs().mean()
    moved = centred[1] - (learned.logits(model.images) - 0).double()
    correlation = torch.corrcoef(torch.stack([z.flatten() for z in centred]))[0, 1]
    assert correlation > 0.98, (float(correlation), float(apart), float(moved.std()))
    probabilities = [z.softmax(dim=-1) for z in centred]
    assert (probabilities[0] - probabilities[1]).abs().mean() < 0.03
    truth = targets.argmax(dim=-1)
    assert found.metrics.accuracy == pytest.approx(
        float((again.argmax(dim=-1) == truth).double().mean()), abs=0.1
    )
    own = learned.logits(model.images).softmax(dim=-1)
    assert found.metrics.nlpd > float(-own.gather(1, truth[:, None]).log().mean())


def test_a_learner_without_labels_has_none_to_leave_out():
    _, start, targets = labelled_set(4)
    with pytest.raises(ValueError, match="needs a learner with labels"):
        leave_one_out(start, targets)


def test_leave_one_out_covers_the_residual_head():
    model, start, targets = labelled_set(30, 5, strength=0.3)
    method = find_method("free-weights")
    learned = method(start, model.images, targets)
    assert leaves_out(learned)
    found = leave_one_out(learned, targets)
    others = [torch.tensor([j for j in range(30) if j != i]) for i in range(30)]
    again = torch.stack(
        [
            method(start, model.images[rows], targets[rows]).logits(model.images[i : i + 1])[0]
            for i, rows in enumerate(others)
        ]
    ).double()
    centred = [z - z.mean(dim=-1, keepdim=True) for z in (found.logits, again)]
    assert torch.corrcoef(torch.stack([z.flatten() for z in centred]))[0, 1] > 0.97
    truth = targets.argmax(dim=-1)
    assert found.metrics.accuracy == pytest.approx(
        float((again.argmax(dim=-1) == truth).double().mean()), abs=0.1
    )
    without = leave_one_out(learn(start, model.images, targets), targets)
    assert not torch.allclose(without.logits, found.logits, atol=1e-2)


def test_a_probe_has_no_leave_one_out_predictions():
    model, start, targets = labelled_set(12)
    learned = find_method("probe")(start, model.images, targets)
    assert not leaves_out(learned)
    assert not leaves_out(start)
    with pytest.raises(ValueError, match="linearised"):
        leave_one_out(learned, targets)
