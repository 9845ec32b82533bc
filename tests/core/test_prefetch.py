"""Prefetching gives results in order, within its bound, and raises errors in their turn."""

import threading
import time

import pytest

from alworkbench.core.prefetch import prefetch


def test_results_come_in_the_order_of_the_items():
    def slower_for_the_first(item: int) -> int:
        time.sleep(0.01 if item % 4 == 0 else 0)
        return item * item

    found = prefetch(slower_for_the_first, range(20), threads=4, ahead=5)
    assert list(found) == [item * item for item in range(20)]


@pytest.mark.parametrize("ahead", [0, 1, 7])
def test_no_more_items_are_read_ahead_than_allowed(ahead):
    taken = []

    def items():
        for item in range(30):
            taken.append(item)
            yield item

    for asked, found in enumerate(prefetch(str, items(), threads=3, ahead=ahead), start=1):
        assert found == str(asked - 1)
        assert len(taken) <= asked + ahead


def test_an_error_is_raised_in_its_turn():
    found = prefetch(lambda item: 1 / (3 - item), range(9), threads=2, ahead=4)
    assert [next(found) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(found)
    assert list(found) == []


def test_closing_drops_waiting_items_and_leaves_no_thread():
    done = []
    found = prefetch(done.append, range(100), threads=2, ahead=50)
    next(found)
    found.close()
    assert len(done) <= 51
    assert not [each for each in threading.enumerate() if each.name.startswith("prefetch")]
