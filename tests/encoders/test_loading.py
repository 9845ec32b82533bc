"""A spec gives one encoder, identified by its content, or an error that says what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from alworkbench.core.errors import EncoderError, UnknownEncoder, UnsupportedModel
from alworkbench.encoders import Encoder, load_encoder
from alworkbench.encoders.loading import load_model

CPU = torch.device("cpu")
PROMPTS = ["a photo of a cat.", "a photo of a dog.", "two boots"]
CONFIG: dict[str, Any] = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 16, "vocab_size": 49408, "width": 8, "heads": 2, "layers": 1},
}
PREPROCESS = {"mean": [0.4, 0.4, 0.4], "std": [0.2, 0.2, 0.2], "interpolation": "bilinear"}


def model_of(config: dict[str, Any], seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return open_clip.model.CLIP(**config).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own architecture with weights in every accepted form."""
    folder = tmp_path_factory.mktemp("encoders")
    (folder / "tiny.json").write_text(json.dumps(CONFIG))
    state = model_of(CONFIG).state_dict()
    save_file(state, folder / "tiny.safetensors")
    save_file(model_of(CONFIG, seed=1).state_dict(), folder / "other.safetensors")
    torch.save(state, folder / "plain.pt")
    torch.save({"state_dict": state, "epoch": 3, "name": "run"}, folder / "nested.pt")
    distributed = {f"module.{name}": values for name, values in state.items()}
    torch.save({"state_dict": distributed, "optimizer": {"lr": 0.1}}, folder / "distributed.pt")
    return folder


def load(folder: Path, weights: str, config: str = "tiny.json") -> Encoder:
    return load_encoder(f"{folder / config}:{folder / weights}", CPU)


def rewritten(tmp_path: Path, **change: Any) -> Path:
    (tmp_path / "tiny.json").write_text(json.dumps(CONFIG))
    save_file(model_of(CONFIG).state_dict(), tmp_path / "tiny.safetensors")
    for name, content in change.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    return tmp_path


def test_an_encoder_computes_the_embeddings_of_the_model(folder: Path) -> None:
    encoder, model = load(folder, "tiny.safetensors"), model_of(CONFIG)
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    tokens = open_clip.SimpleTokenizer(context_length=16)(PROMPTS)
    with torch.inference_mode():
        images, texts, scale = model(pixels, tokens)
    features, prompts = encoder.encode_images(pixels), encoder.encode_prompts(PROMPTS)
    logits = encoder.head.logits(features, prompts)
    torch.testing.assert_close(logits, scale * images @ texts.T, rtol=1e-5, atol=1e-5)
    assert isinstance(encoder, Encoder)
    assert encoder.head.loss == "infonce"
    assert features.activations.dtype == torch.float32


def test_a_whole_model_has_the_id_preprocessing_and_embeddings_of_its_encoder(folder: Path) -> None:
    spec = f"{folder / 'tiny.json'}:{folder / 'tiny.safetensors'}"
    found, encoder = load_model(spec, CPU), load_encoder(spec, CPU)
    assert (found.id, found.preprocess) == (encoder.id, encoder.preprocess)
    assert not found.model.training
    with torch.inference_mode():
        wanted = found.model.encode_text(found.tokenize(PROMPTS))
    prompts = encoder.encode_prompts(PROMPTS) @ encoder.head.text_projection.T
    torch.testing.assert_close(prompts, wanted, rtol=1e-5, atol=1e-5)


def test_the_batch_size_does_not_change_prompt_activations(folder: Path) -> None:
    encoder = load(folder, "tiny.safetensors")
    together = encoder.encode_prompts(PROMPTS)
    apart = encoder.encode_prompts(PROMPTS, batch_size=1)
    torch.testing.assert_close(together, apart)
    assert encoder.encode_prompts([]).shape == (0, together.shape[1])


def test_the_same_weights_in_any_file_are_the_same_encoder(folder: Path) -> None:
    ids = {
        load(folder, name).id
        for name in ("tiny.safetensors", "plain.pt", "nested.pt", "distributed.pt")
    }
    assert len(ids) == 1
    assert re.fullmatch(r"tiny-[0-9a-f]{16}", ids.pop())


def test_weights_round_trip_through_safetensors(folder: Path, tmp_path: Path) -> None:
    rewritten(tmp_path)
    save_file(load_file(folder / "tiny.safetensors"), tmp_path / "tiny.safetensors")
    assert load(tmp_path, "tiny.safetensors").id == load(folder, "tiny.safetensors").id


def test_other_weights_are_another_encoder(folder: Path) -> None:
    assert load(folder, "other.safetensors").id != load(folder, "tiny.safetensors").id


def test_another_preprocessing_is_another_encoder(folder: Path, tmp_path: Path) -> None:
    rewritten(tmp_path, open_clip_config={"preprocess_cfg": PREPROCESS | {"size": 999}})
    found, plain = load(tmp_path, "tiny.safetensors"), load(folder, "tiny.safetensors")
    assert found.id != plain.id
    assert found.preprocess.mean == (0.4, 0.4, 0.4)
    assert found.preprocess.interpolation == "bilinear"
    assert found.preprocess.size == (32, 32)  # the tower's own counts
    assert plain.preprocess.mean == open_clip.OPENAI_DATASET_MEAN


def test_the_config_of_a_hub_folder_is_an_architecture(folder: Path, tmp_path: Path) -> None:
    rewritten(tmp_path, open_clip_config={"model_cfg": CONFIG, "preprocess_cfg": PREPROCESS})
    encoder = load(tmp_path, "tiny.safetensors", "open_clip_config.json")
    pixels = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(3))
    wanted = load(folder, "tiny.safetensors").encode_images(pixels)
    assert torch.equal(encoder.encode_images(pixels).activations, wanted.activations)


def test_a_registered_architecture_loads_weights_from_a_file(tmp_path: Path) -> None:
    """ARCH:path, with the smallest architecture of open_clip made smaller still."""
    open_clip.add_model_config(rewritten(tmp_path, **{"registered-for-a-test": CONFIG}))
    encoder = load_encoder(f"registered-for-a-test:{tmp_path / 'tiny.safetensors'}", CPU)
    assert encoder.id.startswith("registered-for-a-test-")
    assert encoder.spec == f"registered-for-a-test:{tmp_path / 'tiny.safetensors'}"


def test_a_logit_bias_means_the_siglip_loss(tmp_path: Path) -> None:
    config = CONFIG | {"init_logit_bias": -7.0}
    rewritten(tmp_path, biased=config)
    save_file(model_of(config).state_dict(), tmp_path / "biased.safetensors")
    head = load(tmp_path, "biased.safetensors", "biased.json").head
    assert head.loss == "siglip"
    assert head.logit_bias == -7.0


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("bundle", "Did you mean 'bundled'"),
        ("ViT-B-32", "is not the name of an encoder"),
        ("ViT-B-32:", "is not the name of an encoder"),
        ("", "is not the name of an encoder"),
        ("ViT-B32:openai", "no architecture 'ViT-B32'. Did you mean 'ViT-B-32'"),
        ("ViT-B-32:openia", "Did you mean 'openai'"),
        ("ViT-B-32:no/such/file.safetensors", "neither a published tag .* nor a file"),
        ("features:mine", "features from a file"),
        ("no/such/config.json:weights.safetensors", "cannot be read"),
    ],
)
def test_an_unknown_spec_is_refused_with_the_known_ones(spec: str, match: str) -> None:
    with pytest.raises(UnknownEncoder, match=match):
        load_encoder(spec, CPU)


def test_weights_that_cannot_be_fetched_say_what_to_do_without_a_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def offline(*_: Any, **__: Any) -> str:
        raise OSError("no route to host")

    monkeypatch.setattr(open_clip.factory, "download_pretrained", offline)
    with pytest.raises(EncoderError, match=r"no route to host.*--encoder ViT-B-32:path/to/weights"):
        load_encoder("ViT-B-32:openai", CPU)


def test_the_tag_decides_the_activation_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI's weights need QuickGELU, which the config of plain ViT-B-32 does not say."""
    asked: dict[str, Any] = {}

    def create(*_: Any, **settings: Any) -> None:
        asked.update(settings)
        raise RuntimeError("far enough")

    monkeypatch.setattr(open_clip, "create_model", create)
    for tag, quick in (("openai", True), ("laion2b_s34b_b79k", False)):
        with pytest.raises(EncoderError, match="far enough"):
            load_encoder(f"ViT-B-32:{tag}", CPU)
        assert asked["force_quick_gelu"] is quick


def damaged_weights(folder: Path, name: str) -> Path:
    state = load_file(folder / "tiny.safetensors")
    path = folder / f"{name}.safetensors"
    if name == "truncated":
        path.write_bytes((folder / "tiny.safetensors").read_bytes()[:-100])
    elif name == "empty":
        save_file({}, path)
    elif name == "missing":
        del state["visual.proj"]
        save_file(state, path)
    elif name == "shape":
        save_file(state | {"visual.proj": torch.zeros(3, 3)}, path)
    elif name == "text":
        path.write_text("these are no weights")
    elif name == "pickle":
        path = path.with_suffix(".pt")
        torch.save({"state_dict": state, "callback": print}, path)
    elif name == "list":
        path = path.with_suffix(".pt")
        torch.save([1, 2, 3], path)
    return path


@pytest.mark.parametrize(
    "name", ["truncated", "empty", "missing", "shape", "text", "pickle", "list"]
)
def test_a_damaged_or_hostile_weights_file_is_refused(tmp_path: Path, name: str) -> None:
    rewritten(tmp_path)
    path = damaged_weights(tmp_path, name)
    with pytest.raises(EncoderError, match="could not be loaded as weights of tiny"):
        load(tmp_path, path.name)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    rewritten(tmp_path)
    state = load_file(tmp_path / "tiny.safetensors")
    state["visual.proj"][0, 0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(EncoderError, match=r"not finite, in visual\.proj"):
        load(tmp_path, "nan.safetensors")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{",
        '{"embed_dim": 12}',
        '{"embed_dim": "x", "vision_cfg": {}, "text_cfg": {}}',
        "[" * 100_000,
    ],
)
def test_a_config_that_describes_no_model_is_refused(tmp_path: Path, content: str) -> None:
    rewritten(tmp_path)
    (tmp_path / "odd.json").write_text(content)
    with pytest.raises(
        UnknownEncoder, match=r"cannot be read|is not a configuration of an open_clip model"
    ):
        load(tmp_path, "tiny.safetensors", "odd.json")


def test_a_config_of_unknown_settings_is_refused(tmp_path: Path) -> None:
    rewritten(tmp_path, odd=CONFIG | {"vision_cfg": {"wings": 2}})
    with pytest.raises(EncoderError, match="wings"):
        load(tmp_path, "tiny.safetensors", "odd.json")


def test_a_split_that_changes_the_model_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were a tower of some future kind to do more behind its last linear layer, it would show."""
    published = open_clip.model.CLIP.encode_image

    def with_more_behind(self: Any, image: torch.Tensor, normalize: bool = False) -> torch.Tensor:
        return published(self, image).square()

    monkeypatch.setattr(open_clip.model.CLIP, "encode_image", with_more_behind)
    with pytest.raises(UnsupportedModel, match="image tower could not be found"):
        load(folder, "tiny.safetensors")
