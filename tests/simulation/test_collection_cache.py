"""An encoded collection is read as it was written, or made again; never read wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from alworkbench.core.assets import BUNDLED_POSTERIOR
from alworkbench.core.domain import NO_CLASS
from alworkbench.core.errors import UnknownCollection
from alworkbench.datasets.labelled_images import (
    Collection,
    CollectionImages,
    LabelledImages,
)
from alworkbench.datasets.package_images import DIGITS
from alworkbench.encoders import load_encoder
from alworkbench.encoders.head import Features
from alworkbench.features.feature_file_io import read_feature_file, write_feature_file
from alworkbench.posterior.posterior_file import load_posterior
from alworkbench.simulation.load import collection as suites

PER_CLASS, OUTSIDE = 4, 3


def _few(seed: int, progress: object) -> CollectionImages:
    """Four digits of each class in either part, and three more that no class fits."""
    whole = DIGITS.make()
    parts = []
    for part in (whole.pool, whole.test):
        rows = [np.flatnonzero(part.labels == label)[:PER_CLASS] for label in range(10)]
        parts.append(part.take(np.concatenate(rows)))
    pool, test = parts
    noise = np.random.default_rng(seed).integers(0, 256, (OUTSIDE, 8, 8), dtype=np.uint8)
    pool = LabelledImages(
        np.concatenate([pool.images, noise]),
        np.concatenate([pool.labels, np.full(OUTSIDE, NO_CLASS)]),
        np.concatenate([pool.copy_of, [0, -1, -1]]),
    )
    return CollectionImages(pool, test)


def _sizes() -> dict[str, dict[str, int]]:
    names = [label.name for label in DIGITS.card.classes]
    return {part: dict.fromkeys(names, PER_CLASS) for part in ("pool", "test")}


FEW = Collection(
    replace(DIGITS.card, name="few", sizes=_sizes(), outside=OUTSIDE, near_duplicates=1),
    summary="A few digits",
    recipe=1,
    draw=_few,
)
AGAIN = replace(FEW, card=replace(FEW.card, name="again", role="report"), base="few")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder("bundled", torch.device("cpu"))


@pytest.fixture
def encodings(monkeypatch, encoder):
    """The two collections above in the place of the real ones; how often an encoder was needed."""
    known, needed = {"few": FEW, "again": AGAIN}, []

    def find(name: str) -> Collection:
        if name not in known:
            raise UnknownCollection(name, known)
        return known[name]

    def load(spec: str, device: torch.device):
        needed.append(spec)
        return encoder

    monkeypatch.setattr(suites, "find_collection", find)
    monkeypatch.setattr(suites, "load_encoder", load)
    return needed


def file_of(cache: Path, name: str = "few") -> Path:
    (path,) = cache.glob(f"{name}-r1-*.safetensors")
    return path


def test_the_bundled_posterior_is_of_the_bundled_encoder(encoder):
    """By which a cache is named without loading the model."""
    assert load_posterior(BUNDLED_POSTERIOR).posterior.encoder_id == encoder.id


def test_a_collection_is_encoded_once(tmp_path, encodings, encoder):
    first = suites.load_collection("few", tmp_path / "deep" / "cache")
    second = suites.load_collection("few", tmp_path / "deep" / "cache")
    assert encodings == ["bundled"]
    assert first.fingerprint() == second.fingerprint()
    assert (first.name, first.role, len(first.pool), len(first.test)) == ("few", "dev", 43, 40)
    assert (first.labels[first.pool] == NO_CLASS).sum() == OUTSIDE
    assert (first.labels[first.test] >= 0).all()
    assert first.encoder_id == encoder.id
    assert first.posterior.encoder_id == encoder.id
    assert [p.name for p in (tmp_path / "deep" / "cache").iterdir()] == [
        f"few-r1-{encoder.id}.safetensors"
    ]
    assert json.loads(json.dumps(first.card))["role"] == "dev"


def test_features_are_those_of_the_encoder_in_the_order_of_the_images(tmp_path, encodings, encoder):
    import PIL.Image

    data = suites.load_collection("few", tmp_path)
    images = FEW.make()
    pixels = [encoder.preprocess(PIL.Image.fromarray(image)) for image in images.test.images]
    wanted = encoder.encode_images(torch.stack(pixels)).activations
    found = data.table.gather(data.test).activations
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)
    assert data.table.hashes == [*images.pool.hashes(), *images.test.hashes()]
    assert data.labels[data.test].tolist() == images.test.labels.tolist()
    prompts = [prompt for label in data.classes.classes for prompt in label.prompts]
    texts = encoder.head.embed_texts(encoder.encode_prompts(prompts))
    means = torch.nn.functional.normalize(texts, dim=-1).reshape(10, 2, -1).mean(dim=1)
    torch.testing.assert_close(
        data.head.embed_texts(data.class_activations), means, rtol=1e-4, atol=1e-4
    )


def test_the_card_knows_the_accuracy_once_it_was_measured(tmp_path, encodings):
    assert suites.card("few", tmp_path).zero_shot_accuracy is None
    data = suites.load_collection("few", tmp_path)
    card = suites.card("few", tmp_path)
    features = data.table.gather(data.test)
    called = data.head.logits(features, data.class_activations).argmax(dim=1)
    right = (called == data.labels[data.test]).double().mean().item()
    assert card.zero_shot_accuracy == pytest.approx(right)
    assert card.zero_shot_balanced == pytest.approx(right)  # the test part is balanced
    assert (card.outside, card.near_duplicates) == (OUTSIDE, 1)


def test_what_the_base_has_is_not_encoded_again(tmp_path, encodings, encoder, monkeypatch):
    suites.load_collection("few", tmp_path)
    monkeypatch.setattr(
        type(encoder), "encode_images", lambda self, pixels: pytest.fail("encoded again")
    )
    data = suites.load_collection("again", tmp_path)
    assert data.role == "report"
    base = suites.load_collection("few", tmp_path)
    everything = torch.arange(len(base.table))
    assert torch.equal(
        data.table.gather(everything).activations, base.table.gather(everything).activations
    )


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.99999])
def test_a_cache_cut_short_is_made_again(tmp_path, encodings, share):
    wanted = suites.load_collection("few", tmp_path).fingerprint()
    path = file_of(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    assert suites.card("few", tmp_path).zero_shot_accuracy is None
    assert suites.load_collection("few", tmp_path).fingerprint() == wanted
    assert len(encodings) == 2
    assert path.stat().st_size == len(whole)


@pytest.mark.parametrize(
    "change",
    [
        lambda known: {"pool_size": 20},
        lambda known: {"classes": known["classes"][::-1]},
        lambda known: {"zero_shot": None},
        lambda known: {"head": [1.0]},
    ],
)
def test_a_cache_that_contradicts_the_card_is_made_again(tmp_path, encodings, change):
    from safetensors import safe_open
    from safetensors.torch import save_file

    wanted = suites.load_collection("few", tmp_path).fingerprint()
    path = file_of(tmp_path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    facts = json.loads(metadata["facts"])
    save_file(tensors, path, {**metadata, "facts": json.dumps({**facts, **change(facts)})})
    assert suites.load_collection("few", tmp_path).fingerprint() == wanted
    assert len(encodings) == 2


NUMBERS = ("activations", "image_projection", "text_projection", "prompt_activations")
INDICES = ("labels", "copy_of", "prompt_classes")


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in NUMBERS for kind in (torch.float16, torch.float64)]
    + [(name, kind) for name in INDICES for kind in (torch.int16, torch.int32)],
)
def test_one_array_of_another_type_fits_all_the_others(tmp_path, encodings, name, kind):
    """The same numbers in another type give the same logits to the bit, from the cache."""
    from safetensors import safe_open
    from safetensors.torch import save_file

    suites.encoded("few", tmp_path)
    path = file_of(tmp_path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    values = tensors[name]
    tensors[name] = values.half().float() if values.is_floating_point() else values
    save_file(tensors, path, metadata)
    wanted = suites.encoded("few", tmp_path)
    save_file({**tensors, name: tensors[name].to(kind)}, path, metadata)
    found = suites.encoded("few", tmp_path)
    assert len(encodings) == 1
    one, other = (x.head.logits(x.features, x.class_activations) for x in (found, wanted))
    assert one.dtype == torch.float32
    assert torch.equal(one, other)
    for field in INDICES:
        assert torch.equal(getattr(found, field), getattr(wanted, field))


def test_an_interrupted_making_leaves_nothing(tmp_path, encodings, monkeypatch):
    def stop(*_: object) -> Features:
        raise KeyboardInterrupt

    monkeypatch.setattr(suites, "_encode", stop)
    with pytest.raises(KeyboardInterrupt):
        suites.load_collection("few", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_features_file_of_it_says_the_same(tmp_path, encodings):
    data = suites.load_collection("few", tmp_path)
    path = tmp_path / "few.npz"
    write_feature_file(path, suites.as_feature_file("few", tmp_path))
    file = read_feature_file(path)
    assert file.role == "dev"
    assert file.labels is not None
    assert file.labels.tolist() == data.labels.tolist()
    assert file.split is not None
    assert [part == "pool" for part in file.split] == [True] * 43 + [False] * 40
    assert list(file.hashes or ()) == data.table.hashes
    torch.testing.assert_close(file.class_activations, data.class_activations)
