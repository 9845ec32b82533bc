"""A project on a CUDA device gives the results of a project on the CPU."""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import pytest
import torch

from alworkbench.api import simulate
from alworkbench.core.domain import Answer, AnswerKind, ProjectFolder
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import replay
from store import memory_store, open_store
from tests.making_project import Clock, Project

pytestmark = pytest.mark.gpu

STRATEGIES = ("coverage", "epig", "bald", "badge", "typiclust")


def labelled(workbench: Workbench, truth: dict[str, str]) -> None:
    """Every image of the open round, truthfully."""
    classes = workbench.classes.current()
    for item in workbench.labels.claim("ada", 100):
        known = classes.with_name(truth[workbench.images.get(item.image_id).hash])
        assert known is not None
        assert item.lease is not None
        answer = Answer(
            event_id=f"{item.id}",
            image_id=item.image_id,
            kind=AnswerKind.CLASS,
            annotator="ada",
            class_id=known.id,
            item_id=item.id,
            lease_token=item.lease.token,
        )
        workbench.labels.record(answer)


def campaign(
    folder: Path, device: str, truth: dict[str, str]
) -> tuple[list[list[int]], list[float]]:
    """A round of every strategy, learned from; what was asked, and the losses on the audit set."""
    asked, losses = [], []
    with closing(open_store(folder)) as store:
        workbench = Workbench(
            ProjectFolder(folder), store, clock=Clock(), device=torch.device(device)
        )
        workbench.posteriors.fit_from_pool(batch=16, replace_captions=True)
        for strategy in STRATEGIES:
            round_ = workbench.rounds.propose(strategy, 4)
            asked.append([item.image_id for item in workbench.rounds.items(round_.id)])
            labelled(workbench, truth)
            metrics = workbench.rounds.close()
            assert metrics is not None
            losses.append(metrics.values["nlpd"])
    return asked, losses


def test_a_campaign_is_equal_on_cpu_and_gpu(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(project.folder, other)
    asked, losses = campaign(project.folder, "cuda", project.truth)
    wanted, wanted_losses = campaign(other, "cpu", project.truth)
    assert asked == wanted
    assert losses == pytest.approx(wanted_losses, rel=1e-3)


def test_a_gpu_campaign_can_be_replayed_and_its_learner_used(
    project: Project,
) -> None:
    campaign(project.folder, "cuda", project.truth)
    with closing(open_store(project.folder)) as store:
        workbench = Workbench(
            ProjectFolder(project.folder), store, clock=Clock(), device=torch.device("cuda")
        )
        found = replay(workbench, memory_store)
        assert found.difference is None
        assert found.rounds == len(STRATEGIES)
        explained = workbench.explanations.of(next(iter(project.truth)))
        assert explained.labels == 4 * len(STRATEGIES)
        assert len(workbench.support_sets.choose(2).images) == 8


def test_a_simulation_on_a_gpu_project_equals_that_on_the_cpu(
    project: Project, tmp_path: Path
) -> None:
    words = {
        "project": project.folder,
        "strategies": ["coverage", "bald"],
        "seeds": 1,
        "labels": 6,
        "batch": 3,
        "processes": 1,
    }
    with closing(open_store(project.folder)) as store:
        workbench = Workbench(ProjectFolder(project.folder), store, clock=Clock())
        workbench.rounds.propose("random", 40)
        labelled(workbench, project.truth)
        workbench.rounds.close()
    (found,), (wanted,) = (
        simulate(**words, out=tmp_path / device, cache=tmp_path / "cache", device=device)
        for device in ("cuda", "cpu")
    )
    assert [p.images for p in found.points] == [p.images for p in wanted.points]
