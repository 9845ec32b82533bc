"""The pool-taught learner: what it stores is what it predicts, and labels decide how far the pool counts."""

from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch.nn.functional import one_hot

from alworkbench.adaptation.adaptation_settings import DEFAULT_SETTINGS
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.leave_one_out import leave_one_out, leaves_out
from alworkbench.adaptation.left_out_folds import folds_of
from alworkbench.adaptation.methods import find_method
from alworkbench.adaptation.pool_taught import _weight_of_unseen
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.core.sealed_tensors import SEAL
from alworkbench.encoders.head import Features
from tests.factories import normal, small_model

METHOD = find_method("pool-taught")
SIZE, CLASSES = 24, 4


def campaign(spread=0.4, each=60, told=5):
    """A model whose names say nothing, a pool in islands of this spread, and some labels of each class."""
    small = small_model(image_size=SIZE, classes=CLASSES, dtype=torch.float32)
    start = zero_shot(small.head, small.posterior.tempered(1e-3, 1e-3), small.classes)
    labels = torch.arange(CLASSES).repeat(each)
    centres = normal(40, CLASSES, SIZE)
    images = Features((centres[labels] + spread * normal(41, len(labels), SIZE)).float())
    taught = torch.arange(told * CLASSES)
    return start, images, labels, taught, torch.arange(len(labels))[len(taught) :]


def learned(start, images, labels, taught, rest, **arguments):
    targets = one_hot(labels[taught], CLASSES).double()
    return METHOD(start, images[taught], targets, unlabelled=images[rest], **arguments)


def accuracy(learner, images, labels):
    return float((learner.logits(images).argmax(dim=-1) == labels).double().mean())


def test_where_classes_lie_together_the_pool_teaches():
    made = campaign(told=1)
    images, labels = made[1:3]
    found = learned(*made)
    assert accuracy(found, images, labels) >= accuracy(found.base, images, labels)
    assert accuracy(found, images, labels) > 0.95


def test_where_the_pool_says_nothing_it_hardly_counts():
    start, _, labels, taught, rest = campaign(spread=0.0, each=100, told=25)
    noise = Features(normal(50, len(labels), SIZE).float())
    found = learned(start, noise, labels, taught, rest)
    said = found.pool_term.pool_scale * found.pool_term.gaussians.log_likelihoods(noise[taught])
    assert float(said.std()) < 0.5  # nats


def test_the_learner_is_the_same_to_the_bit_every_time():
    made = campaign()
    one, other = learned(*made), learned(*made)
    assert torch.equal(one.logits(made[1]), other.logits(made[1]))
    assert torch.equal(one.pool_term.left_out, other.pool_term.left_out)


def test_the_base_learner_is_that_of_the_labels_alone():
    start, images, labels, taught, rest = campaign()
    found = learned(start, images, labels, taught, rest)
    targets = one_hot(labels[taught], CLASSES).double()
    alone = find_method("free-weights")(start, images[taught], targets)
    assert torch.equal(found.base.logits(images), alone.logits(images))


def test_the_prediction_is_the_sum_of_both_parts():
    made = campaign()
    found = learned(*made)
    term = found.pool_term
    parts = term.label_scale * found.base.logits(made[1])
    parts = parts + term.pool_scale * term.gaussians.log_likelihoods(made[1])
    assert torch.allclose(found.logits(made[1]), parts, atol=1e-5)


def test_draws_are_deviations_of_the_scaled_logits():
    made = campaign()
    found = learned(*made)
    scaled, plain = found.draws(3, 1), found.base.draws(3, 1)
    assert torch.allclose(scaled.image, found.label_scale * plain.image)
    assert torch.allclose(scaled.residual, found.label_scale * plain.residual)


def test_before_the_first_label_both_parts_count_by_their_prior_means():
    start, images, labels, _, _ = campaign()
    none = torch.zeros(0, dtype=torch.long)
    found = learned(start, images, labels, none, torch.arange(len(labels)))
    term = found.pool_term
    assert (term.label_scale, term.pool_scale) == pytest.approx(DEFAULT_SETTINGS.stacking_means)
    assert len(term.left_out) == term.folds == 0


def test_without_a_pool_it_is_the_learner_of_the_labels():
    start, images, labels, taught, _ = campaign()
    targets = one_hot(labels[taught], CLASSES).double()
    found = METHOD(start, images[taught], targets)
    assert found.pool_term is None


def test_a_pool_of_copies_teaches_nothing():
    start, images, labels, _, _ = campaign()
    copies = images[torch.zeros(6, dtype=torch.long)]
    targets = one_hot(labels[:1], CLASSES).double()
    found = METHOD(start, copies[:1], targets, unlabelled=copies)
    assert found.pool_term is None


@pytest.mark.parametrize("told", [1, 2, 5])
def test_any_number_of_labels_and_images_gives_finite_answers(told):
    start, images, labels, taught, rest = campaign(told=told)
    for pool in (rest[:1], rest[:3], rest):
        found = learned(start, images, labels, taught[:told], pool)
        assert torch.isfinite(found.logits(images)).all()


def test_the_left_out_predictions_are_those_of_learners_that_never_saw_the_label():
    """A wrong label changes the predictions of other folds, and not the one of its own image."""
    start, images, labels, taught, rest = campaign()
    wrong = labels.clone()
    wrong[0] = (wrong[0] + 1) % CLASSES
    one, other = (learned(start, images, each, taught, rest) for each in (labels, wrong))
    # The prior is chosen from all labels, so equality is up to that choice.
    margins = [found.pool_term.left_out[0].softmax(dim=-1)[labels[0]] for found in (one, other)]
    assert min(margins) > 0.5


def test_leave_one_out_gives_the_left_out_folds():
    start, images, labels, taught, rest = campaign()
    found = learned(start, images, labels, taught, rest)
    left = leave_one_out(found, one_hot(labels[taught], CLASSES).double())
    assert leaves_out(found)
    assert left.groups == DEFAULT_SETTINGS.head_input_folds
    assert torch.equal(left.logits.float(), found.pool_term.left_out)


def test_labels_of_unseen_classes_weigh_what_the_pool_expects():
    logits = torch.tensor([[2.0, 0, 0], [0, 2, 0]])
    targets = one_hot(torch.tensor([0, 0, 1]), 3).double()
    weights = torch.ones(3, dtype=torch.float64)
    seen = _weight_of_unseen(logits, targets, weights, torch.zeros(3).double())
    assert torch.equal(seen, weights)
    found = _weight_of_unseen(logits, targets, weights, torch.tensor([0.0, 0.0, 1.0]).double())
    expected = float(logits.softmax(dim=-1)[:, 2].mean())
    assert found.tolist() == pytest.approx([1, 1, min(1, expected / (1 - expected) * 3)])
    assert found.min() > 0


def saved(tmp_path, found, labels, taught):
    path = tmp_path / "learner.safetensors"
    targets = one_hot(labels[taught], CLASSES).double()
    names = [str(row) for row in taught.tolist()]
    ones = torch.ones(len(taught), dtype=torch.float64)
    save_learner(path, LearnedWeights.of(found), names, targets, ones, "small")
    return path, targets, ones


def test_a_stored_learner_predicts_and_draws_the_same_bits_without_the_pool(tmp_path):
    start, images, labels, taught, rest = campaign()
    found = learned(start, images, labels, taught, rest)
    path, targets, ones = saved(tmp_path, found, labels, taught)
    weights = load_learner(path).weights
    again = METHOD.restore(start, weights, images[taught], targets, ones, 0)
    assert torch.equal(again.logits(images), found.logits(images))
    assert torch.equal(again.pool_term.left_out, found.pool_term.left_out)
    assert again.label_scale == found.label_scale


@pytest.mark.parametrize("name", ["pool_directions", "pool_offsets", "pool_left_out"])
def test_a_pool_term_that_does_not_fit_together_is_refused(tmp_path, name):
    start, images, labels, taught, rest = campaign()
    path, _, _ = saved(tmp_path, learned(start, images, labels, taught, rest), labels, taught)
    with safe_open(path, framework="pt") as file:
        metadata = {key: text for key, text in file.metadata().items() if key != SEAL}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file({**tensors, name: tensors[name][1:].contiguous()}, path, metadata)
    with pytest.raises(InvalidPosteriorFile, match="do not fit together"):
        load_learner(path)


def test_a_class_that_was_added_since_is_taught_by_the_pool_again():
    start, images, labels, taught, rest = campaign()
    found = learned(start, images, labels, taught, rest)
    small = small_model(image_size=SIZE, classes=CLASSES, dtype=torch.float32)
    classes = torch.cat([small.classes, normal(60, 1, 6).float()])
    larger = zero_shot(small.head, small.posterior.tempered(1e-3, 1e-3), classes)
    targets = one_hot(labels[taught], CLASSES).double()
    again = METHOD.restore(
        larger,
        LearnedWeights.of(found),
        images[taught],
        targets,
        torch.ones(len(taught), dtype=torch.float64),
        0,
        unlabelled=lambda: images[rest],
    )
    assert again.logits(images).shape == (len(labels), CLASSES + 1)
    assert again.pool_term is not None


def test_an_image_that_no_class_fits_is_answered_with_finite_doubt():
    made = campaign()
    found = learned(*made)
    far = Features(-made[1].activations)
    assert torch.isfinite(found.logits(far)).all()


def test_near_copies_in_the_pool_change_little():
    start, images, labels, taught, rest = campaign()
    doubled = replace(images, activations=images.activations)[torch.cat([rest, rest])]
    targets = one_hot(labels[taught], CLASSES).double()
    one = learned(start, images, labels, taught, rest)
    other = METHOD(start, images[taught], targets, unlabelled=doubled)
    agree = one.logits(images).argmax(dim=-1) == other.logits(images).argmax(dim=-1)
    assert agree.double().mean() > 0.95


@pytest.mark.parametrize(
    "broken",
    [None, torch.Tensor.long, lambda values: values / 0],
    ids=["missing", "integers", "not finite"],
)
@pytest.mark.parametrize(
    "name", ["pool_mean", "pool_directions", "pool_weights", "pool_offsets", "pool_left_out"]
)
def test_a_damaged_array_of_the_pool_is_refused(tmp_path, name, broken):
    start, images, labels, taught, rest = campaign(told=1)
    path, _, _ = saved(tmp_path, learned(start, images, labels, taught, rest), labels, taught)
    with safe_open(path, framework="pt") as file:
        metadata = {key: text for key, text in file.metadata().items() if key != SEAL}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    array = tensors.pop(name)
    if broken is not None:
        tensors[name] = broken(array)
    save_file(tensors, path, metadata)
    with pytest.raises(InvalidPosteriorFile, match="not a readable learner file"):
        load_learner(path)


@pytest.mark.parametrize(
    "numbers",
    ["[1.0]", '["much", 0.1, 4]', "[NaN, 0.1, 4]", "[0.7, -0.1, 4]", "[0.7, 0.1, 5]", "{"],
)
def test_damaged_numbers_of_the_pool_are_refused(tmp_path, numbers):
    start, images, labels, taught, rest = campaign(told=1)
    path, _, _ = saved(tmp_path, learned(start, images, labels, taught, rest), labels, taught)
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "pool": numbers}
        del metadata[SEAL]
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file(tensors, path, metadata)
    with pytest.raises(InvalidPosteriorFile, match="not a readable learner file"):
        load_learner(path)


def test_a_term_that_the_file_lacks_is_learned_from_the_unlabelled_images():
    start, images, labels, taught, rest = campaign()
    found = learned(start, images, labels, taught, rest)
    older = replace(LearnedWeights.of(found), pool_term=None)
    targets, ones = one_hot(labels[taught], CLASSES).double(), torch.ones(len(taught)).double()
    given = older, images[taught], targets, ones, 0
    assert METHOD.restore(start, *given).pool_term is None
    again = METHOD.restore(start, *given, unlabelled=lambda: images[rest])
    torch.testing.assert_close(again.logits(images), found.logits(images), rtol=1e-3, atol=1e-3)


def test_an_image_s_own_label_does_not_change_its_left_out_prediction():
    """With one prior and fixed scales: those are chosen from all labels."""
    start, images, labels, taught, rest = campaign()
    fixed = replace(
        DEFAULT_SETTINGS,
        stacking_deviations=(1e-6, 1e-6),
        prior_variances=(30.0,),
        residual_shares=(0.5,),
        pseudo_data_weights=(1.0,),
        rough_gradient=1e-8,
    )
    wrong = labels.clone()
    wrong[0] = (wrong[0] + 1) % CLASSES
    one, other = (
        learned(start, images, each, taught, rest, settings=fixed).pool_term.left_out[0]
        for each in (labels, wrong)
    )
    torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_the_factor_of_labels_of_unseen_classes_is_a_share(seed):
    logits, weights = 5 * normal(seed, 20, CLASSES), normal(seed + 9, 6).abs()
    targets = one_hot(torch.arange(6) % 3, CLASSES).double()
    unseen = (torch.arange(6) % 2).double()
    found = _weight_of_unseen(logits, targets, weights, unseen)
    assert ((found >= 0) & (found <= 1)).all()
    assert (found[unseen == 0] == 1).all()


def test_labels_of_unseen_classes_count_nothing_once_every_class_has_a_label():
    targets, ones = torch.eye(CLASSES).double(), torch.ones(CLASSES).double()
    assert _weight_of_unseen(normal(0, 20, CLASSES), targets, ones, ones).tolist() == [0] * CLASSES


@pytest.mark.parametrize("classes", [2, 5, 10])
def test_labels_that_name_the_classes_in_turn_leave_out_no_class(classes):
    """Each class is named in several folds, so that left-out labels say how far the pool is believed."""
    fold_of, labels = folds_of(6 * classes, 5), torch.arange(6 * classes) % classes
    for each in range(classes):
        assert len(fold_of[labels == each].unique()) > 1


@pytest.mark.parametrize("count", [0, 1, 3, 5, 23, 200])
def test_folds_are_of_equal_size_and_more_labels_do_not_change_them(count):
    sizes = folds_of(count, 5).bincount(minlength=5)
    assert int(sizes.sum()) == count
    assert int(sizes.max() - sizes.min()) <= 1
    assert torch.equal(folds_of(count + 7, 5)[:count], folds_of(count, 5))
