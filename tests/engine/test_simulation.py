"""Replays: deterministic, blind to the test part, and read again instead of run again."""

import dataclasses
import json

import pytest
import torch

from alworkbench.domain import ClassList, LabelClass
from alworkbench.errors import UnknownStrategy
from alworkbench.features import FeatureTable
from alworkbench.simulation.data import LabelledPictures, SimulationData, pool_of_seed
from alworkbench.simulation.plan import Plan
from alworkbench.simulation.replays import replay
from alworkbench.simulation.report import load_results, table_lines
from alworkbench.simulation.runner import simulate
from alworkbench.simulation.statistics import (
    area_under_curve,
    curves,
    estimate,
    paired_difference,
)
from store import memory_store
from tests.factories import generator, normal, small_model

CLASSES = ClassList(tuple(LabelClass(name) for name in ("ant", "bee", "cat", "dog")))
PLAN = Plan(strategies=("random", "margin", "epig"), seeds=2, batch_size=4, labels=12)


def data() -> SimulationData:
    """60 pool and 30 test images whose classes lie apart in the activations."""
    model = small_model(images=90, dtype=torch.float32)
    labels = torch.randint(0, 4, (90,), generator=generator(8))
    centres = 2 * normal(9, 4, 7, dtype=torch.float32)
    features = dataclasses.replace(
        model.images, activations=model.images.activations + centres[labels]
    )
    return SimulationData(
        "toy",
        "small",
        model.head,
        model.posterior,
        CLASSES,
        model.classes,
        FeatureTable.from_features([f"{i:064d}" for i in range(90)], features),
        torch.arange(60),
        torch.arange(60, 90),
        labels,
    )


def without_times(points):
    return [dataclasses.replace(p, seconds_asking=0.0, seconds_learning=0.0) for p in points]


def test_the_same_plan_and_data_give_the_same_points():
    one, other = simulate(data(), PLAN, memory_store), simulate(data(), PLAN, memory_store)
    assert without_times(one) == without_times(other)


def test_every_run_starts_alike_and_asks_what_it_may():
    points = simulate(data(), PLAN, memory_store)
    assert len(points) == 2 * 3 * (1 + 3)
    for seed in range(2):
        start = {p.accuracy for p in points if p.seed == seed and p.labels == 0}
        assert len(start) == 1
    for point in points:
        assert sum(point.asked) == (4 if point.labels else 0)


def test_the_truth_of_the_test_part_does_not_reach_the_choice():
    """Other labels on the test part: other accuracies, the same images asked."""
    plain = data()
    changed = plain.labels.clone()
    changed[60:] = (changed[60:] + 1) % 4
    other = dataclasses.replace(plain, labels=changed)
    one, two = (simulate(d, PLAN, memory_store) for d in (plain, other))
    assert [p.asked for p in one] == [p.asked for p in two]
    assert [p.accuracy for p in one] != [p.accuracy for p in two]


def test_labels_that_were_not_asked_do_not_reach_the_choice():
    """The first batch is chosen before any label: other pool labels cannot change it."""
    plan = dataclasses.replace(PLAN, labels=4)
    plain = data()
    swapped = dataclasses.replace(
        plain, labels=torch.cat([(plain.labels[:60] + 1) % 4, plain.labels[60:]])
    )
    one, two = (simulate(d, plan, memory_store) for d in (plain, swapped))
    rolled = [(*p.asked[1:], p.asked[0]) for p in two]
    assert [p.asked for p in one] == rolled


def test_a_finished_result_is_read_and_not_run_again(tmp_path):
    def refuse(*_):
        raise AssertionError("ran again")

    first = replay(data(), PLAN, memory_store, tmp_path, lambda *_: None)
    again = replay(data(), PLAN, refuse, tmp_path, lambda *_: None)
    assert again == first
    assert load_results(tmp_path) == [first]
    assert first.picture.read_bytes().startswith(b"\x89PNG")
    assert json.loads((first.folder / "result.json").read_text())["key"] == first.key
    header, *lines = table_lines(first.table())
    assert header[0] == "strategy"
    assert {line[0] for line in lines} == set(PLAN.strategies)


def test_an_unknown_strategy_is_refused_before_anything_runs():
    with pytest.raises(UnknownStrategy):
        simulate(data(), dataclasses.replace(PLAN, strategies=("nonsense",)), memory_store)


def test_parts_that_share_an_image_are_refused():
    with pytest.raises(ValueError, match="share 1 images"):
        LabelledPictures({"a": "ant"}, {"a": "ant"})


def test_seeds_see_different_parts_of_the_pool_and_strategies_the_same():
    pool = list(range(100))
    one, other = pool_of_seed(pool, 0, 2 / 3), pool_of_seed(pool, 1, 2 / 3)
    assert len(one) == len(other) == 67
    assert one != other
    assert one == pool_of_seed(pool, 0, 2 / 3)


def test_means_errors_areas_and_pairs_are_what_they_are_called():
    points = simulate(data(), PLAN, memory_store)
    at = [p.accuracy for p in points if p.strategy == "margin" and p.labels == 12]
    found = next(c for c in curves(points) if c.strategy == "margin")
    assert found.accuracy[-1] == estimate(at)
    assert estimate([1.0, 3.0]).standard_error == pytest.approx(1.0)
    constant = [dataclasses.replace(p, accuracy=0.5) for p in points]
    assert area_under_curve(constant)["epig"].mean == pytest.approx(0.5)
    assert paired_difference(points, "margin", "margin", 12).mean == 0


def test_the_number_of_processes_changes_nothing():
    plan = dataclasses.replace(PLAN, labels=4)
    one = simulate(data(), plan, memory_store)
    two = simulate(data(), plan, memory_store, processes=2)
    assert without_times(one) == without_times(two)


def test_an_interrupted_simulation_goes_on_where_it_stopped(tmp_path):
    class Stop(Exception):
        pass

    def stop_after_two(what, done, total):
        if done == 2:
            raise Stop

    with pytest.raises(Stop):
        replay(data(), PLAN, memory_store, tmp_path, stop_after_two)
    opened = []

    def counted(*arguments):
        opened.append(arguments)
        return memory_store(*arguments)

    result = replay(data(), PLAN, counted, tmp_path, lambda *_: None)
    assert len(opened) == 2 * 3 - 2
    whole = simulate(data(), PLAN, memory_store)
    assert without_times(result.points) == without_times(whole)
