"""Explaining one image of a project, by name, in words and in JSON."""

import json
import math
import shutil

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import Role
from alworkbench.core.errors import ImageNotFound
from tests.making_project import NAMES, POOL


@pytest.fixture
def pool(workbench):
    with workbench.session.store.read() as reader:
        return reader.images.hashes_and_paths(Role.POOL)


def in_words(project, *arguments):
    done = CliRunner().invoke(app, ["explain", *arguments, "--project", str(project.folder)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_an_image_is_found_by_path_end_of_path_and_hash(workbench, pool, made, tmp_path):
    content, path = pool[3]
    wanted = workbench.explanations.of(content)
    assert wanted.image.hash == content
    copy = tmp_path / "elsewhere.png"
    shutil.copy(path, copy)
    for name in (path, "pool/003.png", "003.png", content.upper(), str(copy)):
        assert workbench.explanations.of(name) == wanted


def test_an_explanation_ranks_the_whole_pool(workbench, pool):
    found = workbench.explanations.of(pool[0][0])
    assert found.in_pool
    assert found.label is None
    assert found.by_bald.of == found.by_entropy.of == POOL
    assert sorted(b.name for b in found.classes) == sorted(NAMES)
    parts = found.uncertainty
    assert parts.total == pytest.approx(parts.epistemic + parts.aleatoric, abs=1e-12)
    assert 0 <= parts.total <= math.log(4)


def test_every_rank_of_the_pool_is_taken_once(workbench, pool):
    ranks = [workbench.explanations.of(content).by_entropy.rank for content, _ in pool]
    assert sorted(ranks) == list(range(1, POOL + 1))


def test_an_image_of_the_audit_set_is_ranked_against_the_pool(workbench, project):
    with workbench.session.store.read() as reader:
        content, _ = reader.images.hashes_and_paths(Role.AUDIT)[0]
    found = workbench.explanations.of(content)
    assert not found.in_pool
    assert found.label == project.truth[content]
    assert found.by_bald.of == POOL + 1
    assert "ranked as if it were in the pool" in in_words(project, content)


def test_labels_reduce_the_epistemic_uncertainty_of_their_images(workbench, answers, project):
    asked = workbench.rounds.items(workbench.rounds.propose().id)
    before = [workbench.explanations.of(workbench.images.get(i.image_id).hash) for i in asked]
    answers(workbench, 5)
    workbench.rounds.close()
    after = [workbench.explanations.of(e.image.hash) for e in before]
    assert {e.labels for e in after} == {5}
    assert all(e.label == project.truth[e.image.hash] for e in after)
    teaching = [sum(e.uncertainty.epistemic for e in part) for part in (before, after)]
    assert teaching[1] < teaching[0]


def test_the_explanation_of_a_skipped_image_says_skip(workbench, answers):
    from alworkbench.core.domain import Answer, AnswerKind

    workbench.rounds.propose()
    item = workbench.labels.claim("ada", 1)[0]
    token = item.lease.token
    workbench.labels.record(
        Answer("s", item.image_id, AnswerKind.SKIP, "ada", item_id=item.id, lease_token=token)
    )
    assert workbench.explanations.of(workbench.images.get(item.image_id).hash).label == "skip"


@pytest.mark.parametrize(
    ("name", "near"),
    [("pool/0a33.png", "/pool/033.png"), ("pool/63.png", "/pool/"), ("x003.png", "/003.png")],
)
def test_an_unknown_image_is_refused_with_the_most_similar_path(workbench, name, near):
    with pytest.raises(ImageNotFound, match=r"Did you mean .*alworkbench import") as told:
        workbench.explanations.of(name)
    assert near in str(told.value)


@pytest.mark.parametrize("name", ["", "f" * 64, "nothing like it", "%", "_" * 7, "a\x00b"])
def test_a_name_without_a_similar_path_is_refused(workbench, name):
    with pytest.raises(ImageNotFound, match="has no image"):
        workbench.explanations.of(name)


def test_a_file_outside_of_the_project_is_refused(workbench, tmp_path):
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(ImageNotFound):
        workbench.explanations.of(str(tmp_path / "notes.txt"))


def test_the_command_explains_in_words_and_in_json(project, pool):
    words = in_words(project, pool[1][0])
    for part in ("nats", "epistemic", "aleatoric", "percentile", "logit mean", "pool/001.png"):
        assert part in words
    found = json.loads(in_words(project, pool[1][0], "--json"))
    assert found["image"]["hash"] == pool[1][0]
    assert found["in_pool"] is True
    assert {"total", "epistemic", "aleatoric"} == set(found["uncertainty"])
    assert found["by_entropy"]["of"] == POOL
    assert set(found["conflict"]) <= set(NAMES)


def test_an_estimated_rank_is_told_with_its_interval(project, pool, monkeypatch):
    from alworkbench.project import explain

    assert "rank about" not in in_words(project, pool[1][0])
    monkeypatch.setattr(explain, "RANKED", 10)
    words = in_words(project, pool[1][0])
    assert f"of {POOL} (95 % interval" in words
    assert "compared with 10 random images of the pool" in words


def test_class_names_are_not_read_as_markup(workbench, pool, capsys, monkeypatch):
    from dataclasses import replace

    from alworkbench.cli import explaining

    found = workbench.explanations.of(pool[0][0])
    wild = "[red]ant[/red]"
    renamed = tuple(replace(b, name=wild) for b in found.classes[:1]) + found.classes[1:]
    odd = replace(found, classes=renamed, label=wild, conflict=(wild, "bee"))
    with explaining.console.capture() as captured:
        explaining.print_explanation(odd)
    assert captured.get().count(wild) == 3
