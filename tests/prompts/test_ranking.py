"""Templates are ranked alike in any order, and the filter keeps those that agree best."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.evaluation.metrics import measure
from alworkbench.prompts.audit_figures import AuditFigures, AuditPart
from alworkbench.prompts.dispersion import text_feature_dispersion
from alworkbench.prompts.effect import prompt_effect
from alworkbench.prompts.ensembles import (
    SPACES,
    class_ensemble,
    ensemble_probabilities,
    unit_images,
    unit_texts,
)
from alworkbench.prompts.ranking import MARGIN, Ranking, rank_templates
from tests.factories import generator, normal, small_model

MODEL = small_model(images=60, dtype=torch.float32)
IMAGES = unit_images(MODEL.head, MODEL.images)
NAMES = tuple(f"template {k} of a {{}}." for k in range(6))


def activations(seed: int = 3) -> torch.Tensor:
    """Templates that differ a little, and the last one much."""
    noise = normal(seed, len(NAMES), *MODEL.classes.shape, dtype=torch.float32)
    far = torch.tensor([0.05, 0.1, 0.2, 0.3, 0.4, 5.0])[:, None, None]
    return MODEL.classes + far * noise


def audit() -> AuditPart:
    labels = torch.randint(0, 4, (40,), generator=generator(5))
    return AuditPart(IMAGES[:40], labels)


def ranked(order: list[int] | None = None, blocks: int = 1, by="atfd", seed: int = 3) -> Ranking:
    order = order or list(range(len(NAMES)))
    names = [NAMES[k] for k in order]
    pool = IMAGES.tensor_split(blocks)
    return rank_templates(MODEL.head, names, activations(seed)[order], pool, audit(), by)


@given(st.permutations(range(len(NAMES))), st.sampled_from(["atfd", "nlpd"]))
def test_the_order_of_the_templates_has_no_effect(order: list[int], by) -> None:
    assert ranked(list(order), by=by) == ranked(by=by)


def test_blocks_of_the_pool_have_no_effect() -> None:
    one, many = ranked(), ranked(blocks=7)
    assert one.images == many.images == 60
    for a, b in zip(one.templates, many.templates, strict=True):
        assert replace(a, confidence=0.0) == replace(b, confidence=0.0)
        assert a.confidence == pytest.approx(b.confidence)


@given(st.integers(0, 500))
def test_the_filter_keeps_the_best_and_whatever_is_within_its_margin(seed: int) -> None:
    found = ranked(seed=seed).templates
    best = max(each.agreement for each in found)
    for each in found:
        assert each.kept == (each.agreement >= best - MARGIN - 1e-12)
    assert any(each.kept and each.agreement == best for each in found)
    kept = [each for each in found if each.kept]
    assert list(found[: len(kept)]) == kept
    assert [each.atfd for each in kept] == sorted((each.atfd for each in kept), reverse=True)
    rest = [each.agreement for each in found[len(kept) :]]
    assert rest == sorted(rest, reverse=True)


def test_the_figures_of_a_template_are_those_of_its_predictions() -> None:
    given = activations()
    wanted = unit_texts(MODEL.head, class_ensemble(MODEL.head, given))
    answers = (IMAGES @ wanted.T).argmax(dim=-1)
    by_name = {each.template: each for each in ranked().templates}
    for name, each in zip(NAMES, given, strict=True):
        probabilities = MODEL.head.logits(MODEL.images, each).softmax(dim=-1)
        top = probabilities.max(dim=-1)
        found = by_name[name]
        assert found.agreement == pytest.approx(float((top.indices == answers).double().mean()))
        assert found.confidence == pytest.approx(float(top.values.mean()), abs=1e-5)
        dispersion = text_feature_dispersion(unit_texts(MODEL.head, each).double())
        assert found.atfd == pytest.approx(float(dispersion), abs=1e-6)
        metrics = measure(probabilities[:40], audit().labels)
        assert found.audit.accuracy == metrics.accuracy
        assert found.audit.nlpd == pytest.approx(metrics.nlpd, abs=1e-5)
    assert ranked().ensemble.agreement == 1


def test_by_nlpd_the_labels_decide_alone() -> None:
    found = [each.audit.nlpd for each in ranked(by="nlpd").templates]
    assert found == sorted(found)


def test_without_an_audit_set_there_are_no_audit_figures_and_no_ranking_by_nlpd() -> None:
    found = rank_templates(MODEL.head, NAMES, activations(), [IMAGES])
    assert found.audit_images == 0
    assert {each.audit for each in found.templates} == {None}
    with pytest.raises(ValueError, match="labels of an audit set"):
        rank_templates(MODEL.head, NAMES, activations(), [IMAGES], None, "nlpd")


@pytest.mark.parametrize(
    ("names", "pool", "told"),
    [
        (("a {}",) * 6, [IMAGES], "given once"),
        (NAMES, [], "at least one image"),
    ],
)
def test_what_cannot_be_ranked_is_refused(names, pool, told) -> None:
    with pytest.raises(ValueError, match=told):
        rank_templates(MODEL.head, names, activations(), pool)


def test_the_present_prompts_beside_themselves_change_nothing() -> None:
    now = activations()[0]
    found = prompt_effect(MODEL.head, now, now[None], [IMAGES], audit())
    for each in found.given.values():
        assert each.changed == 0
        assert each.confidence == pytest.approx(found.now.confidence, abs=1e-6)
        assert each.audit.accuracy == found.now.audit.accuracy
    assert found.given["features"].atfd == pytest.approx(found.now.atfd, abs=1e-6)


def test_an_effect_counts_the_predictions_that_differ_in_each_space() -> None:
    given, part = activations(), audit()
    found = prompt_effect(MODEL.head, given[5], given[:5], IMAGES.tensor_split(4), part)
    before = MODEL.head.logits(MODEL.images, given[5]).argmax(dim=-1)
    assert found.now.changed == 0
    assert found.images == 60
    for space in SPACES:
        probabilities = ensemble_probabilities(MODEL.head, IMAGES, given[:5], space)
        wanted = int((probabilities.argmax(dim=-1) != before).sum())
        assert found.given[space].changed == wanted > 0
        assert found.given[space].audit.nlpd == pytest.approx(
            AuditFigures.of(probabilities[:40], part.labels).nlpd
        )
    with pytest.raises(ValueError, match="at least one image"):
        prompt_effect(MODEL.head, given[5], given[:5], [])
