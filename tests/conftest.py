"""Settings and fixtures for every test: derandomised examples, one torch thread, a small project."""

from __future__ import annotations

import pytest
import torch
from hypothesis import settings

from tests.making_project import answers, made, project, workbench
from tests.quiet_writes import nothing_is_computed_while_writing

__all__ = ["answers", "made", "nothing_is_computed_while_writing", "project", "workbench"]

settings.register_profile("laws", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("laws")
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Last: they are the slowest, and the driver of the browser keeps an event loop running in this
    # thread, beside which nothing else can run one.
    items.sort(key=lambda item: "browser" in item.keywords)
    if torch.cuda.is_available():
        return
    skip = pytest.mark.skip(reason="needs a CUDA device, and this machine has none")
    for item in items:
        if item.get_closest_marker("gpu"):  # not a keyword: these hold the folders' names too
            item.add_marker(skip)
