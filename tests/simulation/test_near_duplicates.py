"""Copies of test images in a pool: found where they stand out, whatever the scale of the features."""

import pytest
import torch

from alworkbench.encoders.head import Features
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.near_duplicates import near_duplicates

POOL, TEST, COPIES, SIZE = 500, 120, 30, 24


def count(pool: torch.Tensor, test: torch.Tensor, block: int = 2048) -> int:
    together = Features(torch.cat([pool, test]))
    table = FeatureTable.from_features([str(row) for row in range(len(together))], together)
    rows = torch.arange(len(together))
    return near_duplicates(table, rows[: len(pool)], rows[len(pool) :], block)


@pytest.fixture(scope="module")
def parts() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pool, test part and copies of its first images; directions differ a hundredfold in size."""
    generator = torch.Generator().manual_seed(3)
    scale = torch.logspace(-1, 1, SIZE)
    images = torch.randn(POOL + TEST, SIZE, generator=generator) * scale + 5
    noise = 0.15 * torch.randn(COPIES, SIZE, generator=generator) * scale
    return images[:POOL], images[POOL:], images[POOL : POOL + COPIES] + noise


def test_copies_are_found_and_few_others(parts) -> None:
    pool, test, copies = parts
    assert count(pool, test) <= 0.03 * TEST
    assert COPIES <= count(torch.cat([pool, copies]), test) <= COPIES + 0.03 * TEST


def test_a_change_of_coordinates_changes_nothing(parts) -> None:
    """Whitening takes every invertible linear map back but for a rotation."""
    pool, test, copies = parts
    mixing = torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(4)) + 4 * torch.eye(
        SIZE
    )
    pool = torch.cat([pool, copies])
    assert count(pool @ mixing + 7, test @ mixing + 7) == count(pool, test)


def test_exact_copies_do_not_hide_each_other(parts) -> None:
    pool, test, _ = parts
    twice = torch.cat([pool, test[:COPIES], test[:COPIES]])
    assert count(twice, test) >= COPIES


def test_blocks_change_nothing(parts) -> None:
    pool, test, copies = parts
    pool = torch.cat([pool, copies])
    assert count(pool, test, block=37) == count(pool, test)


@pytest.mark.parametrize("images", [1, 2])
def test_a_pool_of_hardly_any_image_is_no_error(parts, images) -> None:
    pool, test, _ = parts
    assert 0 <= count(pool[:images], test) <= TEST
