"""Every number type and memory layout of numpy is read exactly, or refused in one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.features.feature_file_io import read_feature_file
from tests.features.test_feature_file import N, arrays, everything, saved

LAYOUTS = {
    "as it is": lambda values: values,
    "Fortran order": np.asfortranarray,
    "every second element": lambda values: np.repeat(values, 2, axis=-1)[..., ::2],
    "backwards": lambda values: np.ascontiguousarray(values[..., ::-1])[..., ::-1],
    "read-only": lambda values: np.frombuffer(values.tobytes(), values.dtype).reshape(values.shape),
}
FLOATS = [name for name, value in everything().items() if value.dtype.kind == "f"]
READ = ("<f2", ">f2", "<f4", ">f4", "<f8", ">f8")
INTEGERS = [name for name, value in everything().items() if value.dtype.kind == "i"]
READ_INTEGERS = ("i1", "u1", "<i2", ">i2", "<u2", "<i4", ">u4", "<i8", ">i8", "<u8", ">u8")
REFUSED = ("?", "c8", "c16", "g", "U4", "S4", "M8[s]", "m8[s]", "V2", "V4", "O")
CASES = [
    *((name, kind, True) for name in FLOATS for kind in READ),
    *((name, kind, False) for name in FLOATS for kind in (*REFUSED, "i1", "<i4", "<u8")),
    *((name, kind, True) for name in INTEGERS for kind in READ_INTEGERS),
    *((name, kind, False) for name in INTEGERS for kind in (*REFUSED, "<f2", "<f4", ">f8")),
]


def converted(values: np.ndarray, kind: str) -> np.ndarray:
    """The values in this type; types that hold no numbers get elements of their own."""
    if kind[0] in "VO":
        return np.zeros(values.shape, kind)
    return values.astype(kind)


def read_back(path: Path, name: str) -> torch.Tensor | float:
    file = read_feature_file(path)
    assert file.pairs is not None
    return {
        "activations": file.features.activations,
        "residuals": file.features.residuals,
        "projection": file.head.image_projection,
        "text_projection": file.head.text_projection,
        "prompt_activations": file.prompt_activations,
        "prompt_classes": file.prompt_classes,
        "labels": file.labels,
        "logit_scale": file.head.logit_scale,
        "logit_bias": file.head.logit_bias,
        "pair_activations": file.pairs.images.activations,
        "pair_residuals": file.pairs.images.residuals,
        "pair_text_activations": file.pairs.texts,
    }[name]


@pytest.mark.filterwarnings("ignore:.*object:UserWarning", "ignore:Discarding the imaginary")
@pytest.mark.parametrize(("name", "kind", "read"), CASES)
def test_a_number_type_is_read_exactly_or_refused(
    tmp_path: Path, name: str, kind: str, read: bool
) -> None:
    given: dict[str, Any] = everything()
    if name == "labels":
        given["labels"] = np.array([0, 1, 1, 1, 0])  # unsigned types hold no -1
    exact = given[name].astype(np.float16) if name in FLOATS else given[name]
    path = saved(tmp_path, **given | {name: converted(exact, kind)})
    if read:
        found = read_back(path, name)
        kept = found.double().numpy() if isinstance(found, torch.Tensor) else found
        np.testing.assert_array_equal(kept, exact.astype(np.float64))
        return
    with pytest.raises(InvalidFeatureFile, match=f"{name}.*pydoc") as raised:
        read_back(path, name)
    assert ("bfloat16" in str(raised.value)) == (kind == "V2")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kind", ["<f2", ">f4", "<f8"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_memory_layout_of_the_same_numbers_is_read(
    tmp_path: Path, layout: str, kind: str, compressed: bool
) -> None:
    given = arrays()
    wanted = given["activations"].astype(np.float16)
    given["activations"] = LAYOUTS[layout](wanted.astype(kind))
    given["prompt_classes"] = LAYOUTS[layout](given["prompt_classes"].astype(">i2"))
    path = tmp_path / "features.npz"
    (np.savez_compressed if compressed else np.savez)(path, **given)
    found = read_feature_file(path).features.activations
    assert found.dtype == (torch.float16 if kind == "<f2" else torch.float32)
    assert found.shape[0] == N
    np.testing.assert_array_equal(found.float().numpy(), wanted.astype(np.float32))
