"""Every architecture of open_clip is listed as supported or not, and the list is correct."""

from __future__ import annotations

import json
import logging
import re
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import timm
import torch
from open_clip import factory, hf_model
from torch import Tensor, nn
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.errors import UnknownEncoder
from alworkbench.encoders import PUBLISHED_TAGS, model_table, published_tags
from alworkbench.encoders.splitting import split_image_tower, split_text_tower
from alworkbench.encoders.supported import (
    ModelSupport,
    architectures,
    build,
    examine,
    supported_models,
)

ROOT = Path(__file__).parents[2]
EMBEDDING, TRUNK, CONTEXT, VOCABULARY = 16, 32, 12, 300


@pytest.fixture(scope="module")
def catalogue() -> Iterator[dict[str, ModelSupport]]:
    """Everything, with the network out of reach."""

    def refuse(*_: Any) -> None:
        raise AssertionError("the catalogue reached for the network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield {model.name: model for model in supported_models()}


# ------------------------------------------------------------------------------------ the whole list


def test_every_architecture_is_supported_or_refused_with_a_reason(
    catalogue: dict[str, ModelSupport],
) -> None:
    shipped = {path.stem for path in Path(open_clip.__file__).parent.glob("model_configs/*.json")}
    assert list(catalogue) == [name for name in open_clip.list_models() if name in shipped]
    assert set(catalogue) == shipped
    for model in catalogue.values():
        assert model.embedding_size > 0
        for side in (model.image, model.text):
            assert bool(side.layer) != bool(side.why_not), model
        assert model.supported == (not model.why_not)
        if model.supported:
            assert model.image.size, model


def test_a_config_of_the_user_is_not_listed(
    catalogue: dict[str, ModelSupport], tmp_path: Path
) -> None:
    config = tmp_path / "of-the-users-own.json"
    config.write_text(json.dumps(open_clip.get_model_config("ViT-S-32-alt")))
    open_clip.add_model_config(config)
    assert config.stem in open_clip.list_models()
    assert architectures() == list(catalogue)
    assert supported_models([config.stem])[0].supported  # but may be asked for


def test_sizes_of_text_towers_of_the_hub_are_unknown(
    catalogue: dict[str, ModelSupport],
) -> None:
    for name, model in catalogue.items():
        from_hub = bool(open_clip.get_model_config(name)["text_cfg"].get("hf_model_name"))
        assert (model.text.size is None) == (from_hub or bool(model.text.why_not))


def test_the_only_refused_model_has_a_text_tower_that_ends_in_a_norm(
    catalogue: dict[str, ModelSupport],
) -> None:
    """A release that lists another one must be looked at: can it be split after all?"""
    refused = {name: model.why_not for name, model in catalogue.items() if not model.supported}
    assert refused == {
        "ViT-SO400M-16-SigLIP-i18n-256": "text tower: no projection (`text_projection` is None)"
    }
    config = open_clip.get_model_config("ViT-SO400M-16-SigLIP-i18n-256")
    assert config["text_cfg"]["proj_type"] == "none"


@pytest.mark.parametrize("name", ["ViT-B-32-quickgelu", "ViT-L-14-336", "RN101-quickgelu"])
def test_architectures_examined_together_have_equal_answers(
    catalogue: dict[str, ModelSupport], name: str
) -> None:
    assert examine(name) == catalogue[name]


@pytest.mark.parametrize("name", ["ViT-S-32-alt", "vit_relpos_medium_patch16_cls_224"])
def test_a_model_with_weights_has_the_same_answer(
    catalogue: dict[str, ModelSupport], name: str
) -> None:
    model = build(name, torch.device("cpu"))
    image, text = split_image_tower(model), split_text_tower(model)
    said = catalogue[name]
    assert image.projection.shape == (said.embedding_size, said.image.size)
    assert text.projection.shape == (said.embedding_size, said.text.size)
    assert (image.layer, text.layer) == (said.image.layer, said.text.layer)


def test_needed_packages_are_those_that_open_clip_imports(
    catalogue: dict[str, ModelSupport], monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in ("HFTokenizer", "SigLipTokenizer", "SimpleTokenizer"):
        monkeypatch.setattr(factory, kind, lambda *_, kind=kind, **__: kind)
    for name, model in catalogue.items():
        from_hub = open_clip.get_tokenizer(name) != "SimpleTokenizer"
        assert (model.needs == "transformers") == (from_hub or "Hugging Face" in model.text.tower)


def test_examining_models_does_not_change_logging(caplog: pytest.LogCaptureFixture) -> None:
    build("ViT-S-32-alt", torch.device("meta"))
    assert not caplog.records
    with caplog.at_level("WARNING"):
        logging.getLogger().warning("heard")
    assert caplog.records


# ---------------------------------------------------------------------------------------- the tables


def test_the_table_in_the_docs_is_that_of_the_installed_release(
    catalogue: dict[str, ModelSupport],
) -> None:
    written = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    if model_table.made_with() not in written:
        pytest.skip(f"docs/models.md is about other releases than {model_table.made_with()}")
    models = list(catalogue.values())
    advice = "Write it again with `python -m alworkbench.encoders.model_table`."
    assert written == model_table.table(models), advice


def test_the_table_of_published_tags_is_that_of_the_installed_release() -> None:
    if not published_tags():
        pytest.skip("published_tags.json is about another release of open_clip")
    advice = "Write it again with `python -m alworkbench.encoders.model_table`."
    assert PUBLISHED_TAGS.read_text(encoding="utf-8") == model_table.published_table(), advice


def test_every_model_has_one_row_and_one_family(catalogue: dict[str, ModelSupport]) -> None:
    models = list(catalogue.values())
    _, _, table = model_table.table(models).partition("| model | image tower |")
    rows = re.findall(r"^\| (\S+) \|", table, flags=re.MULTILINE)
    assert rows == ["---", *catalogue]
    families = {title for title, _ in model_table.FAMILIES}
    assert {model_table.family(name) for name in catalogue} == families - {"other"}
    counts = [
        int(cells[2]) + int(cells[4] or 0)
        for line in model_table.summary(models).splitlines()[2:]
        if (cells := [cell.strip() for cell in line.split("|")])
    ]
    assert sum(counts) == len(catalogue)


def test_the_command_lists_models() -> None:
    done = CliRunner().invoke(app, ["models", "rn50", "--json"])
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["model"] for row in rows] == architectures("RN50")
    assert rows[0] | {"text_tower": "", "image_layer": ""} == {
        "model": "RN50",
        "image_tower": "ModifiedResNet",
        "image_layer": "",
        "text_tower": "",
        "text_layer": "text_projection",
        "P": 2049,
        "D": 1024,
        "Q": 512,
        "residual": False,
        "loss": "infonce",
        "supported": True,
        "why_not": "",
        "needs": "",
    }
    shown = CliRunner().invoke(app, ["models", "i18n"])
    assert "no projection" in shown.output
    assert "1 of 2 architectures are supported" in shown.output
    with pytest.raises(UnknownEncoder, match="Did you mean 'RN50'"):
        architectures("RN51")


# -------------------------------------------------------------------------------------- tiny copies


TINY_COPIES = (
    "ViT-B-32",
    "ViT-L-14-CLIPA",
    "ViT-H-14-worldwide",
    "ViT-e-14",
    "coca_base",
    "coca_ViT-B-32",
    "coca_roberta-ViT-B-32",
    "RN50",
    "convnext_base",
    "convnext_large_d",
    "swin_base_patch4_window7_224",
    "vit_medium_patch16_gap_256",
    "vit_relpos_medium_patch16_cls_224",
    "ViTamin-S",
    "EVA01-g-14",
    "EVA02-B-16",
    "EVA02-E-14-plus",
    "PE-Core-T-16-384",
    "PE-Core-bigG-14-448",
    "MobileCLIP-B",
    "MobileCLIP-S1",
    "MobileCLIP2-S0",
    "MobileCLIP2-S4",
    "MobileCLIP2-L-14",
    "ViT-B-16-SigLIP",
    "ViT-B-16-SigLIP2",
    "ViT-B-32-SigLIP2-256",
    "ViT-B-16-SigLIP-i18n-256",
    "roberta-ViT-B-32",
    "xlm-roberta-base-ViT-B-32",
    "xlm-roberta-large-ViT-H-14",
    "mt5-base-ViT-B-32",
    "mt5-xl-ViT-H-14",
    "nllb-clip-base",
    "nllb-clip-large",
    "nllb-clip-base-siglip",
    "nllb-clip-large-siglip",
)


def kind_of(model: ModelSupport) -> tuple[str, ...]:
    return model.image.tower, model.image.layer, model.text.tower, model.text.layer


def test_there_is_a_tiny_copy_of_every_kind(catalogue: dict[str, ModelSupport]) -> None:
    kinds = {kind_of(model) for model in catalogue.values() if model.supported}
    assert {kind_of(catalogue[name]) for name in TINY_COPIES} == kinds


def tiny_trunk(name: str) -> dict[str, Any]:
    """What makes a timm trunk narrow and shallow without changing what it consists of."""
    patch = re.search(r"patch(\d+)", name)
    size = 2 * int(patch[1]) if patch else 32
    if name.startswith("convnext"):
        return {"depths": (1, 1, 1, 1), "dims": (8, 16, 24, TRUNK)}
    if name.startswith("fastvit"):
        stages = 5 if name in ("fastvit_mci3", "fastvit_mci4") else 4
        return {"layers": (1,) * stages, "embed_dims": (TRUNK,) * stages}
    if name.startswith("swin"):
        return {"embed_dim": 16, "depths": (1, 1), "num_heads": (2, 2), "img_size": 56}
    if name.startswith("vitamin") or "_mci_" in name:  # a stem of convolutions fixes their width
        return {"depth": 1, "img_size": 64}
    return {"embed_dim": TRUNK, "depth": 1, "num_heads": 2, "img_size": size}


def tiny_vision(config: dict[str, Any]) -> dict[str, Any]:
    if name := config.get("timm_model_name"):
        return config | {"image_size": tiny_trunk(name).get("img_size", 64)}
    if isinstance(config["layers"], list):
        return config | {"image_size": 64, "layers": [1, 1, 1, 1], "width": 4, "head_width": 32}
    patch = config["patch_size"]
    small = {"image_size": 2 * patch, "width": 40, "head_width": 20, "layers": 1}
    return config | small | {"attn_pooler_queries": 4, "attn_pooler_heads": 2}


def tiny_text(config: dict[str, Any]) -> dict[str, Any]:
    if "hf_model_name" in config:
        return config
    small = {"context_length": CONTEXT, "vocab_size": VOCABULARY}
    return config | small | {"width": 24, "heads": 2, "layers": 1}


class StandInTransformer(nn.Module):
    """In place of a transformer of the hub, which cannot be had here: open_clip's adapter around it
    (pooling, projection) is what is split, and is the real one."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, 24)

    @property
    def encoder(self) -> nn.Module:
        return self

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> SimpleNamespace:
        return SimpleNamespace(last_hidden_state=self.embedding(input_ids))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def config(name: str) -> SimpleNamespace:
        model_type = next(t for t in ("xlm-roberta", "roberta", "mt5", "nllb") if t in name)
        known = {"nllb": "m2m_100"}.get(model_type, model_type)
        names = {hf_model.arch_dict[known]["config_names"]["width"]: 24}
        return SimpleNamespace(
            model_type=known,
            is_encoder_decoder=known in ("mt5", "m2m_100"),
            pad_token_id=0,
            vocab_size=VOCABULARY,
            **names,
        )

    auto_config = SimpleNamespace(from_pretrained=config)
    auto_model = SimpleNamespace(from_config=lambda *_, **__: StandInTransformer())
    monkeypatch.setattr(hf_model, "transformers", SimpleNamespace())
    monkeypatch.setattr(hf_model, "AutoConfig", auto_config, raising=False)
    monkeypatch.setattr(hf_model, "AutoModel", auto_model, raising=False)
    for pooled in ("BaseModelOutputWithPooling", "BaseModelOutputWithPoolingAndCrossAttentions"):
        monkeypatch.setattr(hf_model, pooled, type(pooled, (), {}), raising=False)


def tiny_copy(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The architecture made small by open_clip itself, with random numbers everywhere: biases, norms
    and branches that start at zero included, so that a part which is left out cannot hide."""
    published = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda trunk, **given: published(trunk, **tiny_trunk(trunk), **given)
    )
    config = open_clip.get_model_config(name)
    vision = tiny_vision(config["vision_cfg"]) | {"timm_model_pretrained": False}
    small = {
        "embed_dim": TRUNK if vision.get("timm_proj") == "none" else EMBEDDING,
        "vision_cfg": vision,
        "text_cfg": tiny_text(config["text_cfg"]) | {"hf_model_pretrained": False},
    }
    if "multimodal_cfg" in config:
        tiny = {"vocab_size": VOCABULARY, "width": 24, "heads": 2, "layers": 1}
        small["multimodal_cfg"] = config["multimodal_cfg"] | tiny | {"attn_pooler_heads": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # timm's, about its own registry
        model = open_clip.create_model(name, load_weights=False, pretrained_text=False, **small)
    generator = torch.Generator().manual_seed(5)
    for parameter, weights in model.named_parameters():
        if not parameter.startswith("logit"):
            weights.data += 0.1 * torch.randn(weights.shape, generator=generator)
    return model.eval()


@pytest.mark.usefixtures("hub")
@pytest.mark.parametrize("name", TINY_COPIES)
def test_a_tiny_copy_is_split_at_the_listed_layer_and_computes_the_same(
    name: str, catalogue: dict[str, ModelSupport], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny_copy(name, monkeypatch)
    generator = torch.Generator().manual_seed(1)
    size = model.visual.image_size
    height, width = (size, size) if isinstance(size, int) else size
    pixels = torch.randn(3, 3, height, width, generator=generator)
    tokens = torch.randint(3, VOCABULARY - 1, (4, CONTEXT), generator=generator)
    tokens[:, -1] = open_clip.get_model_config(name)["text_cfg"].get("eos_id", 2)
    image, text, said = split_image_tower(model), split_text_tower(model), catalogue[name]
    assert (image.layer, text.layer) == (said.image.layer, said.text.layer)
    assert image.residual == said.image.residual
    with torch.inference_mode():
        features, prompts = image(pixels), text(tokens)
        found = features.activations @ image.projection.T
        found = found if features.residuals is None else found + features.residuals
        wanted = model.encode_image(pixels, normalize=False)
        assert wanted.std(dim=0).max() > 1e-4  # different pictures are told apart
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        found = prompts.activations @ text.projection.T
        wanted = model.encode_text(tokens, normalize=False)
        assert wanted.std(dim=0).max() > 1e-4
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
