"""Learner files: what is saved is loaded, whatever number types the arrays have."""

from dataclasses import fields

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.prior import Prior
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.core.sealed_tensors import SEAL
from alworkbench.posterior.linearisation import WeightUpdate
from tests.factories import normal

C, D, P, Q = 3, 2, 5, 4
ARRAYS = ("image", "text", "own", "offset", "log_shares")
TARGETS = torch.tensor([[1 / 3, 2 / 3, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64)
LABEL_WEIGHTS = torch.tensor([3.0, 1.0], dtype=torch.float64)


@pytest.fixture
def path(tmp_path):
    update = WeightUpdate(
        *(normal(seed, *size, dtype=torch.float32) for seed, size in enumerate([(D, P), (D, Q)])),
        residual=normal(2, C, P, dtype=torch.float32),
        offset=normal(3, C, dtype=torch.float32),
    )
    path = tmp_path / "learner.safetensors"
    weights = LearnedWeights(update, Prior(2.0, 30.0), normal(4, C))
    save_learner(path, weights, ["a", "b"], TARGETS, LABEL_WEIGHTS, "small")
    return path


def change(path, name, function):
    """Exchange one array of the file."""
    with safe_open(path, framework="pt") as file:
        metadata = {key: text for key, text in file.metadata().items() if key != SEAL}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    save_file({**tensors, name: function(tensors[name])}, path, metadata)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize("kind", [torch.float16, torch.float32, torch.float64])
def test_one_array_of_another_type_fits_all_the_others(path, name, kind):
    """The same numbers in another type are the same learner to the bit."""
    change(path, name, lambda values: values.half().double())
    wanted = load_learner(path).weights
    change(path, name, lambda values: values.to(kind))
    found = load_learner(path).weights
    for field in fields(WeightUpdate):
        one, other = getattr(found.update, field.name), getattr(wanted.update, field.name)
        assert one is other is None or (one.dtype == torch.float32 and torch.equal(one, other))
    assert found.log_class_prior.dtype == torch.float64
    assert torch.equal(found.log_class_prior, wanted.log_class_prior)


@pytest.mark.parametrize("name", ARRAYS)
@pytest.mark.parametrize(
    "broken", [torch.Tensor.long, lambda values: values / 0], ids=["integers", "not finite"]
)
def test_values_that_are_no_finite_numbers_are_refused_by_name(path, name, broken):
    change(path, name, broken)
    with pytest.raises(InvalidPosteriorFile, match=f"{name} holds"):
        load_learner(path)


def test_labels_are_loaded_as_they_were_saved(path):
    targets, weights = load_learner(path).labels
    assert targets.dtype == weights.dtype == torch.float64
    assert torch.equal(targets, TARGETS)
    assert torch.equal(weights, LABEL_WEIGHTS)


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_file_of_an_older_format_holds_no_labels(path, version):
    with safe_open(path, framework="pt") as file:
        metadata = {**file.metadata(), "format": f"alworkbench-learner-{version}"}
        del metadata[SEAL]
        tensors = {
            key: file.get_tensor(key)
            for key in file.keys()  # noqa: SIM118
            if not key.startswith("label_")
        }
    save_file(tensors, path, metadata)
    found = load_learner(path)
    assert found.labels is None
    assert found.hashes == ("a", "b")


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("label_places", lambda values: values + 5),
        ("label_places", lambda values: values - 5),
        ("label_places", torch.Tensor.double),
        ("label_shares", lambda values: values / 2),
        ("label_shares", lambda values: values[1:]),
        ("label_weights", lambda values: values[1:]),
        ("label_weights", lambda values: -values),
    ],
)
def test_arrays_that_are_not_the_labels_of_the_images_are_refused(path, name, broken):
    change(path, name, lambda values: broken(values).contiguous())
    with pytest.raises(InvalidPosteriorFile, match="not a readable learner file"):
        load_learner(path)
