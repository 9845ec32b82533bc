"""Target sets: encoded, kept by content, never asked; and costs that are stated before."""

import json
from dataclasses import replace

import pytest
import torch
import typer
from typer.testing import CliRunner

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.strategy import Strategy
from alworkbench.cli.common import read_bytes
from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.core.errors import (
    InvalidTargets,
    MemoryBudgetTooSmall,
    NothingToImport,
    UnknownEncoder,
)
from alworkbench.project.kept_targets import load_targets, saved_targets, targets_of_round
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.making_project import closing, picture


@pytest.fixture(scope="module")
def clothes(tmp_path_factory):
    """A small project with the bundled model, and a folder of other pictures."""
    root = tmp_path_factory.mktemp("clothes")
    for k in range(12):
        picture(root / "pool" / f"{k}.png", k)
        picture(root / "shop" / f"{k % 4}.png", 100 + k % 4)
    folder = root / "project"
    names = ClassList((LabelClass("dress"), LabelClass("bag")))
    create_store(folder, ProjectSettings("clothes", batch_size=3), names, utc_now()).close()
    with closing(Workbench(ProjectFolder(folder), open_store(folder))) as workbench:
        workbench.images.add(root / "pool")
        workbench.features.encode(workers=0)
        yield root, workbench


def hashes(workbench, role=Role.POOL):
    with workbench.session.store.read() as reader:
        return {content for _, content in reader.images.ids_and_hashes(role)}


def test_images_of_a_target_set_are_never_asked(clothes):
    root, workbench = clothes
    (root / "shop" / "broken.png").write_bytes(b"no picture")
    pool = hashes(workbench)
    found = workbench.targets.take(root / "shop")
    assert len(found) == 4
    assert not set(found.hashes) & pool
    assert hashes(workbench) == pool
    assert hashes(workbench, Role.AUDIT) == set()
    assert all(workbench.session.engine().table().has(found.hashes))
    round_ = workbench.rounds.propose("epig", 12, targets=found)
    assert round_.settings["targets"] == found.name
    assert {
        workbench.images.get(i.image_id).hash for i in workbench.rounds.items(round_.id)
    } == pool
    assert targets_of_round(workbench.session.folder, round_.settings) == found
    workbench.rounds.close(force=True)


def test_the_same_pictures_in_another_folder_are_the_same_set(clothes, tmp_path):
    root, workbench = clothes
    first = workbench.targets.take(root / "shop")
    moved = tmp_path / "shop"
    for k in range(4):
        picture(moved / "deeper" / f"other-name-{k}.png", 100 + k)
    assert workbench.targets.take(moved) == first
    assert workbench.targets.take(first.name) == first
    assert saved_targets(workbench.session.folder) == [first.name]


def test_targets_change_the_batch_and_the_same_targets_give_the_same_batch(clothes):
    root, workbench = clothes
    found = workbench.targets.take(root / "shop")

    def scores(targets):
        round_ = workbench.rounds.propose("epig", 5, seed=1, targets=targets)
        items = [(item.image_id, item.score) for item in workbench.rounds.items(round_.id)]
        workbench.rounds.close(force=True)
        return items

    assert scores(found) == scores(found)
    assert scores(found) != scores(None)


def test_images_of_the_audit_set_are_refused_as_targets(project, made):
    with closing(project.open()) as workbench, pytest.raises(InvalidTargets, match="audit set"):
        workbench.targets.take(made[0] / "audit")


def test_a_project_with_a_features_file_takes_targets_of_that_file_only(project, made, tmp_path):
    with closing(project.open()) as workbench:
        found = workbench.targets.take(made[0] / "pool")
        assert set(found.hashes) == hashes(workbench)
        picture(tmp_path / "new" / "1.png", 999)
        with pytest.raises(UnknownEncoder, match="came from a file"):
            workbench.targets.take(tmp_path / "new")


def test_a_damaged_or_unknown_target_set_is_refused(project, tmp_path):
    with closing(project.open()) as workbench:
        with pytest.raises(InvalidTargets, match="has no target set yet"):
            workbench.targets.take("nonsense")
        with pytest.raises(InvalidTargets):
            workbench.targets.take("../../etc/passwd-that-is-not-there")
        (tmp_path / "empty").mkdir()
        with pytest.raises(NothingToImport):
            workbench.targets.take(tmp_path / "empty")
        kept = workbench.session.folder.path / "targets" / "evil-0123456789ab.json"
        kept.parent.mkdir()
        for content in ("{", "[]", '{"format": "alworkbench-targets-1", "hashes": ["../x"]}'):
            kept.write_text(content)
            with pytest.raises(InvalidTargets):
                load_targets(workbench.session.folder, kept.stem)


def test_a_dry_run_states_the_cost_and_leaves_nothing_behind(project, made):
    def run(*words):
        return CliRunner().invoke(app, ["propose", *words, "--project", str(project.folder)])

    def files():
        return {p: p.stat().st_mtime_ns for p in project.folder.rglob("*") if p.is_file()}

    before = {p: t for p, t in files().items() if "project.db" not in p.name}
    told = run("--dry-run", "--json", "--target", str(made[0] / "audit"), "--batch", "7")
    assert told.exit_code == 0, told.output
    cost = json.loads(told.stdout)
    assert cost["size"]["batch"] == 7
    assert cost["size"]["candidates"] == 40
    assert cost["size"]["targets"] == 24
    assert cost["operations"] > 0
    assert cost["fits"]
    assert not cost["size"]["pool_is_target"]
    assert "the pool" not in run("--dry-run", "--target", str(made[0] / "audit")).stdout
    plain = run("--dry-run").stdout
    assert "the pool, or 40 images of it" in plain
    assert "no round was opened" in plain
    assert {p: t for p, t in files().items() if "project.db" not in p.name} == before
    with closing(project.open()) as workbench:
        assert workbench.rounds.all() == []


@pytest.fixture
def questions(monkeypatch):
    """Every question that a strategy is asked, whichever it is; random answers."""
    chosen, asked = find_strategy("random"), []

    def watch(question):
        asked.append(question)
        return chosen.choose(question)

    monkeypatch.setattr(
        "alworkbench.project.ranked_batch.find_strategy", lambda name: replace(chosen, choose=watch)
    )
    return asked


def test_the_estimated_size_is_that_of_the_real_round(project, questions):
    with closing(project.open()) as workbench:
        stated = workbench.rounds.estimate("random", 4)
        workbench.rounds.propose("random", 4)
    assert [question.size for question in questions] == [stated.size]


def test_a_strategy_is_told_how_many_names_the_model_does_not_know(clothes, questions):
    """The same as the project says of itself; the bundled model knows dresses, and no bags."""
    _, workbench = clothes
    workbench.rounds.propose("random", 4)
    assert workbench.status().unknown_classes == ("bag",)
    assert [question.unknown_names for question in questions] == [1]


def test_a_memory_budget_is_kept_or_refused(project):
    def run(*words):
        return CliRunner().invoke(app, ["propose", *words, "--project", str(project.folder)])

    refused = run("--strategy", "bald", "--memory", "1KiB")
    assert isinstance(refused.exception, MemoryBudgetTooSmall)
    assert run("--memory", "many").exit_code == 2
    assert run("--strategy", "bald", "--memory", "64MiB").exit_code == 0
    with closing(project.open()) as workbench:
        assert workbench.rounds.all()[0].settings["memory"] == 64 << 20


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("512MiB", 512 << 20),
        ("2GiB", 2 << 30),
        ("1.5 GB", 1_500_000_000),
        ("77", 77),
        ("1g", 1 << 30),
    ],
)
def test_amounts_of_memory_are_read(text, expected):
    assert read_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "MiB", "-3MB", "0", "1e9", "3 parsecs"])
def test_a_wrong_amount_of_memory_is_refused(text):
    with pytest.raises(typer.BadParameter):
        read_bytes(text)


def test_the_sample_of_many_targets_is_the_same_in_every_round(project, monkeypatch):
    monkeypatch.setattr("alworkbench.project.ranked_batch.TARGETS", 10)
    seen = []
    with closing(project.open()) as workbench:
        found = workbench.targets.take(project.features.parent / "pool")
        original = Strategy.select

        def watch(self, question):
            seen.append(question.targets)
            return original(self, question)

        monkeypatch.setattr(Strategy, "select", watch)
        for _ in range(2):
            workbench.rounds.propose("random", 3, targets=found)
            workbench.rounds.close(force=True)
    assert len(seen[0]) == 10
    assert torch.equal(seen[0], seen[1])
