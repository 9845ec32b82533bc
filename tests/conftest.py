"""Settings and fixtures for every test: derandomised examples, one torch thread, a small project."""

from __future__ import annotations

import functools
import os

import pytest
import torch
import typer.main
import typer.testing
from hypothesis import settings

from tests.making_project import (
    answers,
    kept_lives,
    kept_project,
    lived,
    made,
    project,
    workbench,
)
from tests.quiet_writes import nothing_is_computed_while_writing

__all__ = [
    "answers",
    "kept_lives",
    "kept_project",
    "lived",
    "made",
    "nothing_is_computed_while_writing",
    "project",
    "workbench",
]

settings.register_profile("laws", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("laws")
# There are at least as many processes of tests as processors: more threads, here and in the processes that
# tests start, would wait for each other.
torch.set_num_threads(1)
os.environ.setdefault("OMP_NUM_THREADS", "1")
# A runner of commands builds all of them anew for each call, which takes longer than most tests.
vars(typer.testing)["_get_command"] = functools.cache(typer.main.get_command)


@pytest.fixture(autouse=True)
def same_chance_for_every_test() -> None:
    """Weights that a model draws when it is made do not depend on the tests before."""
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Those with a browser come last: its driver keeps an event loop running in this thread, beside which
    # nothing else can run one. Of them the longest files come first, so that no worker waits at the end.
    items.sort(
        key=lambda item: (
            item.get_closest_marker("browser") is not None,
            item.get_closest_marker("long") is None,
        )
    )
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device, and this machine has none")
    for item in items:
        if item.get_closest_marker("gpu"):  # not a keyword: these hold the folders' names too
            item.add_marker(skip)
