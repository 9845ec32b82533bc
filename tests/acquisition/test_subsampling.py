"""Subsampling of large pools: what the sample represents, and that memory stays as stated."""

from __future__ import annotations

import pytest
import torch

from alworkbench.acquisition import coverage as module
from alworkbench.acquisition.acquisition_settings import AcquisitionSettings
from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.subsampling import subsample
from alworkbench.acquisition.target_weights import STRONG, WEAK, TargetWeights
from alworkbench.core.domain import Goal
from tests.acquisition.coverage_case import ROUNDING, Case, written
from tests.factories import normal

HALVES = torch.tensor([0.5, 0.5])
SMALL = AcquisitionSettings(most_targets=24, most_candidates=40)


@pytest.fixture(autouse=True)
def no_random_picks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster assumption holds."""
    monkeypatch.setattr(module, "uninformative_before_labels", lambda *_: 0.0)
    monkeypatch.setattr(module, "uninformative_given_labels", lambda *_: 0.0)


def test_if_there_are_too_many_candidates_uncertain_ones_are_sampled() -> None:
    """Which ones depends on the seed and on their uncertainty."""
    activations = normal(6, 40, 7, dtype=torch.float32)
    activations[:20, :3] = torch.tensor([200.0, 0.0, 0.0])  # certain
    case = written(activations, 3).with_(
        batch_size=4,
        candidates=torch.arange(2, 40),
        labelled=torch.tensor([0, 1]),
        labels=torch.tensor([0, 0]),
    )
    no_shrinkage = (0.0, 1.0)
    settings = AcquisitionSettings(no_shrinkage, no_shrinkage, most_candidates=10)
    case = case.with_(settings=settings)
    batches = [case.with_(seed=seed).select() for seed in (1, 1, 2, 3)]
    assert batches[0] == batches[1]
    assert len({batch.rows for batch in batches[1:]}) > 1
    for batch in batches:
        assert min(batch.rows) >= 20
        assert len(set(batch.rows)) == 4
    whole = case.with_(batch_size=12).select()
    assert len(set(whole.rows)) == 12


class TestLargePool:
    """160 images and 24 targets; three images are of a rare class that the model knows."""

    RARE = (20, 90, 150)

    @pytest.fixture
    def pool(self) -> Case:
        activations = normal(7, 160, 7, dtype=torch.float32)
        activations[:, 2] = -20.0
        activations[list(self.RARE), :3] = torch.tensor([0.0, 0.0, 12.0])
        return written(activations, 3).with_(batch_size=6, pool_is_target=True, settings=SMALL)

    def test_all_images_of_a_rare_class_are_targets_and_represent_themselves(
        self, pool: Case
    ) -> None:
        for seed in range(10):
            found = subsample(pool.with_(seed=seed).context, 0, HALVES)
            targets = found.context.targets.tolist()
            assert len(set(targets)) == 24
            assert len(set(found.context.candidates.tolist())) == 40
            assert set(self.RARE) < set(targets) < set(found.context.candidates.tolist())
            weights = module._targets(found).weights[:, STRONG]
            theirs = sum(float(weights[targets.index(row)]) for row in self.RARE)
            # one class of three; the model is certain of it, so its weight is about half of another's
            assert 0.15 < theirs < 0.45

    def test_the_sample_depends_on_the_seed_alone(self, pool: Case) -> None:
        batches = [pool.with_(seed=seed).select() for seed in (1, 1, 2, 3)]
        assert batches[0] == batches[1]
        assert len({batch.rows for batch in batches[1:]}) > 1
        assert all(len(set(batch.rows)) == 6 for batch in batches)

    @pytest.mark.parametrize("setting", [WEAK, STRONG])
    def test_the_sampled_weight_of_any_part_of_the_pool_is_unbiased(
        self, pool: Case, setting: int
    ) -> None:
        """The part is the first half of the pool."""
        probabilities = pool.probabilities(pool.context.candidates)
        mass = probabilities.sum(dim=0)
        no_labels = torch.zeros(0, dtype=torch.long)
        weights = TargetWeights.for_goal(Goal.BALANCED, mass, no_labels, SMALL).of(probabilities)
        wanted = float(weights[:80, setting].sum())
        found = []
        for seed in range(300):
            sample = subsample(pool.with_(seed=seed).context, 0, HALVES)
            targets = sample.context.targets
            found.append(float(sample.represented(weights[targets])[targets < 80, setting].sum()))
        values = torch.tensor(found, dtype=torch.float64)
        assert float(values.mean()) == pytest.approx(wanted, abs=4 * float(values.std()) / 300**0.5)

    @pytest.mark.parametrize("targets", [5, 60])
    def test_the_stated_memory_is_enough_whatever_targets_were_given(self, targets: int) -> None:
        pool = written(normal(8, 60, 300, dtype=torch.float32), 3).with_(
            batch_size=6, pool_is_target=True, targets=torch.arange(targets), settings=SMALL
        )
        needed = find_strategy("coverage").cost(pool.context.size).memory
        found, free = pool.with_(memory=needed).select(), pool.select()
        assert found.rows == free.rows
        assert found.scores == pytest.approx(free.scores, abs=ROUNDING)
