"""Encoding is complete, ordered, resumable, and not stopped by any single file."""

from __future__ import annotations

import hashlib
import io
import os
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import EncoderError, FeaturesLocked
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.head import Features, Head
from alworkbench.encoders.preprocessing import Preprocess
from alworkbench.features.decode import Task, decode_here
from alworkbench.features.encode import EncodeSummary, choose_workers, encode_images
from alworkbench.features.store import FeatureStore
from alworkbench.features.writer import ShardBudget

PREPROCESS = Preprocess((8, 8), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25))
WEIGHTS = torch.randn(12, 192, generator=torch.Generator().manual_seed(0)) / 14


class FakeEncoder:
    """A linear tower whose answer hangs on the whole batch, as that of real kernels may."""

    id, spec = "fake", "fake"
    device = torch.device("cpu")
    head = Head(torch.eye(4, 12), torch.eye(4, 5), 10.0)

    def __init__(self, preprocess: Callable[[Image.Image], torch.Tensor] = PREPROCESS) -> None:
        self.preprocess = preprocess
        self.batches: list[int] = []

    def encode_images(self, pixels: torch.Tensor) -> Features:
        self.batches.append(len(pixels))
        flat = pixels.flatten(1)
        return Features((flat - flat.mean(dim=0) / 2) @ WEIGHTS.T, flat[:, :4])

    def encode_prompts(self, prompts: Sequence[str], batch_size: int = 256) -> torch.Tensor:
        return torch.ones(len(prompts), 5)


def picture(seed: int, kind: str = "PNG") -> bytes:
    noise = torch.randint(256, (9, 11, 3), generator=torch.Generator().manual_seed(seed))
    buffer = io.BytesIO()
    Image.fromarray(noise.to(torch.uint8).numpy()).save(buffer, kind)
    return buffer.getvalue()


def planned(folder: Path, files: dict[str, bytes]) -> list[tuple[str, Path]]:
    """The files on disk, and the plan to encode them."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = []
    for name, data in files.items():
        (folder / name).write_bytes(data)
        plan.append((hashlib.sha256(data).hexdigest(), folder / name))
    return plan


def everything(store: FeatureStore, plan: Sequence[tuple[str, Path]]) -> Features:
    table = store.open_table()
    return table.gather(table.rows_of([content for content, _ in plan]))


def same(one: Features, other: Features) -> bool:
    assert one.residuals is not None
    assert other.residuals is not None
    return torch.equal(one.activations, other.activations) and torch.equal(
        one.residuals, other.residuals
    )


@pytest.fixture
def plan(tmp_path: Path) -> list[tuple[str, Path]]:
    return planned(tmp_path / "images", {f"{n}.png": picture(n) for n in range(50)})


def test_the_fake_encoder_satisfies_the_protocol():
    assert isinstance(FakeEncoder(), Encoder)


def test_every_image_gets_its_own_features(tmp_path: Path, plan):
    store, encoder = FeatureStore(tmp_path / "f"), FakeEncoder()
    calls: list[tuple[str, int, int]] = []
    summary = encode_images(
        encoder, plan, store, batch_size=8, progress=lambda *call: calls.append(call)
    )
    assert (summary.encoded, summary.quarantined, summary.known) == (50, 0, 0)
    assert encoder.batches == [8] * 6 + [2]
    assert store.open_table().hashes == [content for content, _ in plan]
    pixels = torch.stack([PREPROCESS(Image.open(path)) for _, path in plan])
    found = everything(store, plan)
    assert found.residuals is not None
    assert torch.equal(found.residuals, pixels.flatten(1)[:, :4].half().float())
    assert calls == [("encoding images", n, 50) for n in (0, 8, 16, 24, 32, 40, 48, 50)]
    again = encode_images(encoder, plan, store, batch_size=8)
    assert (again.encoded, again.known) == (0, 50)
    assert len(encoder.batches) == 7


@pytest.mark.parametrize("seed", range(6))
def test_an_interrupted_run_ends_with_the_same_bytes(tmp_path: Path, plan, seed: int):
    """Interrupt after any batch and lose whole shards, any number of times."""
    whole, broken = FeatureStore(tmp_path / "whole"), FeatureStore(tmp_path / "broken")
    encode_images(FakeEncoder(), plan, whole, batch_size=4)
    chance, interruptions = random.Random(seed), 0

    def interrupt(what: str, done: int, total: int) -> None:
        if done and interruptions < 6 and chance.random() < 0.4:
            raise KeyboardInterrupt

    while len(broken.settled()) < len(plan):
        try:
            encode_images(
                FakeEncoder(),
                plan,
                broken,
                batch_size=4,
                budget=ShardBudget(rows=chance.choice([1, 8, 20])),
                progress=interrupt,
            )
        except KeyboardInterrupt:
            interruptions += 1
            shards = sorted((tmp_path / "broken").glob("0*"))
            if shards and chance.random() < 0.5:  # as if killed before the last file was there
                (shards[-1] / "DONE.json").unlink()
    assert interruptions
    assert same(everything(whole, plan), everything(broken, plan))


def test_unreadable_files_are_quarantined_and_all_others_are_encoded(tmp_path: Path):
    files = {f"{n}.png": picture(n) for n in range(10)}
    files["junk.png"] = b"junk"
    files["cut.png"] = picture(20)[:-40]
    files["strip.png"] = files["changed.png"] = b""
    buffer = io.BytesIO()
    Image.new("L", (3000, 2)).save(buffer, "PNG")
    files["strip.png"] = buffer.getvalue()
    files["changed.png"], files["gone.png"] = picture(30), picture(31)
    plan = planned(tmp_path / "images", files)
    (tmp_path / "images" / "changed.png").write_bytes(picture(32))
    (tmp_path / "images" / "gone.png").unlink()
    store = FeatureStore(tmp_path / "f")
    summary = encode_images(FakeEncoder(), plan, store, batch_size=4)
    assert (summary.encoded, summary.quarantined) == (10, 5)
    assert {Path(q.path).name: q.code for q in store.quarantined()} == {
        "junk.png": QuarantineCode.UNIDENTIFIED,
        "cut.png": QuarantineCode.TRUNCATED,
        "strip.png": QuarantineCode.BOMB,
        "changed.png": QuarantineCode.IO,
        "gone.png": QuarantineCode.IO,
    }
    assert "changed on disk" in [q.detail for q in store.quarantined()][3]
    # What is mended is encoded; what cannot be is not looked at again.
    for name in ("changed.png", "gone.png"):
        (tmp_path / "images" / name).write_bytes(files[name])
    again = encode_images(FakeEncoder(), plan, store, batch_size=4)
    assert (again.encoded, again.quarantined, again.known) == (2, 0, 13)
    assert len(store.quarantined()) == 3


def test_a_value_too_large_for_fp16_is_quarantined_or_kept_as_fp32(tmp_path: Path, plan):
    class Loud(FakeEncoder):
        def encode_images(self, pixels: torch.Tensor) -> Features:
            found = super().encode_images(pixels)
            found.activations[0] *= 1e6
            return found

    store = FeatureStore(tmp_path / "half")
    summary = encode_images(Loud(), plan, store, batch_size=25)
    assert (summary.encoded, summary.quarantined) == (48, 2)
    store = FeatureStore(tmp_path / "full")
    summary = encode_images(Loud(), plan, store, batch_size=25, dtype=torch.float32)
    assert summary.encoded == 50


@pytest.mark.parametrize("broken", [[0], [3, 7], list(range(50))])
def test_an_embedding_without_a_direction_is_set_aside_and_all_others_stay(
    tmp_path: Path, plan, broken: list[int]
):
    class Silent(FakeEncoder):
        seen = 0

        def encode_images(self, pixels: torch.Tensor) -> Features:
            found = super().encode_images(pixels)
            assert found.residuals is not None
            for row in range(len(pixels)):
                if self.seen + row in broken:
                    found.activations[row] = 0
                    found.residuals[row] = 0
            self.seen += len(pixels)
            return found

    whole, store = FeatureStore(tmp_path / "whole"), FeatureStore(tmp_path / "silent")
    encode_images(FakeEncoder(), plan, whole, batch_size=8)
    summary = encode_images(Silent(), plan, store, batch_size=8)
    assert (summary.encoded, summary.quarantined) == (50 - len(broken), len(broken))
    refused = store.open_table().quarantined()
    assert set(refused) == {plan[row][0] for row in broken}
    kept = [each for row, each in enumerate(plan) if row not in broken]
    assert same(everything(store, kept), everything(whole, kept)) if kept else True
    assert encode_images(FakeEncoder(), plan, store, batch_size=8).encoded == 0


def test_a_full_device_memory_is_reported_and_finished_features_are_kept(tmp_path: Path, plan):
    class Small(FakeEncoder):
        def encode_images(self, pixels: torch.Tensor) -> Features:
            if len(self.batches) == 3:
                raise torch.OutOfMemoryError("too much")
            return super().encode_images(pixels)

    store = FeatureStore(tmp_path / "f")
    with pytest.raises(EncoderError, match="--batch 4"):
        encode_images(Small(), plan, store, batch_size=8)
    assert len(store.open_table()) == 24


def test_two_runs_at_once_are_refused(tmp_path: Path, plan):
    store = FeatureStore(tmp_path / "f")
    with store.writer(), pytest.raises(FeaturesLocked):
        encode_images(FakeEncoder(), plan, store)


def test_no_more_images_are_decoded_ahead_than_allowed(plan):
    decoded = 0

    def counting(image: Image.Image) -> torch.Tensor:
        nonlocal decoded
        decoded += 1
        return PREPROCESS(image)

    tasks = [Task(content, str(path)) for content, path in plan]
    results = decode_here(counting, tasks, threads=2, ahead=5)
    assert next(results).entry.hash == tasks[0].hash
    results.close()
    assert decoded <= 5 + 1


def test_workers_start_only_for_enough_images():
    assert choose_workers(0.0003, 4000, 2) == 0  # the bundled sample
    assert choose_workers(0.0003, 4000, 64) == 0
    assert choose_workers(0.01, 100_000, 1) == 0  # the one processor is the tower's
    assert choose_workers(0.01, 100_000, 2) == 0  # threads use the other one as well
    assert choose_workers(0.01, 100_000, 8) == 7
    assert choose_workers(0.01, 100_000, 64) == 16
    for images in (10, 1000, 100_000):
        assert choose_workers(0.01, images, 8) <= images * 0.01 / 10


# ---------------------------------------------------------------------------------- worker processes

HOSTILE_DECODER = """
import os, time
from dataclasses import dataclass
from alworkbench.encoders.preprocessing import Preprocess

@dataclass(frozen=True)
class Hostile:
    inner: Preprocess

    def __call__(self, image):
        if image.size == (5, 5):
            os._exit(3)
        if image.size == (6, 6):
            time.sleep(60)
        return self.inner(image)
"""


def square(side: int, shade: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (side, side), shade).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A preprocessing that ends its process for one picture and hangs for another."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "hostile_decoder.py").write_text(HOSTILE_DECODER)
    monkeypatch.syspath_prepend(tmp_path / "modules")
    import hostile_decoder  # type: ignore[import-not-found]

    return hostile_decoder.Hostile(PREPROCESS)


def test_a_crash_or_a_hang_costs_one_image(tmp_path: Path, hostile):
    files = {f"{n}.png": picture(n) for n in range(30)}
    names = list(files)
    files |= {"crash.png": square(5), "hang.png": square(6), "junk.png": b"junk"}
    order = [*names[:3], "crash.png", *names[3:13], "hang.png", "junk.png", *names[13:]]
    plan = planned(tmp_path / "images", {name: files[name] for name in order})
    store = FeatureStore(tmp_path / "apart")
    summary = encode_images(FakeEncoder(hostile), plan, store, workers=2, batch_size=4, timeout=2.0)
    assert summary == EncodeSummary(30, 3, 0, 2, summary.seconds)
    assert {Path(q.path).name: q.code for q in store.quarantined()} == {
        "crash.png": QuarantineCode.CRASH,
        "hang.png": QuarantineCode.TIMEOUT,
        "junk.png": QuarantineCode.UNIDENTIFIED,
    }
    assert "exit status 3" in store.quarantined()[0].detail
    # The good ones are what threads make of them, in the same order, to the last bit.
    bad = {"crash.png", "hang.png"}
    for _, path in plan:
        if path.name in bad:
            path.write_bytes(b"now junk, so that threads survive it")
    here = FeatureStore(tmp_path / "here")
    encode_images(FakeEncoder(), plan, here, workers=0, batch_size=4)
    good = [(content, path) for content, path in plan if path.name in names]
    assert same(everything(store, good), everything(here, good))
    assert store.open_table().hashes == here.open_table().hashes


def test_an_interrupted_run_leaves_no_worker_process(tmp_path: Path, plan):
    psutil = pytest.importorskip("psutil")

    def interrupt(what: str, done: int, total: int) -> None:
        if done == 8:
            raise KeyboardInterrupt

    store = FeatureStore(tmp_path / "f")
    with pytest.raises(KeyboardInterrupt):
        encode_images(FakeEncoder(), plan, store, workers=1, batch_size=8, progress=interrupt)
    children = psutil.Process().children()
    assert not [c for c in children if "alworkbench.features.decode" in " ".join(c.cmdline())]
    assert len(store.open_table()) == 8


class EndsAtTheStart:
    """A preprocessing at which the process that unpickles it ends."""

    def __call__(self, image: Image.Image) -> torch.Tensor:
        return PREPROCESS(image)

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (7,)


def test_a_worker_that_ends_at_its_start_ends_the_run_with_a_message(tmp_path: Path, plan):
    with pytest.raises(EncoderError, match=r"ended with exit status 7\. .*--workers 0"):
        encode_images(FakeEncoder(EndsAtTheStart()), plan, FeatureStore(tmp_path / "f"), workers=1)


def test_workers_that_always_crash_end_the_run_with_the_reason(
    tmp_path: Path, hostile, monkeypatch: pytest.MonkeyPatch
):
    """Otherwise a machine without memory would quarantine the whole pool."""
    plan = planned(tmp_path / "images", {f"{n}.png": square(5, n) for n in range(8)})
    store = FeatureStore(tmp_path / "f")
    monkeypatch.setattr("alworkbench.features.decode_workers.MAX_CRASHES_IN_A_ROW", 2)
    with pytest.raises(EncoderError, match="2 images in a row"):
        encode_images(FakeEncoder(hostile), plan, store, workers=1)
    shutil.rmtree(tmp_path / "modules")  # the workers cannot import their preprocessing
    with pytest.raises(EncoderError, match="hostile_decoder"):
        encode_images(FakeEncoder(hostile), plan, store, workers=1)
    assert store.settled() == set()
