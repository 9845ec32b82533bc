"""The bundled model loads as any model, is small, and has its documented weak classes."""

from __future__ import annotations

import csv
import io
import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import open_clip
import PIL.Image
import pytest
import torch

from alworkbench.core.assets import BUNDLED, BUNDLED_NAME
from alworkbench.datasets.bundled_card import class_activations
from alworkbench.datasets.fashion_mnist import CLASS_NAMES
from alworkbench.datasets.sample import TEST, UNKNOWN_TO_BUNDLED_MODEL, bundled_sample
from alworkbench.datasets.train_bundled import ARCHITECTURE
from alworkbench.encoders import Encoder, load_encoder

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder("bundled", CPU)


def test_the_bundled_model_is_small() -> None:
    assert (BUNDLED / f"{BUNDLED_NAME}.safetensors").stat().st_size < 12e6


def test_bundled_equals_the_model_loaded_from_its_files(encoder: Encoder) -> None:
    """Naming its config and weights gives the same encoder as `bundled`."""
    spec = f"{BUNDLED / BUNDLED_NAME}.json:{BUNDLED / BUNDLED_NAME}.safetensors"
    assert load_encoder(spec, CPU).id == encoder.id
    named = load_encoder(f"{BUNDLED_NAME}:{BUNDLED / BUNDLED_NAME}.safetensors", CPU)
    assert named.id == encoder.id
    assert encoder.spec == "bundled"
    assert encoder.id.startswith(f"{BUNDLED_NAME}-")


def test_config_and_weights_have_the_same_architecture() -> None:
    registered = json.loads((BUNDLED / f"{BUNDLED_NAME}.json").read_text())
    described = json.loads((BUNDLED / "open_clip_config.json").read_text())
    assert registered == described["model_cfg"] == ARCHITECTURE


@torch.inference_mode()
def test_open_clip_loads_the_same_model(encoder: Encoder, tmp_path: Path) -> None:
    for name in ("open_clip_config.json", f"{BUNDLED_NAME}.safetensors"):
        (tmp_path / name).symlink_to(BUNDLED / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # open_clip's, about its own defaults
        model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{tmp_path}")
    model.eval()
    image = PIL.Image.fromarray(np.arange(784, dtype=np.uint8).reshape(28, 28))
    pixels = transform(image)[None]
    assert torch.equal(encoder.preprocess(image)[None], pixels)
    prompts = ["a photo of a dress.", "a photo of a bag."]
    tokens = open_clip.SimpleTokenizer(context_length=model.context_length)(prompts)
    images, texts, scale = model(pixels, tokens)
    found = encoder.head.logits(encoder.encode_images(pixels), encoder.encode_prompts(prompts))
    torch.testing.assert_close(found, scale * images @ texts.T, rtol=1e-4, atol=1e-4)


def test_the_card_names_the_hash_of_the_weights(encoder: Encoder) -> None:
    assert encoder.id in (BUNDLED / "CARD.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def zero_shot(encoder: Encoder) -> dict[str, float]:
    """Accuracy by class on the 1,000 test pictures of the bundled sample."""
    with zipfile.ZipFile(bundled_sample()) as archive:
        rows = csv.DictReader(io.TextIOWrapper(archive.open("manifest.csv"), encoding="utf-8"))
        test = [row for row in rows if row["split"] == TEST]
        images = [PIL.Image.open(io.BytesIO(archive.read(row["path"]))) for row in test]
        pixels = torch.stack([encoder.preprocess(image) for image in images])
    labels = torch.tensor([CLASS_NAMES.index(row["label"]) for row in test])
    logits = encoder.head.logits(encoder.encode_images(pixels), class_activations(encoder))
    correct = (logits.argmax(dim=1) == labels).float()
    return {name: correct[labels == c].mean().item() for c, name in enumerate(CLASS_NAMES)}


def test_zero_shot_accuracy_is_useful_and_not_perfect(zero_shot: dict[str, float]) -> None:
    assert 0.53 <= np.mean(list(zero_shot.values())) <= 0.70


def test_accuracy_is_lowest_on_the_classes_left_out_of_training(
    zero_shot: dict[str, float],
) -> None:
    unknown = [zero_shot[name] for name in UNKNOWN_TO_BUNDLED_MODEL]
    known = [a for name, a in zero_shot.items() if name not in UNKNOWN_TO_BUNDLED_MODEL]
    assert np.mean(unknown) < 0.10
    assert np.mean(known) > 0.85
    assert min(known) > 0.70


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_mixed_precision_on_a_gpu_gives_the_features_of_the_cpu(encoder: Encoder) -> None:
    """Embeddings have a cosine of at least 0.999, as promised."""
    pixels = torch.randn(32, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    accelerated = load_encoder("bundled", torch.device("cuda"))
    found = accelerated.encode_images(pixels)
    assert found.activations.dtype == torch.float32
    assert accelerated.id == encoder.id
    embeddings = accelerated.head.embed_images(found).cpu()
    wanted = encoder.head.embed_images(encoder.encode_images(pixels))
    assert torch.cosine_similarity(embeddings, wanted).min() > 0.999
    torch.testing.assert_close(
        accelerated.encode_prompts(["a bag"]).cpu(),
        encoder.encode_prompts(["a bag"]),
        rtol=1e-3,
        atol=1e-3,
    )
