"""The map: places from the stored features, kept with their encoder, and what is said of each point."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from alworkbench.core.domain import ClassList, JobState, LabelClass, ProjectSettings, Role
from alworkbench.core.errors import (
    ExtraMissing,
    FeaturesMissing,
    InvalidImageQuery,
    JobCancelled,
    MapChanged,
    MapNotComputed,
    MapTooSmall,
)
from alworkbench.features.principal_axes import PrincipalAxes
from alworkbench.project import umap_layout as umap_module
from alworkbench.project.encoded_images import encoded_images
from alworkbench.project.feature_map import FeatureMap, Layout
from alworkbench.project.gallery_files import numbers, path_of
from alworkbench.project.image_query import ImageQuery, read_query
from alworkbench.project.map_points import (
    FIRST_CLASS,
    NO_CLASS,
    SKIPPED,
    UNCLEAR,
    UNKNOWN,
    map_points,
    map_version,
)
from alworkbench.project.map_regions import STEPS, mark_of
from alworkbench.project.umap_layout import refuse_without_package, umap_layout
from alworkbench.project.workbench import Workbench
from store import create_store
from tests.making_project import NAMES, Project, closing, copied
from tests.project.gallery_making import all_images, answer_at_random


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, kept_project: Project) -> Iterator[Workbench]:
    """With a closed round, many answers and predictions. Tests may only add."""
    project = copied(kept_project, tmp_path_factory.mktemp("map") / "project")
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random", 6)
        answer_at_random(workbench, 60, 1)
        workbench.rounds.close(force=True)
        workbench.gallery.score()
        yield workbench


def embeddings(workbench: Workbench) -> tuple[np.ndarray, np.ndarray]:
    """Keys and unit embeddings of all images, all at once."""
    engine = workbench.session.engine()
    with workbench.session.store.read() as reader:
        keys, rows = encoded_images(reader, engine.table())
    found = engine.head.embed_images(engine.table().gather(rows))
    return keys, normalize(found, dim=-1).double().numpy()


def test_places_are_those_of_a_plain_decomposition(full: Workbench) -> None:
    keys, plain = embeddings(full)
    found = full.gallery.map.positions()
    assert found.keys.tolist() == keys.tolist()
    assert found.fitted == len(keys)
    centred = plain - plain.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    for k in range(2):
        assert np.abs(found.xy[:, k]) == pytest.approx(np.abs(left[:, k] * values[k]), abs=1e-5)
    assert found.shares == pytest.approx(tuple((values**2 / (values**2).sum())[:2]), abs=1e-6)


def test_places_are_computed_once_and_read_by_the_next_process(full: Workbench) -> None:
    first = full.gallery.map.positions()
    again = FeatureMap(full.session).positions()
    assert again.number == first.number == full.gallery.map.positions().number
    assert again.xy.tolist() == first.xy.tolist()


@pytest.mark.parametrize(("before", "after", "anew"), [("pool", "audit", 0), ("audit", "pool", 1)])
def test_later_images_lie_where_the_same_axes_put_them_until_there_are_twice_as_many(
    tmp_path: Path, made: tuple[Path, Path, dict[str, str]], before: str, after: str, anew: int
) -> None:
    pictures, features, truth = made
    project = Project(tmp_path / "project", features, truth)
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    create_store(
        project.folder, ProjectSettings("toy", encoder="features:toy"), classes, project.clock()
    ).close()
    with closing(project.open()) as workbench:
        workbench.images.add(pictures / before)
        workbench.features.take(features)
        first = workbench.gallery.map.positions()
        known, plain = embeddings(workbench)
        axes = PrincipalAxes.of([plain], 2)
        workbench.images.add(pictures / after)
        workbench.features.take(features)
        found = workbench.gallery.map.positions()
        keys, plain = embeddings(workbench)
        assert found.keys.tolist() == keys.tolist()
        assert found.fitted == (len(keys) if anew else len(known))
        assert found.number == first.number + anew
        used = PrincipalAxes.of([plain], 2) if anew else axes
        assert found.xy == pytest.approx(used.project(plain), abs=1e-5)


def test_a_damaged_or_foreign_file_is_left_aside(full: Workbench) -> None:
    folder = full.session.folder
    before = full.gallery.map.positions()
    number = numbers(folder, Layout.PCA)[-1] + 1
    path_of(folder, Layout.PCA, number).write_bytes(b"no such file")
    assert FeatureMap(full.session).positions().xy.tolist() == before.xy.tolist()
    path_of(folder, Layout.PCA, number).unlink()


def test_without_features_there_is_no_map(
    tmp_path: Path, made: tuple[Path, Path, dict[str, str]]
) -> None:
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    project = Project(tmp_path / "project", made[1], made[2])
    create_store(project.folder, ProjectSettings("toy"), classes, project.clock()).close()
    with closing(project.open()) as workbench, pytest.raises(FeaturesMissing):
        workbench.gallery.map.positions()


# --------------------------------------------------------------------------------------- points
def unpacked(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    size = int.from_bytes(data[:4], "little")
    head, body = json.loads(data[4 : 4 + size]), data[4 + size :]
    columns = {
        each["name"]: np.frombuffer(body, each["type"], each["length"], each["at"])
        for each in head["columns"]
    }
    assert (4 + size) % 8 == 0
    assert all(each["at"] % 8 == 0 for each in head["columns"])
    return head, columns


def test_each_image_is_a_point_once_with_what_the_gallery_says_of_it(full: Workbench) -> None:
    points = map_points(full.session, full.gallery, Layout.PCA)
    head, columns = unpacked(points.packed())
    assert columns["image"].tolist() == all_images(full)
    said = {each.id: each for each in full.gallery.page(ImageQuery(), limit=500).images}
    ids = [each["id"] for each in head["classes"]]
    words = {None: NO_CLASS, "skip": SKIPPED, "cannot_tell": UNCLEAR}
    most = math.log(len(NAMES))
    assert head["most_entropy"] == pytest.approx(most)
    with full.session.store.read() as reader:
        asked = set(reader.rounds.images(reader.rounds.all()[0].id))
    for k, image in enumerate(columns["image"].tolist()):
        each = said[image]
        label = FIRST_CLASS + ids.index(each.class_id) if each.class_id else words[each.answer]
        assert columns["label"][k] == label
        own = FIRST_CLASS + ids.index(each.predicted_id) if each.predicted_id else NO_CLASS
        assert columns["predicted"][k] == own
        hidden = each.role is Role.AUDIT and each.answer is None
        assert (columns["predicted"][k] == NO_CLASS) == hidden
        assert (columns["uncertainty"][k] == UNKNOWN) == hidden
        if each.entropy is not None:
            shown = columns["uncertainty"][k] / STEPS * most
            assert shown == pytest.approx(each.entropy, abs=1e-4)
        assert columns["round"][k] == (1 if image in asked else 0)


def test_points_keep_the_form_of_the_layout(full: Workbench) -> None:
    points = map_points(full.session, full.gallery, Layout.PCA)
    found = full.gallery.map.positions()
    with full.session.store.read() as reader:
        facts, _, _ = full.gallery.columns(reader)
    xy = found.xy[np.searchsorted(found.keys, facts.keys)].astype(np.float64)
    side = np.ptp(xy, axis=0).max()
    for plain, steps in zip(xy.T, (points.x, points.y), strict=True):
        moved = (plain - plain.min()) / side
        assert (steps - steps.min()) / STEPS == pytest.approx(moved, abs=2e-4)
    assert max(np.ptp(points.x), np.ptp(points.y)) == STEPS


CORNERS = st.tuples(st.integers(-9, STEPS + 9), st.integers(-9, STEPS + 9))


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(CORNERS, min_size=3, max_size=9))
def test_the_gallery_lists_the_points_inside_a_region(
    full: Workbench, line: list[tuple[int, int]]
) -> None:
    points = map_points(full.session, full.gallery, Layout.PCA)
    region = {"layout": "pca", "of": mark_of(points.positions), "points": [list(c) for c in line]}
    found = full.gallery.selected(read_query({"filter": {"region": region}}))
    plain = [
        image
        for image, x, y in zip(points.images, points.x, points.y, strict=True)
        if enclosed(line, int(x), int(y))
    ]
    assert found == plain


def enclosed(line: list[tuple[int, int]], x: int, y: int) -> bool:
    """A ray to the right crosses the line an odd number of times, in exact arithmetic."""
    crossings = 0
    for (x0, y0), (x1, y1) in zip(line, line[1:] + line[:1], strict=True):
        if (y0 > y) != (y1 > y):
            crossings += x < Fraction((x1 - x0) * (y - y0), y1 - y0) + x0
    return crossings % 2 == 1


def test_a_region_of_another_map_is_refused(full: Workbench) -> None:
    line = [[0, 0], [STEPS, 0], [STEPS, STEPS]]
    region: dict[str, Any] = {"layout": "pca", "of": "0.1", "points": line}
    with pytest.raises(MapChanged):
        full.gallery.page(read_query({"filter": {"region": region}}))
    for wrong in ({"points": line[:2]}, {"points": [[0, 0.5]] * 3}, {"layout": "x"}, {"more": 1}):
        with pytest.raises(InvalidImageQuery):
            read_query({"filter": {"region": region | wrong}})


def test_the_version_changes_with_answers_and_predictions(full: Workbench) -> None:
    def version() -> str:
        return map_version(full.session, full.gallery, Layout.PCA)

    first = version()
    assert version() == first
    answer_at_random(full, 1, 9)
    second = version()
    full.gallery.score()
    assert len({first, second, version()}) == 3


def test_a_file_names_each_image_once(full: Workbench, tmp_path: Path) -> None:
    count = full.gallery.map.write(tmp_path / "map.csv", Layout.PCA)
    with (tmp_path / "map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["hash"] for row in rows}) == len(rows) == count == len(all_images(full))
    found = full.gallery.map.positions()
    xs = sorted(float(row["x"]) for row in rows)
    assert xs == pytest.approx(sorted(found.xy[:, 0].tolist()), abs=1e-4)


# ----------------------------------------------------------------------------------------- UMAP
def test_umap_asks_for_its_package_and_for_enough_images(
    full: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MapNotComputed, match="layout umap"):
        full.gallery.map.positions(Layout.UMAP)
    monkeypatch.setattr(umap_module, "find_spec", lambda name: None)
    with pytest.raises(ExtraMissing, match=r"pip install 'alworkbench\[umap\]'"):
        refuse_without_package()
    with pytest.raises(ExtraMissing):
        full.gallery.map.compute(Layout.UMAP)
    monkeypatch.setattr(umap_module, "find_spec", lambda name: object())
    with pytest.raises(MapTooSmall, match="at least 10"):
        umap_layout(lambda rows, step: iter([np.zeros((3, 4), np.float32)]), 3, seed=0)


def test_umap_repeats_itself_and_places_images_outside_of_its_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without its compiler: a few images need no speed, and compiling takes half a minute."""
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    pytest.importorskip("umap", exc_type=ImportError)
    vectors = np.random.default_rng(0).normal(size=(14, 6)).astype(np.float32)
    steps: list[str] = []

    def once() -> np.ndarray:
        def given(rows: Any, step: str) -> Iterator[np.ndarray]:
            return iter([vectors if rows is None else vectors[rows]])

        found, fitted = umap_layout(given, 14, 0, lambda step, *_: steps.append(step), sample=12)
        assert fitted == 12
        return found

    first = once()
    assert np.isfinite(first).all()
    assert len(np.unique(first, axis=0)) == 14
    assert {"finding neighbours", "laying out", "placing the other images"} <= set(steps)
    assert once().tolist() == first.tolist()


def test_umap_is_a_job_that_can_be_cancelled_and_is_stored(
    full: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(vectors: Any, images: int, seed: int, progress: Any) -> tuple[np.ndarray, int]:
        found = np.concatenate([block[:, :2] for block in vectors(None, "finding the axes")])
        if cancelled:
            full.jobs.cancel(full.jobs.live()[0].id)
        progress("laying out", 1, 2)
        return found, images // 2

    monkeypatch.setattr(umap_module, "umap_layout", fake)
    monkeypatch.setattr(umap_module, "find_spec", lambda name: object())
    cancelled = True
    with pytest.raises(JobCancelled):
        full.gallery.map.compute(Layout.UMAP)
    assert not full.gallery.map.has(Layout.UMAP)
    cancelled = False
    found = full.gallery.map.compute(Layout.UMAP)
    assert found.keys.tolist() == full.gallery.map.positions().keys.tolist()
    assert (found.fitted, found.newer) == (len(found.keys) // 2, 0)
    job = full.jobs.newest()[0]
    assert (job.title, job.state) == ("lay out the map", JobState.DONE)
    assert FeatureMap(full.session).positions(Layout.UMAP).xy.tolist() == found.xy.tolist()
