"""Rows without a direction are set aside, whatever is wrong with them; the others stay as they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.errors import InvalidFeatureFile
from alworkbench.encoders.head import Features, Head
from alworkbench.features import usable_rows
from alworkbench.features.feature_file_io import read_feature_file, write_feature_file
from tests.features.test_feature_file import N, P, arrays, everything, saved

BROKEN = {
    "zero": 0.0,
    "not a number": np.nan,
    "infinite": np.inf,
    "minus infinity": -np.inf,
    "beyond float32": 1e300,
    "an embedding beyond float32": 1e30,
    "below float32": 1e-300,
}


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    broken=st.dictionaries(st.integers(0, N - 1), st.sampled_from(sorted(BROKEN)), max_size=N - 1),
    kind=st.sampled_from(["float64", "float32", "float16"]),
)
@pytest.mark.filterwarnings("ignore:overflow encountered")
def test_the_rest_of_the_file_is_read_as_if_the_rows_were_never_there(
    tmp_path_factory: pytest.TempPathFactory, broken: dict[int, str], kind: str
) -> None:
    folder = tmp_path_factory.mktemp("rows")
    given = everything()
    for name in ("residuals", "pair_residuals"):
        del given[name]
    values = given["activations"].astype(np.float64)
    for row, how in broken.items():
        values[row] = BROKEN[how]
    given["activations"] = values.astype(kind)
    found = read_feature_file(saved(folder, **given))
    assert [each.row for each in found.unusable] == sorted(broken)
    kept = [row for row in range(N) if row not in broken]
    by_row = ("activations", "paths", "hashes", "labels", "split")
    alone = read_feature_file(saved(folder, **given | {name: given[name][kept] for name in by_row}))
    assert torch.equal(found.features.activations, alone.features.activations)
    assert found.features.activations.dtype == alone.features.activations.dtype
    assert (found.paths, found.hashes, found.split) == (alone.paths, alone.hashes, alone.split)
    assert found.labels is not None
    assert alone.labels is not None
    assert torch.equal(found.labels, alone.labels)
    for each in found.unusable:
        assert each.name == each.path == given["paths"][each.row]
        assert each.hash == given["hashes"][each.row]
        assert f"row {each.row} of activations" in str(each)
    copy = folder / "copy.npz"
    write_feature_file(copy, found)  # what is left is a file of its own
    assert read_feature_file(copy).unusable == ()


def test_a_row_of_zeros_with_a_residual_has_a_direction(tmp_path: Path) -> None:
    given = everything()
    given["activations"][1] = 0
    assert read_feature_file(saved(tmp_path, **given)).unusable == ()
    given["residuals"][1] = np.nan
    assert [each.row for each in read_feature_file(saved(tmp_path, **given)).unusable] == [1]


def test_constant_activations_are_usable(tmp_path: Path) -> None:
    given = arrays() | {"activations": np.ones((N, P), np.float32)}
    assert read_feature_file(saved(tmp_path, **given)).unusable == ()


def test_both_sides_of_a_pair_are_left_out_together(tmp_path: Path) -> None:
    given = everything()
    given["pair_activations"][1], given["pair_residuals"][1] = 0, 0
    given["pair_text_activations"][4] = np.inf
    found = read_feature_file(saved(tmp_path, **given))
    assert found.pairs is not None
    np.testing.assert_array_equal(
        found.pairs.texts.numpy(),
        given["pair_text_activations"][[0, 2, 3, 5]].astype(np.float32),
    )
    assert len(found.pairs.images) == 4
    assert [(e.array, e.row, e.name) for e in found.unusable] == [
        ("pair_activations", 1, "pair_activations[1]"),
        ("pair_text_activations", 4, "pair_text_activations[4]"),
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"activations": np.zeros((N, P))}, "none of its images.*images/0.png.*length 0"),
        ({"projection": np.zeros((2, P))}, "none of its images.*length 0"),
        ({"prompt_activations": np.eye(3)[[0, 0, 0]] * [[1], [0], [1]]}, "row 1 of prompt_activations"),
        (
            {"prompt_activations": np.eye(3)[[0, 1, 1]] * [[1], [1], [-1]]},
            "row 1 of the mean of prompt_activations by class",
        ),
    ],
)  # fmt: skip
def test_a_file_without_a_usable_image_or_class_is_refused(
    tmp_path: Path, change: dict[str, Any], reason: str
) -> None:
    with pytest.raises(InvalidFeatureFile, match=f"{reason}.*pydoc"):
        read_feature_file(saved(tmp_path, **(arrays() | change)))


@settings(deadline=None, derandomize=True, max_examples=20)
@given(block=st.integers(1, 9), bad=st.sets(st.integers(0, 7)))
def test_blocks_do_not_change_which_rows_are_found(block: int, bad: set[int]) -> None:
    head = Head(torch.eye(3), torch.eye(3), 1.0)
    activations = torch.ones(8, 3)
    activations[sorted(bad)] = 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(usable_rows, "BLOCK", block)
        found = usable_rows.reasons_against(Features(activations), head.embed_images)
    assert list(found) == sorted(bad)
