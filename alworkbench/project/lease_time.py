"""How long a person keeps an image that was given to them: as long as their pace needs.

A person who asks gets several images at once and answers them one after the other. A lease lasts twice
the time in which the person answers all of them, at least 2 and at most 10 minutes:

    duration = min(10 min, max(2 min, 2 * images * pace))

`pace` is the median time between two answers of the person, of the last 50. Pauses over 10 minutes are
left out, and so are times that run backwards, since the clock of the server may be set. Before the fifth
answer nothing is known of the pace, and a lease lasts 10 minutes. An open page renews its leases at half
of their time, so that only those run out whose page is closed or without a network.

All times are those of the server's clock, which records the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

SHORTEST = timedelta(minutes=2)
LONGEST = timedelta(minutes=10)
PAUSE = timedelta(minutes=10)
"""A longer time between two answers is a pause and says nothing about the pace."""
RECENT = 50
"""Answers that the pace is measured on."""
FEWEST = 5
"""With fewer answers nothing is known of the pace."""


def pace(times: Sequence[datetime]) -> timedelta | None:
    """The median time between answers that were recorded at these times, in the order of recording.

    None with fewer than FEWEST answers, or without a time between two that counts.
    """
    gaps = [after - before for before, after in pairwise(times)]
    counted = [gap.total_seconds() for gap in gaps if timedelta(0) <= gap <= PAUSE]
    return timedelta(seconds=median(counted)) if len(times) >= FEWEST and counted else None


def lease_time(times: Sequence[datetime], images: int) -> timedelta:
    """How long a lease on so many images lasts, for a person who answered at these times."""
    found = pace(times)
    return LONGEST if found is None else min(LONGEST, max(SHORTEST, 2 * images * found))
