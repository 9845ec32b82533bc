"""The reader of Fashion-MNIST files: what it reads and what it refuses."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from alworkbench.core.errors import UnreadableSource
from alworkbench.datasets.fashion_mnist import DEFAULT_FOLDER, load_fashion_mnist

needs_files = pytest.mark.skipif(
    not DEFAULT_FOLDER.is_dir(), reason="Fashion-MNIST is not installed (dataset-fashion-mnist)"
)
TRAIN_IMAGES = "train-images-idx3-ubyte.gz"
HEADER = bytes.fromhex("00000803" + "0000ea60" + "0000001c" + "0000001c")


@needs_files
def test_the_published_files_hold_6000_and_1000_of_each_class():
    data = load_fashion_mnist()
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert (np.bincount(data.train_labels) == 6000).all()
    assert (np.bincount(data.test_labels) == 1000).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (lambda: None, "does not exist"),
        (lambda: b"no gzip at all", "gzip"),
        (lambda: gzip.compress(HEADER + bytes(60_000 * 784))[:-200], "end-of-stream"),
        (lambda: gzip.compress(HEADER + bytes(784)), "less than"),
        (lambda: gzip.compress(HEADER + bytes(60_000 * 784 + 1)), "more than"),
        (lambda: gzip.compress(bytes.fromhex("00000801") + bytes(20)), "header"),
        (lambda: gzip.compress(b""), "header"),
    ],
    ids=["none", "plain", "cut", "short", "long", "other", "empty"],
)
def test_other_content_is_refused_with_the_command_that_installs_the_files(
    tmp_path: Path, content: Callable[[], bytes | None], said: str
):
    if (written := content()) is not None:
        (tmp_path / TRAIN_IMAGES).write_bytes(written)
    with pytest.raises(UnreadableSource, match=said) as refused:
        load_fashion_mnist(tmp_path)
    assert "apt-get install dataset-fashion-mnist" in str(refused.value)
