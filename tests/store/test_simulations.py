"""Results of simulations: one row for each learner of each run, kept once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from alworkbench.core.domain import (
    POINT_COLUMNS,
    POINT_LISTS,
    Arm,
    SimulationPoint,
    SimulationRecord,
)
from alworkbench.core.ports import Store
from store import open_results
from store.schema import SimulationPointRow
from tests.store.making import HOUR, NOW

RECORD = SimulationRecord("k1", "toy", NOW, {"seeds": 1, "noise": [[1.0]]}, {"name": "toy"})
POINT = SimulationPoint(
    arm=Arm("random", "linearised", 10),
    seed=2**40,
    round=0,
    labels=7,
    paid=30,
    asked=10,
    accuracy=1 / 3,
    balanced_accuracy=0.5,
    macro_f1=0.25,
    nlpd=1e-300,
    brier=2.0,
    ece=0.1,
    ece_floor=0.05,
    recall=(0.5, None, 1.0),
    classes_asked=(3, 4, 0, 3),
    images=("a" * 64,),
    seconds_asking=0.1,
    seconds_learning=0.2,
    seconds_measuring=0.3,
    seconds_answering=40.0,
    peak_bytes=2**40,
)
POINTS = [replace(POINT, round=n) for n in range(4)]


def test_a_simulation_comes_back_as_it_was_kept(store: Store) -> None:
    with store.write() as writer:
        writer.simulations.add(RECORD, POINTS)
    with store.read() as reader:
        assert reader.simulations.all() == [RECORD]
        assert reader.simulations.points("k1") == POINTS
        assert reader.simulations.points("another") == []


def test_a_point_is_a_flat_row_of_the_table_and_comes_back() -> None:
    row = POINT.as_row()
    assert tuple(row) == POINT_COLUMNS
    beside = {"id", "simulation_id"}
    assert {column.name for column in SimulationPointRow.__table__.columns} == {*row} | beside
    assert SimulationPoint.from_row(row) == POINT
    read = {name: list(value) if name in POINT_LISTS else value for name, value in row.items()}
    assert SimulationPoint.from_row(read) == POINT


def test_a_known_key_is_kept_once(store: Store) -> None:
    for name in ("toy", "again"):
        with store.write() as writer:
            writer.simulations.add(replace(RECORD, name=name), POINTS)
    with store.read() as reader:
        assert reader.simulations.all() == [RECORD]
        assert reader.simulations.points("k1") == POINTS


def test_simulations_are_listed_by_their_time(store: Store) -> None:
    later = replace(RECORD, key="k0", created_at=NOW + HOUR)
    with store.write() as writer:
        writer.simulations.add(later, [])
        writer.simulations.add(RECORD, [])
    with store.read() as reader:
        assert reader.simulations.all() == [RECORD, later]


@pytest.mark.parametrize("wrong", [{"labels": 11}, {"paid": 9}])
def test_counts_that_cannot_be_are_refused(store: Store, wrong: dict[str, int]) -> None:
    with pytest.raises(Exception, match="counts"), store.write() as writer:
        writer.simulations.add(RECORD, [replace(POINT, **wrong)])
    with store.read() as reader:
        assert reader.simulations.all() == []


def test_a_learner_is_kept_once(store: Store) -> None:
    with pytest.raises(Exception, match=r"(?i)unique"), store.write() as writer:
        writer.simulations.add(RECORD, [POINT, POINT])


def test_results_without_a_project_have_a_database_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "out" / "results.db"
    for _ in range(2):
        with closing(open_results(path)) as store, store.write() as writer:
            writer.simulations.add(RECORD, POINTS)
    with closing(open_results(path)) as store, store.read() as reader:
        assert reader.simulations.points("k1") == POINTS
