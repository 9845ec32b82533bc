"""A file of what was computed is whole for its reader, also where it is removed while it is read."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from alworkbench.core.domain import ProjectFolder
from alworkbench.project.evidence import Evidence
from alworkbench.project.feature_map import FeatureMap
from alworkbench.project.gallery import Gallery
from alworkbench.project.gallery_files import (
    KEPT,
    GalleryFile,
    newest_file,
    numbers,
    path_of,
    write_next,
)
from alworkbench.project.image_query import EvidenceSet, ImageFilter, ImageQuery, Order
from alworkbench.project.workbench import Workbench

LISTS = [
    ImageQuery(order=Order.UNCERTAINTY),
    ImageQuery(order=Order.PROBABILITY, of="ant"),
    ImageQuery(ImageFilter(near=0.0), Order.NEAR),
]


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each file of `gallery/` is removed as soon as it is opened, as another process may do it."""
    gone: list[str] = []
    opened = GalleryFile.__init__

    def open_and_remove(self: GalleryFile, path: Path, number: int) -> None:
        opened(self, path, number)
        path.unlink()
        gone.append(path.name)

    monkeypatch.setattr(GalleryFile, "__init__", open_and_remove)
    return gone


def test_a_file_is_read_to_its_end_and_one_that_lacks_a_column_is_left_aside(
    workbench: Workbench,
) -> None:
    folder: ProjectFolder = workbench.session.folder
    table = np.arange(12.0).reshape(3, 4)
    first = write_next(folder, "toy", {"a": np.arange(3), "rows": table}, {"n": 1})
    for _ in range(KEPT):
        write_next(folder, "toy", {"a": np.arange(4)}, {"n": 2})
    assert first.number not in numbers(folder, "toy")
    assert first.facts == {"n": 1}
    assert first.column("a").tolist() == [0, 1, 2]
    assert first.column("rows", 1).tolist() == table[1].tolist()
    newest = newest_file(folder, "toy", ("a",))
    assert newest is not None
    assert newest.number == numbers(folder, "toy")[-1]
    assert newest_file(folder, "toy", ("a", "rows")) is None
    assert newest_file(folder, "toy", (), lambda facts: facts["n"] == 1) is None
    path_of(folder, "toy", newest.number).write_bytes(b"damaged")
    left = newest_file(folder, "toy")
    assert left is not None
    assert left.number == newest.number - 1
    assert newest_file(folder, "toy", number=newest.number) is None


def test_lists_and_evidence_are_whole_where_their_files_go_while_they_are_read(
    workbench: Workbench, answers: Callable, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    workbench.rounds.propose("random", 12)
    answers(workbench, 12)
    workbench.rounds.close()
    session, evidence = workbench.session, workbench.audit.evidence
    for source in EvidenceSet:
        evidence.compute(source)
    images = {source: evidence.images(source) for source in EvidenceSet}
    workbench.gallery.score()
    workbench.gallery.group()
    lists = [[each.id for each in workbench.gallery.page(query).images] for query in LISTS]
    places = workbench.gallery.map.positions().xy
    kept = shutil.copytree(session.folder.gallery, tmp_path / "kept")

    gone = request.getfixturevalue("removed")
    anew = Evidence(session, lambda: workbench.learners, lambda: workbench.predictions)
    for source, before in images.items():
        found = anew.images(source)
        assert found is not None
        for each in fields(found):
            one, other = getattr(found, each.name), getattr(before, each.name)
            if isinstance(one, np.ndarray | torch.Tensor):
                assert one.tolist() == other.tolist()
            else:
                assert one == other
    for query, ids in zip(LISTS, lists, strict=True):
        shutil.copytree(kept, session.folder.gallery, dirs_exist_ok=True)
        gallery = Gallery(session, lambda: workbench.predictions, lambda: anew)
        assert [each.id for each in gallery.page(query).images] == ids
    assert FeatureMap(session).positions().xy.tolist() == places.tolist()
    kinds = {name.partition("-")[0] for name in gone}
    assert kinds >= {"scores", "groups", "pca", "evidenceaudit", "evidenceleftout"}
