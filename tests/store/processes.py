"""What the tests let other processes do."""

from __future__ import annotations

from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

from store import open_store
from tests.store.making import MINUTE, NOW, answer


def claim_everything(path: Path, annotator: str, told: Connection) -> None:
    """Ask for ever more items of round 1 until there are none; tell which came."""
    held: list[int] = []
    with closing(open_store(path)) as store:
        while True:
            with store.write() as writer:
                items = writer.rounds.claim(1, annotator, len(held) + 3, NOW, NOW + MINUTE)
            if len(items) == len(held):
                break
            held = [item.id for item in items]
    told.send(held)
    told.close()


def label_for_ever(path: Path, name: str, told: Connection) -> None:
    """Record one label after another, and tell of each once its block has ended."""
    store = open_store(path)
    number = 0
    while True:
        event_id = f"{name}-{number}"
        with store.write() as writer:
            writer.labels.add(answer(event_id, 1 + number % 4), NOW)
        told.send(event_id)
        number += 1
