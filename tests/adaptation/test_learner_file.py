"""Learner files: what is saved is loaded, whatever number types the arrays have."""

from dataclasses import fields

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from alworkbench.adaptation.learner_file import load_learner, save_learner
from alworkbench.adaptation.learning import LearnedWeights
from alworkbench.adaptation.prior_selection import Prior
from alworkbench.core.errors import InvalidPosteriorFile
from alworkbench.posterior.linearisation import WeightUpdate
from tests.factories import normal

C, D, P, Q = 3, 2, 5, 4
ARRAYS = ("image", "text", "own", "offset", "log_shares")


@pytest.fixture
def path(tmp_path):
    update = WeightUpdate(
        *(normal(seed, *size, dtype=torch.float32) for seed, size in enumerate([(D, P), (D, Q)])),
        residual=normal(2, C, P, dtype=torch.float32),
        offset=normal(3, C, dtype=torch.float32),
    )
    path = tmp_path / "learner.safetensors"
    save_learner(path, LearnedWeights(update, Prior(2.0, 30.0), normal(4, C)), ["a", "b"], "small")
    return path


def change(path, name, function):
    """Exchange one array of the file."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
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
