"""Laws of the tasks that the Ray engine gives up; a stand-in takes the place of a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from alworkbench.core.errors import EngineError
from alworkbench.engines.engine import Shared
from alworkbench.engines.ray_engine import RayEngine


class StandIn:
    """Ray with so many processors, whose tasks end in order: up to `ended`, and each that is waited for."""

    exceptions = SimpleNamespace(RayTaskError=RuntimeError, RayError=OSError)

    def __init__(self, processors: int, ended: set[int]) -> None:
        self.processors, self.ended = processors, ended
        self.stuck: set[int] = set()
        self.cancelled: list[int] = []

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": self.processors}

    def wait(
        self, tasks: Sequence[int], num_returns: int = 1, timeout: float = 0
    ) -> tuple[list[int], list[int]]:
        assert num_returns == len(tasks)
        if timeout:
            self.ended |= set(tasks) - self.stuck
        return [t for t in tasks if t in self.ended], [t for t in tasks if t not in self.ended]

    def get(self, task: int) -> tuple[bool, int]:
        return True, task

    def cancel(self, task: int, force: bool) -> None:
        assert force
        self.cancelled.append(task)


def engine_on(ray: StandIn) -> RayEngine:
    engine = RayEngine.__new__(RayEngine)
    engine._ray = ray
    remote = SimpleNamespace(remote=lambda _function, _shared, group, *_: group)
    engine._task = SimpleNamespace(options=lambda **_: remote)
    return engine


def identity(_shared: Any, group: int) -> int:
    return group


def test_who_stops_early_cancels_only_what_has_not_ended() -> None:
    """Ray may end the whole program where a task is cancelled that has just ended."""
    ray = StandIn(processors=2, ended={2})
    given = engine_on(ray).map_groups(identity, Shared(None), range(9))
    assert [next(given), next(given)] == [0, 1]
    given.close()
    assert ray.cancelled
    assert not ray.ended & set(ray.cancelled)


def test_a_call_that_gives_one_result_cancels_nothing() -> None:
    ray = StandIn(processors=2, ended=set())
    given = engine_on(ray).map_groups(identity, Shared(None), [7])
    assert next(given) == 7
    given.close()
    assert ray.cancelled == []


def test_a_cluster_that_loses_its_room_cancels_what_waits() -> None:
    ray = StandIn(processors=1, ended=set())
    given = engine_on(ray).map_groups(identity, Shared(None), range(3))
    assert next(given) == 0
    ray.stuck, ray.processors = {1, 2}, 0
    with pytest.raises(EngineError, match="needs 1 CPU"):
        next(given)
    assert ray.cancelled == [1, 2]
