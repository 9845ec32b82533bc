"""Renditions of a project: kept by content, side and version; removing them loses nothing."""

from __future__ import annotations

import hashlib
import io
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import alworkbench
from alworkbench.core.cache_folder import CacheFolder
from alworkbench.core.domain import ClassList, LabelClass, ProjectSettings
from alworkbench.core.errors import (
    OutputUnwritable,
    ProjectReadOnly,
    UnknownImage,
    UnreadableSource,
)
from alworkbench.project import renditions
from alworkbench.project.workbench import Workbench
from store import create_store

Opened = Callable[[], Workbench]


def photo(path: Path, size: tuple[int, int], seed: int = 0, **options: object) -> Path:
    """A picture with soft structure, so that resizing and JPEG change little."""
    chance = np.random.default_rng(seed)
    coarse = Image.fromarray(chance.integers(0, 255, (9, 12, 3), dtype=np.uint8))
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse.resize(size, Image.Resampling.BICUBIC).save(path, **options)
    return path


def deep(path: Path, top: int) -> Path:
    values = np.linspace(0, top, 600 * 400).round().astype(np.uint16).reshape(400, 600)
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    photo(folder / "large.jpg", (600, 400), quality=95)
    photo(folder / "small.png", (40, 30), 1)
    photo(folder / "tall.bmp", (60, 3000), 2)
    return folder


@pytest.fixture
def project(tmp_path: Path, pictures: Path) -> Path:
    folder = tmp_path / "project"
    classes = ClassList((LabelClass("owl", ("{}",)), LabelClass("jay", ("{}",))))
    create_store(folder, ProjectSettings("project"), classes, datetime.now(UTC)).close()
    with alworkbench.open_project(folder) as workbench:
        workbench.images.add(pictures)
    return folder


@pytest.fixture
def opened(project: Path) -> Iterator[Opened]:
    made: list[Workbench] = []

    def open_it() -> Workbench:
        made.append(alworkbench.open_project(project))
        return made[-1]

    yield open_it
    for workbench in made:
        workbench.close()


def hash_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(p.relative_to(folder)): p.read_bytes()
        for p in folder.rglob("*")
        if p.is_file() and not p.name.startswith("project.db")
    }


def drawn(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_a_rendition_is_made_once_and_the_same_bytes_come_again(
    opened: Opened, project: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
):
    content = hash_of(pictures / "large.jpg")
    first = opened().images.rendition(content, 256)
    assert Image.open(io.BytesIO(first.data)).size == (314, 209)
    kept = list(files(project / "thumbnails"))
    assert kept == [f"{first.version}/{content[:2]}/{content}-256"]
    with monkeypatch.context() as patch:
        patch.setattr(renditions, "make_rendition", None)  # it is not made again
        assert opened().images.rendition(content, 256) == first
    shutil.rmtree(project / "thumbnails")
    assert opened().images.rendition(content, 256) == first


def test_a_rendition_that_is_the_file_itself_takes_no_space(
    opened: Opened, project: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
):
    workbench = opened()
    for name, sides in (("small.png", (256, 2048, None)), ("large.jpg", (1024, None))):
        for side in sides:
            found = workbench.images.rendition(hash_of(pictures / name), side)
            assert found.data == (pictures / name).read_bytes()
    assert not (project / "thumbnails").exists()
    monkeypatch.setattr(renditions, "make_rendition", None)  # nor is it decoded again
    assert workbench.images.rendition(hash_of(pictures / "large.jpg"), None) == found


def test_an_extreme_shape_keeps_its_width(opened: Opened, pictures: Path):
    content = hash_of(pictures / "tall.bmp")
    images = opened().images
    assert drawn(images.rendition(content, 256).data).shape[:2] == (1810, 36)
    for side in (1024, None):
        whole = images.rendition(content, side)
        assert whole.media_type == "image/png"
        assert np.array_equal(drawn(whole.data), drawn(images.display(content).data))


def test_a_rendition_stands_where_the_file_is_gone_and_errors_are_plain(
    opened: Opened, pictures: Path
):
    content = hash_of(pictures / "large.jpg")
    images = opened().images
    kept = images.rendition(content, 256)
    photo(pictures / "large.jpg", (600, 400), 7)
    with pytest.raises(UnreadableSource, match="its content is not what was imported"):
        images.rendition(content, None)
    (pictures / "large.jpg").unlink()
    with pytest.raises(UnreadableSource, match=r"cannot be shown: .*alworkbench import FOLDER"):
        images.rendition(content, None)
    assert images.rendition(content, 256) == kept
    with pytest.raises(UnknownImage):
        images.rendition("0" * 64, 256)
    for side in (-1, 0, 255, 10**9):
        with pytest.raises(ValueError, match="is not one of 256, 1024, 2048"):
            images.rendition(content, side)


def test_another_white_point_gives_another_version_and_other_pixels(
    opened: Opened, pictures: Path, project: Path
):
    content = hash_of(deep(pictures / "deep.png", 4095))
    workbench = opened()
    workbench.images.add(pictures)
    dark = workbench.images.rendition(content, 256)
    assert drawn(dark.data).max() <= 20
    workbench.images.add(pictures, white_point=4095)
    bright = workbench.images.rendition(content, 256)
    assert drawn(bright.data).max() >= 250
    assert dark.version != bright.version == workbench.images.renditions.version()


def test_a_damaged_file_of_the_cache_is_made_again(opened: Opened, project: Path, pictures: Path):
    content = hash_of(pictures / "large.jpg")
    first = opened().images.rendition(content, 256)
    (kept,) = [p for p in (project / "thumbnails").rglob("*") if p.is_file()]
    for damage in (b"", b"<svg/>"):
        kept.write_bytes(damage)
        assert opened().images.rendition(content, 256) == first
        assert kept.read_bytes() == first.data


def test_a_project_opened_read_only_serves_without_writing(
    opened: Opened, project: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch
):
    content = hash_of(pictures / "large.jpg")
    wanted = opened().images.rendition(content, 256)
    shutil.rmtree(project / "thumbnails")
    before = files(project)
    monkeypatch.setattr(os, "access", lambda *_: False)
    workbench = opened()
    assert workbench.images.rendition(content, 256) == wanted
    assert workbench.images.rendition(content, None).data == (pictures / "large.jpg").read_bytes()
    with pytest.raises(ProjectReadOnly):
        workbench.images.renditions.thumbnails()
    assert files(project) == before


def test_thumbnails_of_all_images_are_made_once_and_what_failed_is_named(
    opened: Opened, project: Path, pictures: Path
):
    told: list[tuple[int, int]] = []
    found = opened().images.renditions.thumbnails(lambda _, done, total: told.append((done, total)))
    assert (found.images, found.made, found.known, found.failed) == (3, 2, 1, ())
    assert told == [(1, 3), (2, 3), (3, 3)]
    again = opened().images.renditions.thumbnails()
    assert (again.made, again.known) == (0, 3)
    shutil.rmtree(project / "thumbnails")
    (pictures / "tall.bmp").unlink()
    found = opened().images.renditions.thumbnails()
    assert (found.made, len(found.failed)) == (1, 1)
    assert "cannot be shown" in found.failed[0]


def test_thumbnails_that_cannot_be_kept_are_said(opened: Opened, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CacheFolder, "put", lambda *_: False)
    with pytest.raises(OutputUnwritable, match=r"thumbnails.*GiB of its disk is free"):
        opened().images.renditions.thumbnails()


def test_an_interrupted_run_goes_on_where_it_stopped(opened: Opened):
    def stop(_what: str, done: int, _total: int) -> None:
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        opened().images.renditions.thumbnails(stop, threads=1)
    again = opened().images.renditions.thumbnails()
    assert again.made + again.known == 3


def _make(project: Path, contents: list[str]) -> None:
    with alworkbench.open_project(project) as workbench:
        for content in contents:
            workbench.images.rendition(content, 256)


def test_two_processes_make_the_same_files(opened: Opened, project: Path, pictures: Path):
    contents = [hash_of(pictures / name) for name in ("large.jpg", "tall.bmp")]
    context = multiprocessing.get_context("spawn")
    both = [context.Process(target=_make, args=(project, contents)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
    assert [process.exitcode for process in both] == [0, 0]
    kept = files(project / "thumbnails")
    assert len(kept) == 2
    images = opened().images
    assert {images.rendition(each, 256).data for each in contents} == set(kept.values())
