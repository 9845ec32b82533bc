"""A sealed file is an ordinary safetensors file, and no flipped bit of it passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from alworkbench.core.sealed_tensors import SEAL, check_seal, sealed

TENSORS = {
    "b": torch.arange(6.0).reshape(2, 3),
    "a": torch.tensor([1, 2, 3]),
    "none": torch.zeros(0),
}
METADATA = {"format": "toy-1", "names": json.dumps(["ä", "b"])}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sealed")


def test_it_is_read_like_any_other_file(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    path.write_bytes(sealed(TENSORS, METADATA))
    assert check_seal(path)
    found = load_file(path)
    assert all(torch.equal(found[name], values) for name, values in TENSORS.items())
    with safe_open(path, framework="pt") as file:
        assert {k: v for k, v in file.metadata().items() if k != SEAL} == METADATA


def test_an_older_file_has_no_seal(tmp_path: Path) -> None:
    path = tmp_path / "toy.safetensors"
    save_file(TENSORS, path, METADATA)
    assert not check_seal(path)
    save_file(TENSORS, path)
    assert not check_seal(path)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_a_flipped_bit_is_found_or_changes_nothing(folder: Path, data: st.DataObject) -> None:
    """The bits of the key of the digest are the only ones that a reader may not notice."""
    good = sealed(TENSORS, METADATA)
    at, bit = data.draw(st.integers(0, len(good) - 1)), data.draw(st.integers(0, 7))
    flipped = bytearray(good)
    flipped[at] ^= 1 << bit
    path = folder / "flipped.safetensors"
    path.write_bytes(flipped)
    try:
        with_digest = check_seal(path)
        found = load_file(path)
    except (ValueError, SafetensorError):
        return
    assert not with_digest
    keys = [good.index(key) for key in (b"sha256", b"__metadata__")]
    assert any(start <= at < start + 12 for start in keys)
    assert set(found) >= set(TENSORS)
    assert all(torch.equal(found[name], values) for name, values in TENSORS.items())


@pytest.mark.parametrize("data", [b"", b"\0" * 8, b"\xff" * 40, b"\2" + b"\0" * 7 + b"[]", b"text"])
def test_what_is_no_such_file_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "toy.safetensors"
    path.write_bytes(data)
    with pytest.raises(ValueError, match="header cannot be read"):
        check_seal(path)
