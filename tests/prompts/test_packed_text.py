"""Packed prompts give the activations and features of the model; other towers are refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from alworkbench.core.errors import InvalidInitPhrase, PromptsNotTunable
from alworkbench.encoders.causal_text import causal_text_tower
from alworkbench.encoders.splitting import split_text_tower
from alworkbench.prompts.tuning.class_prompts import ClassPrompts, class_prompts
from alworkbench.prompts.tuning.packed_text import (
    check_against_model,
    pooled_activations,
    text_features,
)
from tests.factories import normal
from tests.prompts.direct_tuning import direct_features, direct_pooled
from tests.prompts.tuning_models import (
    CLASSES,
    TOKENIZER,
    TUNABLE,
    clip,
    coca,
    custom,
    drawn,
    siglip,
)

PHRASE = "a photo of a"


@pytest.fixture(scope="module", params=list(TUNABLE))
def model(request: pytest.FixtureRequest) -> nn.Module:
    return drawn(TUNABLE[request.param]())


def prompts_of(model: nn.Module, phrase: str = PHRASE) -> ClassPrompts:
    return class_prompts(causal_text_tower(model), TOKENIZER, CLASSES, phrase)


def same(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)


def test_the_untuned_context_gives_the_models_own_features(model: nn.Module) -> None:
    tower, prompts = causal_text_tower(model), prompts_of(model)
    names = [name.replace("_", " ") for name in CLASSES]
    ids = TOKENIZER([f"a photo of a {name}." for name in names])
    assert torch.equal(prompts.ids, ids)
    pooled = pooled_activations(tower, prompts, prompts.context[None])[0]
    same(text_features(tower, pooled), model.encode_text(ids, normalize=True))
    check_against_model(tower, prompts, pooled)


def test_pooled_activations_are_the_inputs_of_the_head() -> None:
    """What the posterior of the text side takes: with a constant 1 if the projection has a bias."""
    for kind in ("clip", "clip-linear-projection", "custom-text"):
        model = drawn(TUNABLE[kind]())
        tower, prompts, split = causal_text_tower(model), prompts_of(model), split_text_tower(model)
        found = tower.activations(pooled_activations(tower, prompts, prompts.context[None])[0])
        with torch.no_grad():
            wanted = split(prompts.ids).activations
        torch.testing.assert_close(found.float(), wanted, rtol=1e-5, atol=1e-5)


def test_any_context_gives_what_full_sequences_give(model: nn.Module) -> None:
    """Cut sequences, shared prefixes and packed suffixes change nothing, for several contexts at once."""
    tower, prompts = causal_text_tower(model), prompts_of(model)
    contexts = prompts.context + 0.1 * normal(3, 3, *prompts.context.shape)
    found = pooled_activations(tower, prompts, contexts)
    for context, pooled in zip(contexts, found, strict=True):
        wanted = direct_pooled(model, prompts.ids, context)
        same(pooled, wanted)
        same(text_features(tower, pooled), direct_features(model, wanted))


def test_the_gradient_is_that_of_full_sequences(model: nn.Module) -> None:
    tower, prompts = causal_text_tower(model), prompts_of(model)
    context = (prompts.context + 0.1 * normal(4, *prompts.context.shape)).requires_grad_()
    direction = normal(5, len(CLASSES), prompts.context.shape[1])
    packed = pooled_activations(tower, prompts, context[None])[0]
    full = direct_pooled(model, prompts.ids, context)
    (found,) = torch.autograd.grad((packed * direction).sum(), context)
    (wanted,) = torch.autograd.grad((full * direction).sum(), context)
    same(found, wanted)


@pytest.mark.parametrize(
    ("phrase", "tokens"),
    [("a photo of a", 4), ("photomicrograph of a", 6), ("a", 1), ("X-ray:", 4)],
)
def test_the_context_has_as_many_vectors_as_the_phrase_has_tokens(phrase: str, tokens: int) -> None:
    model = drawn(clip())
    prompts = prompts_of(model, phrase)
    assert len(prompts.context) == tokens == len(TOKENIZER.encode(phrase))
    pooled = pooled_activations(causal_text_tower(model), prompts, prompts.context[None])[0]
    ids = TOKENIZER([f"{phrase} {name.replace('_', ' ')}." for name in CLASSES])
    same(text_features(causal_text_tower(model), pooled), model.encode_text(ids, normalize=True))


@pytest.mark.parametrize(
    ("phrase", "match"), [("", "no token"), ("   ", "no token"), ("a word " * 12, "tokens change")]
)
def test_a_phrase_that_cannot_be_a_context_is_refused(phrase: str, match: str) -> None:
    with pytest.raises(InvalidInitPhrase, match=match):
        prompts_of(drawn(clip()), phrase)


def test_only_as_many_tokens_as_needed_go_through_the_transformer() -> None:
    prompts = prompts_of(drawn(clip()))
    ends = prompts.ids.argmax(dim=-1)
    assert prompts.tokens == 5 + int((ends - 4).sum()) < len(CLASSES) * int(ends.max() + 1) / 2


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (siglip, "bidirectional"),
        (coca, "class token"),
        (lambda: clip(no_causal_mask=True), "bidirectional"),
        (lambda: custom(pool_type="last"), "pools by 'last'"),
        (lambda: custom(scale_heads=True), "CustomResidualAttentionBlock"),
        (lambda: nn.Linear(2, 2), "NoneType"),
    ],
)
def test_a_tower_that_cannot_be_tuned_is_refused(make: Callable[[], nn.Module], match: str) -> None:
    with pytest.raises(PromptsNotTunable, match=rf"{match}.*Choose such a model"):
        causal_text_tower(make())


def test_a_tower_whose_parts_do_something_else_is_refused() -> None:
    model = drawn(clip())
    tower, prompts = causal_text_tower(model), prompts_of(model)
    pooled = pooled_activations(tower, prompts, 2 * prompts.context[None])[0]
    with pytest.raises(PromptsNotTunable, match="relative difference"):
        check_against_model(tower, prompts, pooled)


def test_reading_the_tower_changes_nothing_and_copies_no_weight() -> None:
    model = drawn(custom())
    before = {name: values.clone() for name, values in model.state_dict().items()}
    needed = [weight.requires_grad for weight in model.parameters()]
    tower = causal_text_tower(model)
    known = {weight.data_ptr() for weight in model.parameters()}
    for block in tower.blocks:
        assert block.in_weight.data_ptr() in known
        assert not block.in_weight.requires_grad
        assert {weight.data_ptr() for weight in block.mlp.parameters()} <= known
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)
    assert [weight.requires_grad for weight in model.parameters()] == needed
