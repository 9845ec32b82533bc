"""A user names data by a collection or by a place on the disk; what lies there decides how it is read."""

from pathlib import Path

import pytest

from alworkbench.core.errors import UnknownCollection, UnreadableSource
from alworkbench.simulation.load.origin import (
    COLLECTION,
    FEATURES,
    IMAGES,
    PROJECT,
    Origin,
    origin_named,
)


def test_a_name_is_a_collection_also_beside_a_folder_of_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sample").mkdir()
    assert origin_named("sample", "bundled") == Origin(COLLECTION, "sample")
    expected = Origin(IMAGES, str(tmp_path / "sample"), encoder="bundled")
    assert origin_named("./sample", "bundled") == expected


def test_what_lies_at_a_place_decides_its_kind(tmp_path: Path) -> None:
    for folder in ("project", "photos"):
        (tmp_path / folder).mkdir()
    for file in ("project/project.db", "toy.npz", "images.zip"):
        (tmp_path / file).touch()
    kinds = {"project": PROJECT, "photos": IMAGES, "toy.npz": FEATURES, "images.zip": IMAGES}
    for name, kind in kinds.items():
        found = origin_named(str(tmp_path / name), "ViT-B-32:laion2b_s34b_b79k")
        assert (found.kind, found.place) == (kind, str(tmp_path / name))
        assert found.encoder == ("ViT-B-32:laion2b_s34b_b79k" if kind == IMAGES else None)


def test_an_unknown_name_and_an_empty_place_are_told_apart() -> None:
    with pytest.raises(UnknownCollection, match="digit"):
        origin_named("digit", "bundled")
    for text in ("no/where", "none.npz"):
        with pytest.raises(UnreadableSource, match="nothing at"):
            origin_named(text, "bundled")
