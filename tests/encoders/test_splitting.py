"""Both parts of a split tower together compute what the model computes."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import timm
import torch
from open_clip.coca_model import CoCa
from open_clip.hf_model import HFTextEncoder
from open_clip.model import CLIP, CustomTextCLIP
from torch import Tensor, nn

from alworkbench.core.errors import UnsupportedModel
from alworkbench.encoders.head import Features, Head
from alworkbench.encoders.splitting import split_image_tower, split_text_tower, with_part

TEXT = {"context_length": 12, "vocab_size": 300, "width": 24, "heads": 2, "layers": 1}
VIT = {"image_size": 32, "patch_size": 16, "width": 40, "head_width": 20, "layers": 1}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 4, "head_width": 32}
EMBEDDING = 16


def clip(vision: dict[str, Any], text: dict[str, Any] = TEXT, **settings: Any) -> nn.Module:
    return CLIP(EMBEDDING, vision, text, **settings)


def custom(vision: dict[str, Any], text: dict[str, Any] = TEXT, **settings: Any) -> nn.Module:
    return CustomTextCLIP(EMBEDDING, vision, text, **settings)


def coca() -> nn.Module:
    vision = VIT | {
        "attentional_pool": True,
        "attn_pooler_queries": 4,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    }
    text = TEXT | {"embed_cls": True, "output_tokens": True}
    return CoCa(EMBEDDING, TEXT | {"attn_pooler_heads": 2}, text, vision)


def timm_tower(name: str, *, size: int = 32, embedding: int, **settings: Any) -> nn.Module:
    """A model whose image tower is a timm trunk of a published kind, made narrow and shallow."""
    small = {"embed_dim": 32, "depth": 1, "num_heads": 2}
    if not name.startswith("naflex"):  # takes any size
        small["img_size"] = size
    published = timm.create_model
    narrow = functools.partial(published, **small) if "vit" in name else published
    timm.create_model = narrow
    try:
        vision = {"timm_model_name": name, "image_size": size} | settings
        return CustomTextCLIP(embedding, vision, TEXT | {"proj_bias": True}, init_logit_bias=-10.0)
    finally:
        timm.create_model = published


SIGLIP = "vit_base_patch16_siglip_224"
MODELS: dict[str, Callable[[], nn.Module]] = {
    "clip-vit": lambda: clip(VIT),
    "clip-vit-average-pool": lambda: clip(VIT | {"pool_type": "avg", "final_ln_after_pool": True}),
    "clip-resnet": lambda: clip(RESNET),
    "text-projection-with-bias": lambda: clip(VIT, TEXT | {"proj_bias": True}),
    "custom-text": lambda: custom(VIT),
    "custom-text-with-bias-and-logit-bias": lambda: custom(
        VIT, TEXT | {"proj_bias": True, "no_causal_mask": True}, init_logit_bias=-3.0
    ),
    "coca": coca,
    "siglip": lambda: timm_tower(SIGLIP, embedding=32, timm_pool="map", timm_proj="none"),
    "siglip-naflex-at-one-size": lambda: timm_tower(
        "naflexvit_base_patch16_siglip", embedding=32, timm_pool="map", timm_proj="none"
    ),
    "timm-linear": lambda: timm_tower(
        SIGLIP, embedding=EMBEDDING, timm_pool="map", timm_proj="linear", timm_proj_bias=True
    ),
    "timm-mlp": lambda: timm_tower(
        "vit_base_patch16_224", embedding=EMBEDDING, timm_pool="token", timm_proj="mlp"
    ),
    "timm-classifier": lambda: timm_tower(
        "vit_base_patch16_224", embedding=EMBEDDING, timm_pool="avg", timm_proj=""
    ),
    "timm-rotary-pool": lambda: timm_tower(
        "resnet10t", embedding=EMBEDDING, size=64, timm_pool="rot_attn", timm_proj=""
    ),
}


@pytest.fixture(scope="module", params=list(MODELS))
def model(request: pytest.FixtureRequest) -> nn.Module:
    """Random weights everywhere: biases, norms and zero-initialised residual branches included, so
    that a part which is left out or swapped cannot hide behind a zero. In double precision, since the
    rounding of whole towers in single precision depends on the processor."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's, about its own registry
        made = MODELS[request.param]().eval().double()
    generator = torch.Generator().manual_seed(5)
    for name, weights in made.named_parameters():
        if name == "text_decoder.text_projection":  # CoCa's, not initialised: whatever was there
            weights.data.zero_()
        if not name.startswith("logit"):
            weights.data += 0.1 * torch.randn(weights.shape, generator=generator)
    return made


def pixels_of(model: nn.Module, count: int = 3) -> Tensor:
    size = model.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    drawn = torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))
    return drawn.to(next(model.parameters()).dtype)


def tokens_of(model: nn.Module, count: int = 4) -> Tensor:
    return torch.randint(1, 299, (count, 12), generator=torch.Generator().manual_seed(2))


def head_of(model: nn.Module) -> Head:
    return Head(
        split_image_tower(model).projection.double(),
        split_text_tower(model).projection.double(),
        model.logit_scale.exp().item(),
        0.0 if model.logit_bias is None else model.logit_bias.item(),
    )


@torch.inference_mode()
def test_projected_image_activations_are_the_models_own_embeddings(model: nn.Module) -> None:
    pixels = pixels_of(model)
    features = split_image_tower(model)(pixels).to("cpu", torch.float64)
    wanted = model.encode_image(pixels, normalize=False)
    torch.testing.assert_close(head_of(model).embed_images(features), wanted, rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_projected_text_activations_are_the_models_own_embeddings(model: nn.Module) -> None:
    tokens = tokens_of(model)
    activations = split_text_tower(model)(tokens).activations.double()
    wanted = model.encode_text(tokens, normalize=False)
    torch.testing.assert_close(
        head_of(model).embed_texts(activations), wanted, rtol=1e-5, atol=1e-5
    )


@torch.inference_mode()
def test_logits_are_the_models_own(model: nn.Module) -> None:
    pixels, tokens = pixels_of(model), tokens_of(model)
    features = split_image_tower(model)(pixels).to("cpu", torch.float64)
    classes = split_text_tower(model)(tokens).activations.double()
    images = model.encode_image(pixels, normalize=True)
    texts = model.encode_text(tokens, normalize=True)
    wanted = model.logit_scale.exp() * images @ texts.T + (model.logit_bias or 0.0)
    torch.testing.assert_close(
        head_of(model).logits(features, classes), wanted, rtol=1e-5, atol=1e-4
    )


@torch.inference_mode()
def test_splitting_does_not_change_the_model(model: nn.Module) -> None:
    before = {name: values.clone() for name, values in model.state_dict().items()}
    pixels = pixels_of(model)
    embedded = model.encode_image(pixels)
    split_image_tower(model)(pixels)
    split_text_tower(model)(tokens_of(model))
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    assert torch.equal(model.encode_image(pixels), embedded)


@torch.inference_mode()
def test_the_split_shares_the_weights_of_the_model(model: nn.Module) -> None:
    """No second copy of a large model is held: every weight of the body is one of the model's, but
    for the identity matrix that stands in a ResNet's attention pool."""
    body = split_image_tower(model).body
    known = {weights.data_ptr() for weights in model.parameters()}
    own = [name for name, weights in body.named_parameters() if weights.data_ptr() not in known]
    assert own in ([], ["attnpool.c_proj.weight", "attnpool.c_proj.bias"])


def test_a_bias_is_a_constant_activation_and_the_last_column() -> None:
    model = MODELS["text-projection-with-bias"]().eval()
    split = split_text_tower(model)
    with torch.inference_mode():
        activations = split(tokens_of(model)).activations
    assert split.bias
    assert torch.equal(activations[:, -1], torch.ones(4))
    assert torch.equal(split.projection[:, -1], model.text_projection.bias)


def test_only_towers_with_a_residual_at_the_end_have_residuals() -> None:
    for kind in ("clip-vit", "clip-resnet", "siglip", "timm-mlp"):
        model = MODELS[kind]().eval()
        with torch.inference_mode():
            features = split_image_tower(model)(pixels_of(model))
        assert isinstance(features, Features)
        assert (features.residuals is not None) == (kind == "siglip")


def test_a_hugging_face_text_tower_is_split_at_its_last_linear_layer() -> None:
    """Stands in for a downloaded transformer: only the pooled state and `proj` matter here."""

    class Tower(HFTextEncoder):
        def __init__(self, proj: nn.Module) -> None:
            nn.Module.__init__(self)
            self.embedding, self.proj = nn.EmbeddingBag(300, 24), proj

        def forward(self, tokens: Tensor) -> Tensor:
            return self.proj(self.embedding(tokens))

    mlp = nn.Sequential(nn.Linear(24, 20), nn.GELU(), nn.Linear(20, EMBEDDING, bias=False))
    for proj in (nn.Linear(24, EMBEDDING, bias=False), mlp):
        model = custom(VIT).eval()
        model.text = Tower(proj)
        split, tokens = split_text_tower(model), tokens_of(model)
        with torch.inference_mode():
            found = split(tokens).activations @ split.projection.T
            torch.testing.assert_close(found, model.encode_text(tokens))

    model.text = Tower(nn.Identity())
    with pytest.raises(UnsupportedModel, match=r"text tower .* Identity"):
        split_text_tower(model)


@pytest.mark.parametrize(
    ("settings", "match"),
    [({"timm_pool": "map", "timm_proj": "none"}, "attention pool that pools by ''")],
)
def test_an_attention_pool_that_returns_tokens_is_refused(settings: Any, match: str) -> None:
    model = timm_tower(SIGLIP, embedding=32, **settings)
    model.visual.trunk.attn_pool.pool = ""
    with pytest.raises(UnsupportedModel, match=match):
        split_image_tower(model)


def test_a_tower_that_does_not_end_linearly_is_named() -> None:
    without_text_projection = clip(VIT | {"width": 40}, TEXT | {"proj_type": "none"})
    with pytest.raises(UnsupportedModel, match=r"text tower .*no projection"):
        split_text_tower(without_text_projection)

    without_image_projection = clip(VIT)
    without_image_projection.visual.proj = None
    with pytest.raises(UnsupportedModel, match=r"image tower .*no projection"):
        split_image_tower(without_image_projection)

    unknown = clip(VIT)
    unknown.visual = nn.Flatten()
    with pytest.raises(UnsupportedModel, match=r"image tower .*Flatten"):
        split_image_tower(unknown)

    average_pooled = timm_tower(
        "vit_base_patch16_224", embedding=32, timm_pool="avg", timm_proj="none"
    )
    with pytest.raises(UnsupportedModel, match=r"image tower .*VisionTransformer of timm"):
        split_image_tower(average_pooled)


def test_a_part_is_replaced_only_in_the_copy() -> None:
    inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    outer = nn.ModuleDict({"inner": inner, "other": nn.Linear(2, 2)})
    clone = with_part(outer, "inner.0", nn.Identity())
    assert isinstance(clone["inner"][0], nn.Identity)
    assert outer["inner"] is inner
    assert isinstance(inner[0], nn.Linear)
    assert clone["other"] is outer["other"]
