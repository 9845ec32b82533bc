"""Templates of a project are compared without a trace, and replaced without losing a label."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import alworkbench.project.prompt_templates as module
from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    JobKind,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.core.errors import (
    FeaturesMissing,
    InvalidTemplates,
    NothingToImport,
    NotInProject,
    RoundStillOpen,
    TooFewLabels,
    UnknownEncoder,
)
from alworkbench.project.job_orders import perform
from alworkbench.project.settings_change import change_settings
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.ensembles import SPACES
from alworkbench.simulation.replay import replay
from store import create_store, memory_store, open_store
from tests.making_project import Project, answering, closing, picture

NAMES = ("dress", "coat", "bag")
TEMPLATES = ("a photo of a {}.", "a drawing of the {}", "the {} seen by night")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    for k in range(12):
        picture(root / "pool" / f"{k}.png", k)
    for k in range(6):
        picture(root / "audit" / NAMES[k % 3] / f"{k}.png", 50 + k)
    return root


def make(folder: Path, pictures: Path, audit: bool = True) -> Project:
    """A small project of the bundled model, encoded; the names of its pictures mean nothing."""
    found = Project(folder, folder, {})
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    settings = ProjectSettings("clothes", batch_size=4)
    create_store(folder, settings, classes, found.clock()).close()
    with closing(found.open()) as workbench:
        workbench.images.add(pictures / "pool")
        if audit:
            workbench.images.add(pictures / "audit", role=Role.AUDIT)
        workbench.features.encode(workers=0)
        with workbench.session.store.read() as reader:
            for k, (_, content) in enumerate(reader.images.ids_and_hashes(Role.POOL)):
                found.truth[content] = NAMES[k % 3]
    return found


@pytest.fixture
def clothes(tmp_path: Path, pictures: Path) -> Project:
    return make(tmp_path / "clothes", pictures)


@pytest.fixture
def bench(clothes: Project) -> Iterator[Workbench]:
    with closing(clothes.open()) as workbench:
        yield workbench


def contents(folder: Path) -> dict[str, str]:
    """Digest of every file of a project, without the cache of prompts and SQLite's own files."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and path.name != "prompts.safetensors"
        and not path.name.endswith(("-wal", "-shm"))
    }


def labels_of(workbench: Workbench) -> list[object]:
    with workbench.session.store.read() as reader:
        return [reader.labels.all(), *(reader.labels.current(role) for role in Role)]


def test_ranking_and_trying_write_nothing_but_the_cache_of_prompts(
    clothes: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(clothes.open()):
        before = contents(clothes.folder)
    with closing(clothes.open()) as workbench:
        first = workbench.prompts.rank(TEMPLATES), workbench.prompts.effect(TEMPLATES)
        # What was encoded once is not encoded again: no model is needed.
        monkeypatch.setattr(module, "load_project_encoder", None)
        again = workbench.prompts.rank(TEMPLATES[::-1]), workbench.prompts.effect(TEMPLATES)
    assert first == again
    assert contents(clothes.folder) == before
    assert first[0].images == 12
    assert first[0].audit_images == 6
    assert {each.template for each in first[0].templates} == set(TEMPLATES)
    assert set(first[1].given) == set(SPACES)


def test_the_default_is_the_published_set(bench: Workbench) -> None:
    assert len(bench.prompts.rank().templates) == 80


def test_the_ensemble_of_a_trial_predicts_what_the_project_predicts_after_use(
    bench: Workbench,
) -> None:
    found = bench.prompts.effect(TEMPLATES)
    bench.prompts.use(TEMPLATES)
    after = bench.prompts.effect(TEMPLATES)
    assert after.now.confidence == pytest.approx(found.given["features"].confidence, abs=1e-5)
    assert after.now.audit.nlpd == pytest.approx(found.given["features"].audit.nlpd, abs=1e-5)
    assert after.given["features"].changed == 0


def test_use_makes_a_new_version_loses_no_label_and_keeps_the_old_version(
    clothes: Project,
) -> None:
    answers = answering(clothes)
    with closing(clothes.open()) as workbench:
        workbench.rounds.propose("random")
        answers(workbench, 4)
        with pytest.raises(RoundStillOpen):
            workbench.prompts.use(TEMPLATES)
        workbench.rounds.close()
        before, labels = workbench.classes.current(), labels_of(workbench)
        measured = workbench.measurements.all()
        found = workbench.prompts.use(TEMPLATES)
        assert found.id == before.id + 1 == workbench.status().class_list
        assert {each.templates for each in found.classes} == {TEMPLATES}
        assert [(c.id, c.name) for c in found.classes] == [(c.id, c.name) for c in before.classes]
        assert labels_of(workbench) == labels
        assert workbench.classes.version(before.id) == before
        with pytest.raises(NotInProject):
            workbench.classes.version(found.id + 1)
        # The model before any label is measured again, and a new learner is learned and measured.
        fresh = workbench.measurements.all()
        assert fresh[0].learner_id is measured[0].learner_id is None
        assert fresh[0].values["nlpd"] != measured[0].values["nlpd"]
        assert fresh[1:-1] == measured[1:]
        with workbench.session.store.read() as reader:
            assert reader.computed.learner().class_list_id == found.id
        assert workbench.prompts.use(TEMPLATES) == found  # they are in use already
        assert workbench.classes.current() == found
        features = workbench.session.engine().table().gather(torch.arange(3))
        wanted = workbench.learners.newest().logits(features)
    with closing(clothes.open()) as workbench:
        torch.testing.assert_close(workbench.learners.newest().logits(features), wanted)
        assert workbench.rounds.propose("random").class_list_id == found.id
        assert replay(workbench, memory_store).difference is None


def test_names_that_are_too_long_for_the_model_are_told(bench: Workbench) -> None:
    assert bench.prompts.cut_names(TEMPLATES) == ()
    long = "an owl " * 6 + "and a {} that cannot be read"
    assert bench.prompts.cut_names([*TEMPLATES, long]) == NAMES
    bench.classes.add(
        LabelClass("a coat with very many words in its name, many more than can be read")
    )
    assert bench.prompts.cut_names(["the {} by night"]) == (bench.classes.current().names[-1],)


def test_a_ranking_by_nlpd_needs_labels_of_an_audit_set(tmp_path: Path, pictures: Path) -> None:
    found = make(tmp_path / "no audit", pictures, audit=False)
    with closing(found.open()) as workbench:
        with pytest.raises(TooFewLabels, match="alworkbench audit"):
            workbench.prompts.rank(TEMPLATES, by="nlpd")
        assert workbench.prompts.rank(TEMPLATES).audit_images == 0
        assert workbench.prompts.effect(TEMPLATES).now.audit is None


def test_a_large_pool_is_sampled_by_the_seed(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_IMAGES", 5)
    monkeypatch.setattr(module, "BLOCK", 2)
    found = bench.prompts.rank(TEMPLATES)
    assert found.images == 5
    assert bench.prompts.rank(TEMPLATES) == found


def test_where_features_came_from_a_file_no_prompt_can_be_encoded(workbench: Workbench) -> None:
    for call in (workbench.prompts.rank, workbench.prompts.effect, workbench.prompts.use):
        with pytest.raises(UnknownEncoder, match=r"came from a file .*Encode its prompts where"):
            call(TEMPLATES)
    with pytest.raises(UnknownEncoder):
        workbench.prompts.cut_names(TEMPLATES)
    assert workbench.classes.current().id == 1


def test_a_project_without_features_or_images_says_so(tmp_path: Path) -> None:
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    found = Project(tmp_path / "project", tmp_path, {})
    create_store(found.folder, ProjectSettings("toy"), classes, found.clock()).close()
    with closing(Workbench(ProjectFolder(found.folder), open_store(found.folder))) as workbench:
        for call in (workbench.prompts.rank, workbench.prompts.effect, workbench.prompts.use):
            with pytest.raises(FeaturesMissing):
                call(TEMPLATES)
        with pytest.raises(InvalidTemplates):
            workbench.prompts.use(["a photo"])
        workbench.features.encode(workers=0)
        with pytest.raises(NothingToImport, match="no image to compare"):
            workbench.prompts.rank(TEMPLATES)


def test_a_comparison_is_the_ranking_and_the_effect_and_is_kept(clothes: Project) -> None:
    with closing(clothes.open()) as bench:
        assert bench.prompts.compared() is None
        assert bench.prompts.unreadable() is None
        before = contents(clothes.folder)
        found = bench.prompts.compare(TEMPLATES)
        after = contents(clothes.folder)
        assert {name for name in after if after[name] != before.get(name)} == {
            f"features/{bench.session.encoder_record().id}/templates.json"
        }
        assert found.ranking == bench.prompts.rank(TEMPLATES)
        assert found.effect == bench.prompts.effect(TEMPLATES)
        assert bench.prompts.compared() == found
        assert found.changed(bench.session) == ()
        order = {"do": "templates", "templates": list(TEMPLATES), "by": "nlpd"}
        perform(bench, bench.jobs.queue(JobKind.SCORE, "compare", "ada", order))
        again = bench.prompts.compared()
        assert again is not None
        assert again.ranking == bench.prompts.rank(TEMPLATES, "nlpd")
    with closing(clothes.open()) as bench:
        assert bench.prompts.compared() == again
        changed = []
        with bench.session.store.read() as reader:
            image = next(iter(reader.labels.current(Role.AUDIT)))
            label = reader.labels.current(Role.AUDIT)[image]
        other = next(c.id for c in bench.classes.current().classes if c.id != label.class_id)
        bench.labels.record(Answer("later", image, AnswerKind.CLASS, "later", class_id=other))
        changed.append(again.changed(bench.session))
        picture(clothes.folder.parent / "more" / "new.png", 901)
        bench.images.add(clothes.folder.parent / "more")
        changed.append(again.changed(bench.session))
        present = bench.classes.current()
        with bench.session.store.write() as writer:
            writer.classes.add(
                ClassList((*present.classes, LabelClass("hat"))), bench.session.now()
            )
        changed.append(again.changed(bench.session))
        change_settings(bench.session, seed=bench.session.settings().seed + 1)
        changed.append(again.changed(bench.session))
        names = ("the labels of the audit set", "the images", "the classes", "the seed")
        assert [set(each) for each in changed] == [set(names[:n]) for n in (1, 2, 3, 4)]
