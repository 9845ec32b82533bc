"""A small labelled collection to simulate on, and simulations of it that end early."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import NoReturn

import torch

from alworkbench.core.domain import NO_CLASS, ClassList, LabelClass
from alworkbench.core.errors import UnknownStrategy
from alworkbench.features.table import FeatureTable
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.experiment import run_plan
from alworkbench.simulation.plan import Plan
from store import memory_store
from tests.factories import generator, normal, small_model

CLASSES = ClassList(tuple(LabelClass(name) for name in ("ant", "bee", "cat", "dog")))
POOL, TEST = 60, 30
LONG_PLAN = Plan(("random",), ("linearised",), (4,), seeds=16, labels=8, audit=4)
"""Many short runs: some seconds of work."""


def toy_data(outside: int = 0) -> SimulationData:
    """60 pool and 30 test images whose classes lie apart; the first `outside` are of no class."""
    model = small_model(images=POOL + TEST, dtype=torch.float32)
    labels = torch.randint(0, 4, (POOL + TEST,), generator=generator(8))
    centres = 2 * normal(9, 4, 7, dtype=torch.float32)
    features = dataclasses.replace(
        model.images, activations=model.images.activations + centres[labels]
    )
    labels[:outside] = NO_CLASS
    return SimulationData(
        "toy",
        "small",
        model.head,
        model.posterior,
        CLASSES,
        model.classes,
        FeatureTable.from_features([f"{i:064d}" for i in range(POOL + TEST)], features),
        torch.arange(POOL),
        torch.arange(POOL, POOL + TEST),
        labels,
    )


def replay_here(out: str) -> None:
    """What a test starts in a process of its own, and kills."""
    torch.set_num_threads(1)
    run_plan(toy_data(), LONG_PLAN, memory_store, Path(out))


class EndsAtTheStart:
    """Opens no store: the process that unpickles it ends."""

    def __call__(self, *_: object) -> NoReturn:
        raise AssertionError("it is never called")

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (3,)


def kill_this_process(*_: object) -> NoReturn:
    """Opens no store: as if the system had run out of memory in the middle of a run."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it was killed")


def refuse(*_: object) -> NoReturn:
    """Opens no store: an error that a user can mend."""
    raise UnknownStrategy("nonsense", ["random"])


def divide_by_zero(*_: object) -> NoReturn:
    """Opens no store: an error that nobody foresaw."""
    raise ZeroDivisionError("by nobody foreseen")
