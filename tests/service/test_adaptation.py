"""A project learns in the way that its settings name, and goes on with the same model when reopened."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import pytest
import torch

from store import open_store
from tests.service.conftest import Project


@pytest.mark.parametrize("way", ["free-weights", "linearised", "probe", "cache", "zero-shot"])
def test_a_project_goes_on_with_what_it_learned(
    project: Project, answers: Callable, way: str
) -> None:
    with closing(open_store(project.folder)) as store, store.write() as writer:
        writer.save_settings(replace(writer.settings(), adaptation=way, strategy="random"))
    workbench = project.open()
    workbench.propose()
    answers(workbench, 5)
    workbench.close_round()
    features = workbench.engine().table().gather(torch.arange(10))
    learned = workbench.learner().logits(features)
    with workbench.store.read() as reader:
        record = reader.computed.learner()
    assert record is not None
    assert record.settings["adaptation"] == way
    workbench.store.close()
    again = project.open()
    assert torch.equal(again.learner().logits(features), learned)
    again.store.close()
