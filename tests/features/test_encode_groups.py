"""Encoding on an engine gives the features of one process, and no single file stops it."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image

from alworkbench.core.errors import EngineError
from alworkbench.engines.engine import Engine
from alworkbench.engines.local_engine import LocalEngine
from alworkbench.features.encode import encode_images
from alworkbench.features.encode_groups import ATTEMPTS, encode_on
from alworkbench.features.store import FeatureStore
from tests.features.test_encode import PREPROCESS, FakeEncoder, everything, picture, planned, same

DEADLY = (13, 13)
"""Size of the picture that ends whoever prepares it."""


def fragile(image: Image.Image) -> torch.Tensor:
    if image.size == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    return PREPROCESS(image)


def load_fragile() -> FakeEncoder:
    return FakeEncoder(fragile)


@pytest.fixture
def plan(tmp_path: Path) -> list[tuple[str, Path]]:
    files = {f"{n:02d}.png": picture(n) for n in range(38)}
    files["20-broken.png"] = b"no picture"
    Image.new("RGB", DEADLY).save(tmp_path / "deadly.png")
    files["21-deadly.png"] = (tmp_path / "deadly.png").read_bytes()
    return planned(tmp_path / "images", dict(sorted(files.items())))


def on(engine: Engine, plan: list[tuple[str, Path]], store: FeatureStore, told: list[int]) -> tuple:
    done = encode_on(
        engine,
        load_fragile,
        "fake",
        plan,
        store,
        batch_size=4,
        group_images=16,
        progress=lambda what, seen, total: told.append(seen),
    )
    return done.encoded, done.quarantined, done.known


def test_an_engine_encodes_as_one_process_does(tmp_path: Path, plan) -> None:
    """One picture is broken, one ends its worker; shards are lost, and the next call makes them again."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    alone, store = FeatureStore(tmp_path / "alone"), FeatureStore(tmp_path / "engine")
    encode_images(load_fragile(), plan, alone, batch_size=4, workers=1)
    torch.set_num_threads(before)

    engine, told = LocalEngine(2), []
    assert on(engine, plan, store, told) == (38, 2, 0)
    assert told == [0, 16, 24, 40]  # the group with the deadly picture comes last
    assert store.open_table().hashes == alone.open_table().hashes
    assert same(
        everything(store, [p for p in plan if p[0] in store.open_table().rows_by_hash()]),
        everything(alone, [p for p in plan if p[0] in alone.open_table().rows_by_hash()]),
    )
    codes = {content: file.code for content, file in store.refused().items()}
    assert codes == {content: file.code for content, file in alone.refused().items()}
    assert not (store.folder / ATTEMPTS).exists()

    shutil.rmtree(store.folder / "00002")
    assert on(engine, plan, store, []) == (8, 0, 32)
    assert store.open_table().hashes == alone.open_table().hashes
    assert on(engine, plan, store, []) == (0, 0, 40)


def test_other_weights_on_a_worker_are_refused(tmp_path: Path, plan) -> None:
    with pytest.raises(EngineError, match="The project's features"):
        encode_on(LocalEngine(1), FakeEncoder, "other", plan, FeatureStore(tmp_path), batch_size=64)
    assert FeatureStore(tmp_path).settled() == set()
