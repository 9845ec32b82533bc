"""The bundled sample matches its card."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import re
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from alworkbench.core.assets import SAMPLE_FOLDER
from alworkbench.datasets.cards import long_tail
from alworkbench.datasets.fashion_mnist import CLASS_NAMES, DEFAULT_FOLDER, load_fashion_mnist
from alworkbench.datasets.make_sample import POOL_ROWS, SEED, choose, make_sample, write_archive
from alworkbench.datasets.sample import (
    BY_FREQUENCY,
    POOL,
    SAMPLE,
    TEST,
    UNKNOWN_TO_BUNDLED_MODEL,
    bundled_sample,
)


@pytest.fixture(scope="module")
def archive():
    with zipfile.ZipFile(bundled_sample()) as opened:
        yield opened


@pytest.fixture(scope="module")
def manifest(archive: zipfile.ZipFile) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))


def test_the_archive_is_small_and_matches_its_manifest(archive, manifest):
    assert bundled_sample().stat().st_size <= 3_000_000
    names = [name for name in archive.namelist() if name not in ("manifest.csv", "LICENSE.txt")]
    assert names == [row["path"] for row in manifest]
    for row in manifest:
        data = archive.read(row["path"])
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        with Image.open(io.BytesIO(data)) as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (28, 28))


def test_class_counts_are_those_of_the_card(manifest):
    for part in (POOL, TEST):
        found = Counter(row["label"] for row in manifest if row["split"] == part)
        assert found == SAMPLE.sizes[part]
    assert SAMPLE.images(POOL) == 3000
    assert set(SAMPLE.sizes[TEST].values()) == {100}
    assert SAMPLE.imbalance == pytest.approx(20, abs=0.5)
    ranks = {BY_FREQUENCY.index(name) + 1 for name in UNKNOWN_TO_BUNDLED_MODEL}
    assert min(ranks) > len(BY_FREQUENCY) / 2


def test_no_picture_occurs_twice(archive, manifest):
    """No two files share bytes or pixels, within a part or across parts."""
    pixels = set()
    for row in manifest:
        with Image.open(io.BytesIO(archive.read(row["path"]))) as picture:
            pixels.add(picture.tobytes())
    assert len(pixels) == len({row["sha256"] for row in manifest}) == len(manifest) == 4000


def test_paths_do_not_reveal_the_class(manifest):
    """Names are numbers, and the classes along them are shuffled."""
    for part in (POOL, TEST):
        rows = [row for row in manifest if row["split"] == part]
        for number, row in enumerate(rows, 1):
            assert re.fullmatch(rf"{part}/0*{number}\.png", row["path"])
        labels = [row["label"] for row in rows]
        same = sum(a == b for a, b in itertools.pairwise(labels)) / len(rows)
        expected = sum((n / len(rows)) ** 2 for n in Counter(labels).values())
        assert same == pytest.approx(expected, abs=0.05)


def test_card_and_licence_are_beside_the_archive():
    card = (SAMPLE_FOLDER / "CARD.md").read_text()
    assert hashlib.sha256(bundled_sample().read_bytes()).hexdigest() in card
    for name, size in SAMPLE.sizes[POOL].items():
        known = "no" if name in UNKNOWN_TO_BUNDLED_MODEL else "yes"
        assert f"| {name} | {size} | 100 | {known} |" in card
    licence = (SAMPLE_FOLDER / "LICENSE-Fashion-MNIST.txt").read_text()
    assert "Zalando SE" in licence
    assert "Permission is hereby granted" in licence


@pytest.mark.skipif(not DEFAULT_FOLDER.is_dir(), reason="Fashion-MNIST is not installed")
def test_the_sample_is_reproducible_and_uses_no_training_rows(tmp_path: Path, archive, manifest):
    data = load_fashion_mnist()
    files = choose(data, SEED)
    assert [(f.path, f.class_name, f.part) for f in files] == [
        (row["path"], row["label"], row["split"]) for row in manifest
    ]
    kept_for_training = {image.tobytes() for image in data.train_images[POOL_ROWS:]}
    for file in files:
        # Pixels, not bytes: another zlib may pack the same picture otherwise.
        with Image.open(io.BytesIO(archive.read(file.path))) as picture:
            pixels = np.asarray(picture).tobytes()
        with Image.open(io.BytesIO(file.png)) as picture:
            assert np.asarray(picture).tobytes() == pixels
        assert pixels not in kept_for_training
    write_archive(files[:50], tmp_path / "one.zip")
    write_archive(files[:50], tmp_path / "two.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    made = make_sample(data, tmp_path / "made")
    assert {path.name for path in made.parent.iterdir()} == {
        p.name for p in SAMPLE_FOLDER.iterdir()
    }


@settings(deadline=None, derandomize=True)
@given(
    total=st.integers(1, 5000),
    classes=st.integers(2, 30),
    imbalance=st.floats(1, 100, allow_nan=False),
)
def test_a_long_tail_has_the_right_total_and_never_rises(
    total: int, classes: int, imbalance: float
):
    sizes = long_tail(total, classes, imbalance)
    assert sum(sizes) == total
    assert all(a >= b - 1 for a, b in itertools.pairwise(sizes))  # up to rounding
    assert len(sizes) == classes
    assert set(BY_FREQUENCY) == set(CLASS_NAMES)
