"""What open pages watch is read once for all of them, and never older than what a page was drawn from."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ui import markers as module
from ui.markers import Markers


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def watched() -> tuple[Markers, Any]:
    facts = SimpleNamespace(round_id=1, reads=0)

    def current() -> Any:
        facts.reads += 1
        return SimpleNamespace(id=facts.round_id)

    workbench: Any = SimpleNamespace(
        rounds=SimpleNamespace(current=current),
        prepared=SimpleNamespace(failed=lambda: None, kept=lambda: None),
    )
    jobs: Any = SimpleNamespace(latest=lambda: None)
    return Markers(workbench, jobs), facts


def test_many_pages_share_one_reading_for_a_second(clock: list[float]) -> None:
    markers, facts = watched()
    first = [markers.lately() for _ in range(8)]
    assert (len(set(first)), facts.reads) == (1, 1)
    facts.round_id = 2
    assert markers.lately() == first[0]
    clock[0] += module.SHARED_SECONDS
    assert markers.lately()[0] == 2
    assert facts.reads == 2


def test_a_page_that_was_just_drawn_finds_nothing_new(clock: list[float]) -> None:
    markers, facts = watched()
    markers.lately()
    facts.round_id = 2
    drawn = markers.now()
    assert drawn[0] == 2
    assert markers.lately() == drawn
