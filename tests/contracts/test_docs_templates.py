"""Code in the documentation runs, and the rooms and files of CONTRIBUTING.md are those of the code."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import torch

import alworkbench
from alworkbench.acquisition import strategy_cards
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.acquisition.strategy_cards import StrategyCard
from alworkbench.adaptation.learner import zero_shot
from alworkbench.adaptation.method import Method
from alworkbench.features.table import FeatureTable
from tests.contracts.test_architecture import ROOMS
from tests.factories import small_model
from tests.making_project import Project, made, project

__all__ = ["made", "project"]

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
TEMPLATES = dict(
    re.findall(r"here `(\w+)\.py`:\n\n```python\n(.*?)```", TEXT, re.MULTILINE | re.DOTALL)
)


@pytest.fixture
def template(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The template of this name as a module."""
    cards = re.findall(r"^    (StrategyCard\(.*?^    \),)$", TEXT, re.MULTILINE | re.DOTALL)
    shown = [eval(card.rstrip(","), {"StrategyCard": StrategyCard}) for card in cards]
    monkeypatch.setattr(strategy_cards, "CARDS", (*strategy_cards.CARDS, *shown))
    module = ModuleType(request.param)
    monkeypatch.setitem(sys.modules, request.param, module)
    exec(
        compile(TEMPLATES[request.param], f"CONTRIBUTING.md:{request.param}", "exec"), vars(module)
    )
    return module


@pytest.mark.parametrize("template", ["logit_gap"], indirect=True)
def test_the_template_of_a_strategy_selects_by_its_formula(template: ModuleType) -> None:
    model = small_model(images=20, dtype=torch.float32)
    learner = zero_shot(model.head, model.posterior, model.classes)
    context = AcquisitionContext(
        table=FeatureTable.from_features([str(i) for i in range(20)], model.images),
        candidates=torch.arange(4, 20),
        targets=torch.arange(20),
        learner=learner,
        batch_size=5,
        seed=1,
        draw_seed=2,
    )
    batch = template.logit_gap.select(context)
    two = learner.logits(model.images)[4:].topk(2, dim=-1).values
    gaps = two[:, 0] - two[:, 1]
    assert batch.rows == tuple((4 + gaps.argsort(stable=True)[:5]).tolist())
    assert batch.scores == tuple(gaps.sort().values[:5].tolist())


@pytest.mark.parametrize("template", ["class_bias"], indirect=True)
def test_the_template_of_a_method_learns_by_its_formula(template: ModuleType) -> None:
    model = small_model(images=12, dtype=torch.float32)
    start = zero_shot(model.head, model.posterior, model.classes)
    targets = torch.eye(4, dtype=torch.float64)[torch.tensor([0, 0, 0, 2, 2, 3])]
    (line,) = re.findall(r'^    Method\("class-bias".*\)', TEXT, re.MULTILINE)
    method = eval(line.strip(), {"Method": Method, **vars(template)})
    plain = Method("plain")(start, model.images[:6], targets)
    learned = method(start, model.images[:6], targets)
    bias = torch.tensor([3.0, 0.0, 2.0, 1.0]).log1p()
    assert torch.allclose(
        learned.logits(model.images), plain.logits(model.images) + bias, atol=1e-6
    )


def test_the_rooms_are_listed_in_their_order() -> None:
    listed = re.findall(r"^\| `(\w+)(?:/|\.py)` \|", TEXT, re.MULTILINE)
    assert tuple(listed) == ROOMS


def test_what_to_read_first_is_there() -> None:
    for room, first in re.findall(r"^\| `(\w+)/` \|.*\| `([\w./]+)` \|$", TEXT, re.MULTILINE):
        assert (ROOT / "alworkbench" / room / first).exists(), f"{room}/{first}"


def test_files_and_folders_that_are_named_are_there() -> None:
    named = set(re.findall(r"`((?:alworkbench|tests|docs)/[\w./]+)`", TEXT))
    assert len(named) > 10
    assert not {place for place in named if not (ROOT / place).exists()}


def test_the_script_for_one_round_runs(project: Project) -> None:
    """Its project and the function that answers are put in; all else is as the page has it."""
    page = (ROOT / "docs" / "api" / "project.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    script = script.replace('"birds"', repr(str(project.folder)))
    names = {"ask": lambda image: project.truth[image.hash]}
    exec(compile(script, "docs/api/project.md", "exec"), names)
    with alworkbench.open_project(project.folder) as workbench:
        (closed,) = workbench.rounds.all()
        assert all(item.label is not None for item in workbench.rounds.items(closed.id))
        assert [record.labels for record in workbench.measurements.all()] == [0, 5]
