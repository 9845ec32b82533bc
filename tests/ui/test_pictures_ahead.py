"""Pictures are made ahead in one thread: in order, each once, bounded, and none after the end."""

from __future__ import annotations

import threading

from alworkbench.core.errors import UnknownImage
from ui.pictures_ahead import MOST_WISHES, PicturesAhead


def test_wishes_are_fulfilled_in_order_and_errors_stop_nothing() -> None:
    made: list[tuple[str, int]] = []

    def make(content: str, side: int) -> None:
        made.append((content, side))
        if content == "gone":
            raise UnknownImage(content)
        if content == "broken":
            raise RuntimeError

    ahead = PicturesAhead(make)
    ahead.wish(["a", "gone", "broken", "b"], 256)
    assert ahead.wait(20)
    assert made == [("a", 256), ("gone", 256), ("broken", 256), ("b", 256)]
    ahead.stop(20)


def test_a_wish_that_waits_is_made_once_and_the_oldest_are_dropped() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def make(content: str, side: int) -> None:
        begun.set()
        go_on.wait(20)
        made.append(content)

    ahead = PicturesAhead(make)
    ahead.wish(["first"], 256)
    assert begun.wait(20)
    names = [str(number) for number in range(MOST_WISHES + 5)]
    for _ in range(2):
        ahead.wish(names, 256)
    assert not ahead.wait(0)
    go_on.set()
    assert ahead.wait(20)
    assert made[0] == "first"
    assert len(made) == 1 + MOST_WISHES == len(set(made))
    assert made[-1] == "4"  # it was dropped as one of the oldest, and wished for again


def test_the_end_drops_what_waits_and_takes_no_more_wishes() -> None:
    begun, go_on = threading.Event(), threading.Event()
    made: list[str] = []

    def make(content: str, side: int) -> None:
        begun.set()
        go_on.wait(20)
        made.append(content)

    ahead = PicturesAhead(make)
    ahead.wish(["a", "b", "c"], 256)
    assert begun.wait(20)
    threading.Timer(0.05, go_on.set).start()
    ahead.stop(20)
    ahead.wish(["d"], 256)
    assert made == ["a"]
