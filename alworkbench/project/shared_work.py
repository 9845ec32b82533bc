"""Which images of a round several people answer, and which are shown without a suggestion.

Both are drawn at random with the seed of the round and recorded on the items, before anybody answers. Of n
items, a share s is floor(s * n + u) items, u uniform on [0, 1): on average exactly s * n, also in small
rounds. The two draws are independent of each other.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from alworkbench.core.domain import NewItem, ProjectSettings


def shared_out(items: Sequence[NewItem], settings: ProjectSettings, seed: int) -> list[NewItem]:
    """The items, with the answers that they want and with those that are blind.

    Only items with a suggestion can be blind. With the usual settings every item wants one answer and
    shows its suggestion.
    """
    several: set[int] = set()
    if settings.overlap > 1:
        several = _drawn(range(len(items)), settings.overlap_share, f"overlap {seed}")
    suggested = [n for n, item in enumerate(items) if item.suggestion is not None]
    blind = _drawn(suggested, settings.blind_share, f"blind {seed}")
    return [
        replace(item, wanted=settings.overlap if n in several else 1, blind=n in blind)
        for n, item in enumerate(items)
    ]


def _drawn(of: Sequence[int], share: float, seed: str) -> set[int]:
    source = random.Random(seed)
    count = min(len(of), int(share * len(of) + source.random()))
    return set(source.sample(of, count))
