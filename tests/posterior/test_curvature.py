"""The summed curvature equals that of single examples, for blocks of any size and both losses."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.func import hessian, jacrev
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from alworkbench.encoders.head import Features, Head
from alworkbench.posterior.curvature import (
    RIDGE,
    embedding_factor,
    infonce_curvature,
    pair_curvature,
    siglip_curvature,
)
from tests.factories import normal

SCALE, BIAS = 9.0, -2.0


def logits_of(source, targets, bias=0.0):
    units = targets / targets.norm(dim=-1, keepdim=True)
    return SCALE * units @ (source / source.norm()) + bias


def per_example(sources, targets, bias, curvature):
    total = 0
    for source in sources:
        jacobian = jacrev(lambda g: logits_of(g, targets, bias))(source)  # C D
        total = total + jacobian.T @ curvature(logits_of(source, targets, bias)) @ jacobian
    return total


def softmax_curvature(logits):
    p = logits.softmax(dim=-1)
    return torch.diag(p) - torch.outer(p, p)


def sigmoid_curvature(logits):
    p = logits.sigmoid()
    return torch.diag(p * (1 - p))


def size_of_terms(sources, targets, bias):
    """What the ridge is a share of: the probabilities of a softmax sum to one."""
    weights = (SCALE / sources.norm(dim=-1)).square()
    if not bias:
        return float(weights.sum())
    slopes = [torch.diag(sigmoid_curvature(logits_of(s, targets, bias))).sum() for s in sources]
    return float((weights * torch.stack(slopes)).sum())


CASES = [
    pytest.param(
        lambda s, t, budget: infonce_curvature(s, t, SCALE, budget=budget),
        0.0,
        softmax_curvature,
        id="infonce",
    ),
    pytest.param(
        lambda s, t, budget: siglip_curvature(s, t, SCALE, BIAS, budget=budget),
        BIAS,
        sigmoid_curvature,
        id="siglip",
    ),
]


@pytest.mark.parametrize(("summed", "bias", "curvature"), CASES)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.tuples(st.integers(1, 9), st.integers(2, 8), st.integers(2, 6)),
    budget=st.sampled_from([1, 200, 900, 1 << 20]),
)
@settings(max_examples=40)
def test_the_sum_is_the_per_example_form_for_blocks_of_any_size(
    summed, bias, curvature, seed, sizes, budget
):
    rows, columns, size = sizes
    sources, targets = normal(seed, rows, size), normal(seed + 1, columns, size)
    wanted = per_example(sources, targets, bias, curvature)
    found = summed(sources, targets, budget)
    # Where the softmax is nearly certain, terms of this size cancel to almost nothing.
    terms = float((SCALE / sources.norm(dim=-1)).square().sum())
    wanted = wanted + RIDGE * size_of_terms(sources, targets, bias) * torch.eye(size).double()
    assert torch.allclose(found, wanted, rtol=1e-10, atol=1e-13 * terms)


@pytest.mark.parametrize(
    ("loss", "curvature"),
    [
        (lambda z: cross_entropy(z, torch.tensor(1)), softmax_curvature),
        (
            lambda z: binary_cross_entropy_with_logits(
                z, torch.tensor([0.0, 1, 0, 0], dtype=torch.float64), reduction="sum"
            ),
            sigmoid_curvature,
        ),
    ],
)
def test_the_curvature_in_the_logits_is_the_hessian_of_the_loss(loss, curvature):
    logits = normal(3, 4)
    assert torch.allclose(hessian(loss)(logits), curvature(logits), rtol=1e-10, atol=1e-12)


def test_factors_of_disjoint_batches_add_up():
    head = Head(normal(1, 4, 5), normal(2, 4, 3), SCALE)
    images, texts = Features(normal(3, 12, 5)), normal(4, 12, 3)
    whole = pair_curvature(head, images, texts, batch=4)
    parts = [
        pair_curvature(head, images[part], texts[part], batch=4)
        for part in (slice(0, 4), slice(4, 12))
    ]
    summed = parts[1] + parts[0]
    for side in ("image", "text"):
        one, other = getattr(whole, side), getattr(summed, side)
        assert one.pairs == other.pairs == 12
        assert torch.allclose(one.activation, other.activation, rtol=1e-12)
        assert torch.allclose(one.embedding, other.embedding, rtol=1e-12)


def test_the_factors_are_positive_semi_definite_and_symmetric():
    head = Head(normal(1, 4, 5), normal(2, 4, 3), SCALE)
    factors = pair_curvature(head, Features(normal(3, 12, 5)), normal(4, 12, 3), batch=12)
    for side in (factors.image, factors.text):
        for factor in (side.activation, side.embedding):
            assert torch.equal(factor, factor.T)
            assert torch.linalg.eigvalsh(factor).min() >= -1e-12 * factor.abs().max()


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@given(
    seed=st.integers(0, 10_000),
    sizes=st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 12)),
    rank=st.integers(1, 12),
    certainty=st.sampled_from([0.0, 1.0, 100.0, 1e5]),
    length=st.sampled_from([1e-3, 1.0, 1e2]),
)
@settings(max_examples=30, deadline=None, derandomize=True)
def test_the_curvature_is_positive_definite_for_every_model(
    loss, dtype, seed, sizes, rank, certainty, length
):
    """Also where everything cancels: one target, equal rows, few directions, a model that is certain."""
    rows, columns, size = sizes
    basis = normal(seed, rank, size)
    sources = (length * normal(seed + 1, rows, rank) @ basis).to(dtype)
    targets = (normal(seed + 2, columns, rank) @ basis).to(dtype)
    if float(sources.double().norm(dim=-1).min()) == 0 or float(targets.norm(dim=-1).min()) == 0:
        return
    scale = SCALE * max(certainty, 1e-3)
    for one, other in ((sources, targets), (sources[:1].repeat(rows, 1), targets)):
        found = embedding_factor(one, other, scale, BIAS, loss)
        terms = float((scale / one.double().norm(dim=-1)).square().sum())
        values = torch.linalg.eigvalsh(found)
        assert values.min() > 0
        assert values.max() <= (2 + columns) * terms


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
def test_the_curvature_of_float32_embeddings_is_that_of_the_same_numbers_in_float64(loss):
    sources, targets = normal(1, 30, 6, dtype=torch.float32), normal(2, 20, 6, dtype=torch.float32)
    one = embedding_factor(sources, targets, 100.0, BIAS, loss)
    other = embedding_factor(sources.double(), targets.double(), 100.0, BIAS, loss)
    assert torch.equal(one, other)
