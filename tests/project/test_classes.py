"""A class that joins in the middle of a campaign, and the figures that come with learning."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import LabelClass
from alworkbench.core.errors import InvalidClassList, RoundStillOpen, UnknownEncoder
from alworkbench.encoders.head import Features, Head
from alworkbench.project.workbench import Workbench
from tests.factories import normal
from tests.making_project import Project


@dataclass
class Names:
    """An encoder of names alone, with the identity of the project's."""

    id: str
    head: Head
    spec: str = "names"
    preprocess: None = None

    def encode_images(self, pixels: torch.Tensor) -> Features:
        raise NotImplementedError

    def encode_prompts(self, prompts: list[str], batch_size: int = 256) -> torch.Tensor:
        size = self.head.text_projection.shape[1]
        return normal(5, len(prompts), size, dtype=torch.float32)


def learned(project: Project, answers: Callable) -> Workbench:
    workbench = project.open()
    workbench.rounds.propose("random")
    answers(workbench, 5)
    return workbench


def test_a_class_is_added_between_rounds_and_all_labels_are_learned_again(
    project: Project, answers: Callable
) -> None:
    workbench = learned(project, answers)
    owl = LabelClass("owl")
    with pytest.raises(RoundStillOpen):
        workbench.classes.add(owl)
    workbench.rounds.close()
    before = workbench.classes.current()
    with pytest.raises(UnknownEncoder):  # features of a file: nothing encodes a new name
        workbench.classes.add(owl)
    with pytest.raises(InvalidClassList):
        workbench.classes.add(LabelClass("cat"))
    assert workbench.classes.current() == before
    engine = workbench.session.engine()
    found = workbench.classes.add(owl, Names(engine.encoder_id, engine.head))
    assert found.names == (*before.names, "owl")
    assert [c.id for c in found.classes[:4]] == [c.id for c in before.classes]
    features = workbench.session.engine().table().gather(torch.arange(3))
    newest = workbench.learners.newest()
    assert newest.logits(features).shape == (3, 5)
    assert newest.pool_term is not None
    assert newest.pool_term.left_out.shape == (5, 5)
    status = workbench.status()
    assert status.class_list == found.id == 2
    assert status.labels == 5
    assert status.labels_per_class[-1] == 0
    again = workbench.rounds.propose("random")
    assert again.class_list_id == found.id
    workbench.session.store.close()
    told = CliRunner().invoke(app, ["status", "--project", str(project.folder)])
    assert "5, version 2" in told.output
    listed = CliRunner().invoke(
        app, ["classes", "list", "--project", str(project.folder), "--json"]
    )
    assert [c["name"] for c in json.loads(listed.output)["classes"]] == list(found.names)


def test_learning_records_leave_one_out_with_its_number_of_labels(
    project: Project, answers: Callable
) -> None:
    workbench = learned(project, answers)
    assert workbench.status().leave_one_out is None
    workbench.rounds.close()
    found = workbench.status().leave_one_out
    assert found is not None
    assert found["labels"] == 5
    assert 0 <= found["accuracy_low"] <= found["accuracy"] <= found["accuracy_high"] <= 1
    assert {"nlpd", "ece", "ece_floor", "groups"} <= found.keys()
    workbench.session.store.close()
    told = CliRunner().invoke(app, ["status", "--project", str(project.folder)])
    assert "not about the pool" in " ".join(told.output.split())


def test_without_snapshots_no_leave_one_out_is_computed(
    project: Project, answers: Callable
) -> None:
    seen = project.open()
    workbench = Workbench(
        seen.session.folder, seen.session.store, clock=project.clock, take_snapshots=False
    )
    workbench.rounds.propose("random")
    answers(workbench, 5)
    workbench.rounds.close()
    assert workbench.status().leave_one_out is None
    workbench.session.store.close()
