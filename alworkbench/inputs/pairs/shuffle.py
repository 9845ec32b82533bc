"""A random order for pairs that can only be read as a stream."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence

from alworkbench.inputs.pairs.source import Pair

BUFFER_PAIRS = 16_384
BUFFER_BYTES = 512 << 20
INTERLEAVED = 8


def interleaved(
    parts: Sequence[Callable[[], Iterator[Pair]]], rng: random.Random, at_once: int = INTERLEAVED
) -> Iterator[Pair]:
    """The pairs of all parts. `at_once` parts are open; each pair comes from a random one of them."""
    waiting = list(parts)
    rng.shuffle(waiting)
    opened: list[Iterator[Pair]] = []
    while waiting or opened:
        while waiting and len(opened) < at_once:
            opened.append(waiting.pop()())
        k = rng.randrange(len(opened))
        pair = next(opened[k], None)
        if pair is None:
            opened.pop(k)
        else:
            yield pair


def shuffled(
    pairs: Iterator[Pair],
    rng: random.Random,
    most: int = BUFFER_PAIRS,
    most_bytes: int = BUFFER_BYTES,
) -> Iterator[Pair]:
    """The pairs, through a buffer: when the buffer is full, a random pair leaves it."""
    buffer: list[Pair] = []
    size = 0
    for pair in pairs:
        buffer.append(pair)
        size += _weight(pair)
        while len(buffer) > most or size > most_bytes:
            k = rng.randrange(len(buffer))
            buffer[k], buffer[-1] = buffer[-1], buffer[k]
            drawn = buffer.pop()
            size -= _weight(drawn)
            yield drawn
    rng.shuffle(buffer)
    yield from buffer


def _weight(pair: Pair) -> int:
    return len(pair.image) if isinstance(pair.image, bytes) else 0
