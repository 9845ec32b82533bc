"""Captions, loss and training of the bundled model."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from torch.nn.functional import cross_entropy

from alworkbench.datasets.bundled_recipe import FIRST_ROW, Recipe, TrainingData, training_data
from alworkbench.datasets.captions import (
    ADJECTIVES,
    UNMENTIONED,
    Facts,
    facts_of,
    measure,
    truth,
    write_captions,
)
from alworkbench.datasets.fashion_mnist import CLASS_NAMES, FashionMnist
from alworkbench.datasets.sample import UNKNOWN_TO_BUNDLED_MODEL
from alworkbench.datasets.train_bundled import contrastive_loss, preprocess_for, train, write_model
from alworkbench.encoders import load_encoder

seeds = st.integers(0, 2**32 - 1)


def pictures(seed: int, count: int) -> np.ndarray:
    """Bright rectangles of random sizes on black."""
    generator = np.random.default_rng(seed)
    images = np.zeros((count, 28, 28), dtype=np.uint8)
    for image in images:
        height, width = generator.integers(2, 27, 2)
        image[1 : 1 + height, 1 : 1 + width] = generator.integers(1, 256, (height, width))
    return images


def labelled(seed: int, count: int) -> TrainingData:
    images = pictures(seed, count)
    labels = np.random.default_rng(seed).integers(0, 2, count)
    return TrainingData(images, labels, facts_of(images), 0)


# --------------------------------------------------------------------------------------- captions


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=seeds)
def test_a_caption_is_true_of_its_own_picture(seed: int) -> None:
    data = labelled(seed, 20)
    captions = write_captions(data.labels, data.facts, np.random.default_rng(seed))
    assert truth(data.labels, data.facts, captions).diagonal().all()


@settings(deadline=None, derandomize=True, max_examples=20)
@given(seed=seeds)
def test_caption_truth_equals_parsing_the_caption(seed: int) -> None:
    """Parse the words and compare each with the picture."""
    data = labelled(seed, 12)
    captions = write_captions(data.labels, data.facts, np.random.default_rng(seed))
    words = [text.rstrip(".").split() for text in captions.texts(CLASS_NAMES)]
    found = truth(data.labels, data.facts, captions)
    for picture in range(12):
        allowed = {ADJECTIVES[kind][third] for kind, third in enumerate(data.facts.thirds[picture])}
        for caption in range(12):
            claims = set(words[caption]) & {word for kind in ADJECTIVES for word in kind}
            name = CLASS_NAMES[data.labels[picture]]
            assert found[picture, caption] == (name in words[caption] and claims <= allowed)


def test_facts_divide_each_measure_into_thirds() -> None:
    images = pictures(3, 600)
    thirds = facts_of(images).thirds
    for kind in range(3):
        counts = np.bincount(thirds[:, kind], minlength=3)
        assert counts.min() > 150
        assert np.all(
            np.diff([measure(images)[thirds[:, kind] == t, kind].mean() for t in range(3)]) > 0
        )


def test_measures_of_drawn_pictures_are_exact() -> None:
    image = np.zeros((1, 28, 28), dtype=np.uint8)
    image[0, 4:18, 10:12] = 51
    brightness, busyness, height = measure(image)[0]
    assert brightness == pytest.approx(0.2)
    assert height == pytest.approx(0.5)
    assert busyness == pytest.approx(0.2 * (2 * 2 + 2 * 14) / 28)
    assert np.isfinite(measure(np.zeros((1, 28, 28), dtype=np.uint8))).all()


def test_captions_never_state_the_middle_third() -> None:
    facts = Facts(np.ones((50, 3), dtype=np.int8))
    captions = write_captions(np.zeros(50, dtype=np.int64), facts, np.random.default_rng(0))
    assert (captions.mentioned == UNMENTIONED).all()


# ------------------------------------------------------------------------------------------- loss


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=seeds, size=st.integers(1, 8))
def test_the_loss_equals_infonce_for_one_true_caption_each(seed: int, size: int) -> None:
    logits = torch.randn(size, size, generator=torch.Generator().manual_seed(seed))
    pairs = torch.arange(size)
    wanted = (cross_entropy(logits, pairs) + cross_entropy(logits.T, pairs)) / 2
    torch.testing.assert_close(contrastive_loss(logits, torch.eye(size).bool()), wanted)


def test_the_loss_is_equal_for_two_true_captions() -> None:
    logits = torch.tensor([[3.0, 1.0], [2.0, 0.5]], dtype=torch.float64)
    everything = torch.ones(2, 2).bool()
    exchanged = contrastive_loss(logits.flip(1), everything)
    torch.testing.assert_close(contrastive_loss(logits, everything), exchanged)


# --------------------------------------------------------------------------------------- training


def fashion(rows: int = FIRST_ROW + 40) -> FashionMnist:
    """Data of the published form in which rows 30,000 and 30,001 repeat other rows."""
    generator = np.random.default_rng(0)
    train_images = generator.integers(0, 256, (rows, 28, 28), dtype=np.uint8)
    test_images = generator.integers(0, 256, (20, 28, 28), dtype=np.uint8)
    labels = (np.arange(rows) % 10).astype(np.uint8)
    labels[FIRST_ROW : FIRST_ROW + 2] = 0
    train_images[FIRST_ROW], train_images[FIRST_ROW + 1] = train_images[7], test_images[3]
    made = object.__new__(FashionMnist)  # its shapes are those of the whole data
    for name, values in {
        "train_images": train_images,
        "train_labels": labels,
        "test_images": test_images,
        "test_labels": np.zeros(20, dtype=np.uint8),
    }.items():
        object.__setattr__(made, name, values)
    return made


def test_training_uses_only_known_classes_and_training_pictures() -> None:
    data = training_data(fashion())
    unknown = {CLASS_NAMES.index(name) for name in UNKNOWN_TO_BUNDLED_MODEL}
    assert not unknown & set(data.labels.tolist())
    assert data.repeated == 2
    sources = fashion()
    others = {i.tobytes() for i in (*sources.train_images[:FIRST_ROW], *sources.test_images)}
    assert not others & {image.tobytes() for image in data.images}


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return Recipe(seed=4, epochs=1.0, batch=16)


def test_training_is_reproducible_and_the_model_loads(recipe: Recipe, tmp_path: Path) -> None:
    data = labelled(1, 64)
    preprocess, console = preprocess_for(data), Console(file=io.StringIO())
    ids = []
    for name in ("one", "two"):
        before = torch.random.get_rng_state()
        write_model(train(data, preprocess, recipe, console), preprocess, tmp_path / name)
        assert torch.equal(torch.random.get_rng_state(), before)  # no global seeds
        stem = tmp_path / name / "alworkbench-tiny"
        encoder = load_encoder(f"{stem}.json:{stem}.safetensors", torch.device("cpu"))
        ids.append(encoder.id)
    assert ids[0] == ids[1]
    assert encoder.preprocess == preprocess
