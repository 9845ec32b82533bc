"""Fits from pairs do not depend on shards, file formats or interruptions."""

import csv
import io
import os
import tarfile
from dataclasses import dataclass

import PIL.Image
import pytest
import torch

import alworkbench.posterior.fit_pairs as fitting
from alworkbench.core.errors import DataError, NothingToImport
from alworkbench.core.progress import silent
from alworkbench.encoders.head import Features, Head
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.checkpoints import PartialSums, Shard, key_of
from alworkbench.posterior.curvature import pair_curvature
from alworkbench.posterior.fit_pairs import fit_posterior
from tests.factories import generator, normal, small_model

COUNT, BATCH = 50, 6


@dataclass(frozen=True)
class ToyEncoder:
    """Images by a random projection of their pixels, prompts by their letters."""

    head: Head
    id: str = "toy-0000"
    spec: str = "toy"
    most: float = float("inf")
    """Images that it encodes before it fails."""

    def preprocess(self, image):
        values = torch.tensor(list(image.tobytes()), dtype=torch.float32)
        return values.reshape(12, 12, 3).permute(2, 0, 1) / 255

    def encode_images(self, pixels):
        count[0] += len(pixels)
        if count[0] > self.most:
            raise KeyboardInterrupt
        return Features(pixels.flatten(1) @ normal(21, 432, 7, dtype=torch.float32))

    def encode_prompts(self, prompts, batch_size=256):
        return torch.cat(
            [normal(sum(map(ord, text)), 1, 6, dtype=torch.float32) for text in prompts]
        )


count = [0]


@pytest.fixture
def encoder():
    count[0] = 0
    return ToyEncoder(small_model(dtype=torch.float32).head)


@pytest.fixture
def source(tmp_path):
    rows = []
    for k in range(COUNT):
        pixels = torch.randint(0, 256, (12, 12, 3), generator=generator(k), dtype=torch.uint8)
        PIL.Image.fromarray(pixels.numpy()).save(tmp_path / f"{k}.png")
        rows.append((f"{k}.png", "a caption " * (k % 7) + str(k)))
    with (tmp_path / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return tmp_path / "pairs.csv"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(fitting, "SHARD_PAIRS", 12)
    monkeypatch.setattr(fitting, "TOWER_ROWS", 4)
    monkeypatch.setattr(fitting, "AHEAD", 5)


def fit(encoder, path, partial=None, progress=silent, **change):
    given = {"batch": BATCH, "seed": 0, "progress": progress, "partial": partial} | change
    return fit_posterior(encoder, open_pairs(path), **given)


def tensors(found):
    sides = (found.posterior.image, found.posterior.text)
    return [
        t
        for s in sides
        for t in (
            s.activation.values,
            s.activation.vectors,
            s.embedding.values,
            s.embedding.vectors,
        )
    ]


def same(one, other):
    equal = all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))
    return equal and one.posterior.image.pairs == other.posterior.image.pairs


def test_batches_add_up_to_the_curvature_of_all_pairs(encoder, source):
    """Decoding, batching and shards change nothing: the factors are those of all pairs at hand."""
    found = fit(encoder, source)
    features, texts = [], []
    for pair in open_pairs(source).read(0):
        features.append(encoder.encode_images(encoder.preprocess(PIL.Image.open(pair.image))[None]))
        texts.append(encoder.encode_prompts([pair.caption]))
    head = encoder.head
    direct = pair_curvature(head, Features.concatenate(features), torch.cat(texts), batch=BATCH)
    for factor, spectrum in (
        (direct.image.activation, found.posterior.image.activation),
        (direct.image.embedding, found.posterior.image.embedding),
        (direct.text.activation, found.posterior.text.activation),
        (direct.text.embedding, found.posterior.text.embedding),
    ):
        scale = float(factor.abs().max())
        torch.testing.assert_close(spectrum.dense(), factor, rtol=0, atol=2e-5 * scale)
    assert found.provenance["pairs"] == COUNT


@pytest.mark.parametrize("after", [1, 13, 24, 40])
def test_an_interrupted_fit_continues_and_gives_the_same_bits(encoder, source, tmp_path, after):
    unbroken = fit(encoder, source)
    count[0] = 0
    partial = tmp_path / "posteriors"
    with pytest.raises(KeyboardInterrupt):
        fit(ToyEncoder(encoder.head, most=after), source, partial)
    kept = len(list(partial.glob("partial-*/*.safetensors")))
    assert kept == max(0, (after // 4 * 4) // 12)
    count[0] = 0
    said = []
    resumed = fit(encoder, source, partial, lambda *told: said.append(told))
    assert count[0] == COUNT - 12 * kept  # what was finished is not encoded again
    assert said[0] == ("summing curvature", 12 * kept, COUNT)
    assert said[-1] == ("summing curvature", COUNT, COUNT)
    assert same(resumed, unbroken)
    assert list(partial.glob("*")) == []


def test_a_damaged_shard_is_computed_again(encoder, source, tmp_path):
    unbroken = fit(encoder, source)
    partial = tmp_path / "posteriors"
    count[0] = 0
    with pytest.raises(KeyboardInterrupt):
        fit(ToyEncoder(encoder.head, most=40), source, partial)
    shards = sorted(partial.glob("partial-*/*.safetensors"))
    assert len(shards) == 3
    shards[1].write_bytes(shards[1].read_bytes()[:-9])
    count[0] = 0
    assert same(fit(encoder, source, partial), unbroken)
    assert count[0] == COUNT - 12


def test_other_arguments_have_other_partial_sums(source):
    other = source.parent / "other.csv"
    other.write_bytes(source.read_bytes())
    keys = {
        key_of("a", [source], 6, 0),
        key_of("b", [source], 6, 0),
        key_of("a", [other], 6, 0),
        key_of("a", [source], 7, 0),
        key_of("a", [source], 6, 1),
    }
    assert len(keys) == 5
    os.utime(source, ns=(1, 1))
    assert key_of("a", [source], 6, 0) not in keys


def test_the_size_of_shards_does_not_change_the_sums(tmp_path):
    model = small_model(images=12)
    parts = [
        pair_curvature(model.head, model.images[s], model.texts[s], batch=3)
        for s in (slice(0, 3), slice(3, 6), slice(6, 12))
    ]
    a, b, c = parts
    whole = pair_curvature(model.head, model.images, model.texts, batch=3)
    for total in ((a + b) + c, a + (b + c), (c + a) + b):
        for side in ("image", "text"):
            one, other = getattr(total, side), getattr(whole, side)
            torch.testing.assert_close(one.activation, other.activation, rtol=1e-12, atol=1e-10)
            torch.testing.assert_close(one.embedding, other.embedding, rtol=1e-12, atol=1e-10)
            assert one.pairs == other.pairs
    sums = PartialSums(tmp_path / "partial", model.head)
    for k, part in enumerate(parts):
        sums.save(k, Shard(part, 3, k))
    kept = list(sums.finished())
    assert [shard.unreadable for shard in kept] == [0, 1, 2]
    for shard, part in zip(kept, parts, strict=True):
        assert torch.equal(shard.factors.image.embedding, part.image.embedding)
        assert torch.equal(shard.factors.text.activation, part.text.activation)


def test_pairs_without_a_readable_image_are_left_out_and_counted(encoder, source):
    whole = fit(encoder, source)
    (source.parent / "3.png").write_bytes(b"no picture")
    (source.parent / "4.png").unlink()
    (source.parent / "5.png").unlink()
    (source.parent / "5.png").mkdir()
    found = fit(encoder, source)
    assert found.provenance["unreadable"] == 3
    assert found.provenance["pairs"] == found.posterior.text.pairs == COUNT - 3
    assert not same(found, whole)


def test_no_readable_pair_is_an_error_with_the_reason(encoder, source):
    for k in range(COUNT):
        (source.parent / f"{k}.png").unlink()
    with pytest.raises(DataError, match=r"there is no file .*\.png"):
        fit(encoder, source)
    source.write_text("image,caption\n0.png,alone\n")
    with pytest.raises(NothingToImport, match="holds 1 pairs"):
        fit(encoder, source)


def test_a_tar_file_of_pairs_can_be_fitted_and_resumed(encoder, source, tmp_path):
    path = tmp_path / "pairs.tar"
    with source.open(newline="") as file, tarfile.open(path, "w") as opened:
        for k, row in enumerate(csv.DictReader(file)):
            for name, content in (
                (f"{k}.png", (source.parent / row["image"]).read_bytes()),
                (f"{k}.txt", row["caption"].encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
    unbroken = fit(encoder, path)
    assert unbroken.provenance["pairs"] == COUNT
    count[0] = 0
    with pytest.raises(KeyboardInterrupt):
        fit(ToyEncoder(encoder.head, most=30), path, tmp_path / "posteriors")
    assert same(fit(encoder, path, tmp_path / "posteriors"), unbroken)
