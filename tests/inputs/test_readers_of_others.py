"""The readers of other programs load what the exports hold. A reader that is not installed is skipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from alworkbench.inputs.label_formats.registry import format_named
from alworkbench.inputs.label_formats.standing_records import standing
from tests.inputs.exchanged import campaign, exported

NOT_INSTALLED = "the reader {} is not installed: pip install 'alworkbench[dev]'"


def labels(rows: list[dict[str, Any]], files: dict[str, Path], split: str) -> dict[str, str]:
    """Content hash -> class, of the pictures of a split."""
    stands = standing(exported(rows, files))
    role = {"train": "pool", "test": "audit"}[split]
    return {
        row["hash"]: row["label"]
        for order, row in enumerate(rows, 1)
        if stands.stands(order, row) and row["role"] == role
    }


@pytest.fixture
def hugging_face(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    reason = NOT_INSTALLED.format("datasets")
    return pytest.importorskip("datasets", reason=reason)


@pytest.mark.parametrize("split", ["train", "test"])
def test_hugging_face_loads_an_imagefolder(tmp_path: Path, hugging_face: Any, split: str) -> None:
    rows, files = campaign(tmp_path / "photos")
    format_named("imagefolder").write(tmp_path / "out", exported(rows, files))
    loaded = hugging_face.load_dataset(
        "imagefolder",
        data_dir=str(tmp_path / "out"),
        cache_dir=str(tmp_path / "cache"),
        split=split,
    )
    assert {row["hash"]: row["label"] for row in loaded} == labels(rows, files, split)
    assert {row["image"].size for row in loaded} == {(16, 12)}
    orders = [json.loads(row["record"])["order"] for row in loaded]
    assert [rows[order - 1]["hash"] for order in orders] == loaded["hash"][:]


# It leaves the shards open.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("split", ["train", "test"])
def test_webdataset_loads_the_shards(tmp_path: Path, split: str) -> None:
    webdataset = pytest.importorskip("webdataset", reason=NOT_INSTALLED.format("webdataset"))
    rows, files = campaign(tmp_path / "photos")
    format_named("webdataset").write(tmp_path / "out", exported(rows, files))
    names = (tmp_path / "out" / "classes.txt").read_text(encoding="utf-8").splitlines()
    shards = sorted(str(path) for path in (tmp_path / "out").glob(f"{split}-*.tar"))
    samples = webdataset.WebDataset(shards, shardshuffle=False).decode("pil")
    found = {}
    for picture, number, document in samples.to_tuple("png;jpg", "cls", "json"):
        assert picture.size == (16, 12)
        assert names[number] == document["label"]
        found[document["hash"]] = names[number]
    assert found == labels(rows, files, split)


@pytest.mark.parametrize("name", ["class-folders", "yolo"])
def test_torchvision_loads_a_tree(tmp_path: Path, name: str) -> None:
    folders = pytest.importorskip(
        "torchvision.datasets", reason=NOT_INSTALLED.format("torchvision")
    )
    rows, files = campaign(tmp_path / "photos")
    format_named(name).write(tmp_path / "out", exported(rows, files))
    for split in ("train", "test"):
        loaded = folders.ImageFolder(str(tmp_path / "out" / split), allow_empty=name == "yolo")
        assert len(loaded) == len(labels(rows, files, split))
