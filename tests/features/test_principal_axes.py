"""Principal axes: those of a plain decomposition, whatever the blocks, with one sign."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.features.principal_axes import PrincipalAxes


def vectors(seed: int, count: int, size: int, common: float = 0.0) -> np.ndarray:
    chance = np.random.default_rng(seed)
    scale = np.linspace(1.0, 3.0, size)
    return (chance.normal(size=(count, size)) * scale + common).astype(np.float32)


@pytest.mark.parametrize(("count", "size"), [(40, 7), (5, 9), (300, 20), (2, 3)])
def test_axes_are_those_of_a_singular_value_decomposition_up_to_sign(count: int, size: int) -> None:
    given_ = vectors(count, count, size, common=100.0)
    found = PrincipalAxes.of([given_], 2)
    plain = given_.astype(np.float64) - given_.astype(np.float64).mean(axis=0)
    _, values, directions = np.linalg.svd(plain, full_matrices=False)
    for k in range(min(2, count - 1)):
        assert abs(found.axes[k] @ directions[k]) == pytest.approx(1, abs=1e-9)
        assert found.shares[k] == pytest.approx(values[k] ** 2 / (values**2).sum(), abs=1e-9)
        own = found.project(given_)[:, k]
        assert np.abs(own) == pytest.approx(np.abs(plain @ directions[k]), abs=1e-4)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 60), max_size=5), st.integers(0, 5))
def test_the_blocks_do_not_matter(cuts: list[int], seed: int) -> None:
    given_ = vectors(seed, 60, 6, common=5.0)
    parts = np.split(given_, sorted(cuts))
    found, whole = PrincipalAxes.of(parts, 3), PrincipalAxes.of([given_], 3)
    for name in ("mean", "axes", "shares"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), abs=1e-9)


def test_the_sign_does_not_depend_on_the_order_of_the_vectors() -> None:
    given_ = vectors(3, 50, 8)
    found, turned = PrincipalAxes.of([given_], 2), PrincipalAxes.of([given_[::-1]], 2)
    assert found.axes == pytest.approx(turned.axes, abs=1e-9)
    largest = np.abs(found.axes).argmax(axis=1)
    assert (found.axes[np.arange(2), largest] > 0).all()


def test_directions_that_do_not_exist_are_zero() -> None:
    one = np.ones((4, 1), np.float32)
    found = PrincipalAxes.of([one], 2)
    assert found.project(one).tolist() == [[0.0, 0.0]] * 4
    assert found.shares.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match="at least one"):
        PrincipalAxes.of([], 2)
