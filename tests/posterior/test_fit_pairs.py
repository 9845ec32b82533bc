"""Fits from pairs do not depend on shards, file formats or interruptions."""

import csv
import io
import os
import re
import signal
import tarfile
from dataclasses import dataclass

import PIL.Image
import pytest
import torch

import alworkbench.posterior.fit_pairs as fitting
import alworkbench.posterior.pair_pixels as pair_pixels
import alworkbench.posterior.pair_shards as pair_shards
from alworkbench.core.errors import DataError, EngineError, NothingToImport
from alworkbench.core.progress import silent
from alworkbench.encoders.head import Features, Head
from alworkbench.engines.engine import GroupFailed
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.checkpoints import PartialSums, Shard, key_of
from alworkbench.posterior.curvature import pair_curvature
from alworkbench.posterior.fit_pairs import fit_posterior
from tests.engines.inline_engine import InlineEngine
from tests.factories import generator, normal, small_model

COUNT, BATCH = 50, 6
DEADLY = (13, 13)
"""Size of the picture that ends whoever prepares it."""


@dataclass(frozen=True)
class ToyEncoder:
    """Images by a random projection of their pixels, prompts by their letters."""

    head: Head
    id: str = "toy-0000"
    spec: str = "toy"
    most: float = float("inf")
    """Images that it encodes before it fails."""

    def preprocess(self, image):
        if image.size == DEADLY:
            os.kill(os.getpid(), signal.SIGKILL)
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


def pairs_in(folder, count=COUNT):
    """A table of pictures with captions, and the pictures."""
    rows = []
    for k in range(count):
        pixels = torch.randint(0, 256, (12, 12, 3), generator=generator(k), dtype=torch.uint8)
        PIL.Image.fromarray(pixels.numpy()).save(folder / f"{k}.png")
        rows.append((f"{k}.png", "a caption " * (k % 7) + str(k)))
    with (folder / "pairs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "caption"), *rows])
    return folder / "pairs.csv"


@pytest.fixture
def source(tmp_path):
    return pairs_in(tmp_path)


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(fitting, "SHARD_PAIRS", 12)
    monkeypatch.setattr(pair_shards, "TOWER_ROWS", 4)
    monkeypatch.setattr(pair_pixels, "AHEAD", 5)


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


def as_tar(source, path, caption_of_last=None):
    with source.open(newline="") as file, tarfile.open(path, "w") as opened:
        for k, row in enumerate(csv.DictReader(file)):
            last = caption_of_last is not None and k == COUNT - 1
            for name, content in (
                (f"{k}.png", (source.parent / row["image"]).read_bytes()),
                (f"{k}.txt", (caption_of_last if last else row["caption"]).encode()),
            ):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                opened.addfile(info, io.BytesIO(content))
    return path


def test_a_tar_file_of_pairs_can_be_fitted_and_resumed(encoder, source, tmp_path):
    path = as_tar(source, tmp_path / "pairs.tar")
    unbroken = fit(encoder, path)
    assert unbroken.provenance["pairs"] == COUNT
    count[0] = 0
    with pytest.raises(KeyboardInterrupt):
        fit(ToyEncoder(encoder.head, most=30), path, tmp_path / "posteriors")
    assert same(fit(encoder, path, tmp_path / "posteriors"), unbroken)


# ------------------------------------------------------------------------------------ on an engine


def load_toy():
    return ToyEncoder(small_model(dtype=torch.float32).head)


class Told:
    def __init__(self):
        self.steps = []

    def __call__(self, what, done, total):
        self.steps.append((done, total))


class FailingEngine(InlineEngine):
    """Shards `crash` end their worker unless they are decoded apart; the engine is lost after `most`."""

    def __init__(self, crash=(), most=100):
        super().__init__()
        self.crash, self.most = crash, most

    def map_groups(self, function, shared, groups, *, gpus=0):
        for group in groups:
            if self.groups == self.most:
                raise EngineError("the engine is lost")
            if group.index in self.crash and not group.apart:
                yield GroupFailed(True, "killed")
            else:
                yield from super().map_groups(function, shared, [group], gpus=gpus)


@pytest.fixture
def on(encoder, tmp_path):
    """A fit by an engine, and its fit in this process with one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    folder = tmp_path / "posteriors"
    yield lambda engine, path, **change: fit(
        encoder, path, folder, engine=engine, load=load_toy, **change
    )
    torch.set_num_threads(threads)


def test_an_engine_sums_the_shards_of_one_process(encoder, source, on, tmp_path):
    """It is lost, and the next call sums what is left; from a table and from a stream of pictures."""
    tar = as_tar(source, tmp_path / "pairs.tar", caption_of_last=" ")
    # One pair more than whole batches has no contrast.
    for path, seen, known in ((source, COUNT, COUNT), (tar, COUNT - 1, COUNT - 2)):
        alone, said = fit(encoder, path), Told()
        with pytest.raises(EngineError, match="is lost"):
            on(FailingEngine(most=2), path)
        engine = FailingEngine()
        found = on(engine, path, progress=said)
        assert same(found, alone)
        assert engine.groups == 3
        assert engine.returned / engine.groups < 100
        for name in ("pairs", "ignored", "unreadable"):
            assert found.provenance[name] == alone.provenance[name]
        assert found.provenance["pairs"] == known
        assert said.steps[:3] == [(24, COUNT), (36, COUNT), (48, COUNT)]
        assert said.steps[3:] == [(seen, COUNT), (seen, seen)]
        assert list((tmp_path / "posteriors").glob("*")) == []


def test_a_picture_that_ends_its_worker_is_left_out_and_named(source, on, monkeypatch):
    last = list(open_pairs(source).read(0))[-1].image
    PIL.Image.new("RGB", DEADLY).save(last)
    shards = []
    monkeypatch.setattr(PartialSums, "remove", lambda sums: shards.extend(sums.finished()))
    found = on(FailingEngine(crash=(4,)), source)
    assert (found.provenance["pairs"], found.provenance["unreadable"]) == (COUNT - 2, 1)
    assert re.fullmatch(rf"{last}: the process .* was killed by signal 9 .*", shards[-1].problem)


def test_a_folder_that_workers_do_not_share_is_named(source, on, monkeypatch):
    monkeypatch.setattr(pair_shards, "SEEN_SECONDS", 0.0)
    monkeypatch.setattr(PartialSums, "has", lambda sums, index: False)
    with pytest.raises(EngineError, match="Workers wrote 5 partial sums into"):
        on(FailingEngine(), source)


def test_a_partial_sum_that_gets_lost_is_an_error_and_summed_again(
    encoder, source, on, monkeypatch
):
    known = PartialSums.has

    def lose(sums, index):
        found = known(sums, index)
        if index == 1:
            sums._path(1).unlink()
        return found

    with monkeypatch.context() as patch:
        patch.setattr(PartialSums, "has", lose)
        with pytest.raises(EngineError, match=r"The partial sum 1 of 5 in .* is missing or"):
            on(FailingEngine(), source)
    assert same(on(FailingEngine(), source), fit(encoder, source))
