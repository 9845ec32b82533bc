"""Labels of files: every change is recorded, nothing twice, and no row decides by its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import Label, ProjectFolder, Role
from alworkbench.core.errors import ContradictingLabels, UnknownClass, WorkbenchError
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.load.image_data import data_of_images
from store import memory_store
from tests.making_project import picture
from tests.store.making import CLASSES, NOW, SETTINGS, content, import_pictures

IMAGES = 3
CLASS_NAMES = CLASSES.names


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Workbench]:
    """A project without an image."""
    store = memory_store(SETTINGS, CLASSES, NOW)
    with Workbench(ProjectFolder(tmp_path / "project"), store) as workbench:
        yield workbench


def history(workbench: Workbench) -> list[Label]:
    with workbench.session.store.read() as reader:
        return reader.labels.all()


def counting(workbench: Workbench, role: Role = Role.POOL) -> dict[str, str]:
    """Content hash -> the class name that counts."""
    name_of = {c.id: c.name for c in workbench.classes.current().classes}
    with workbench.session.store.read() as reader:
        hash_of = dict(reader.images.ids_and_hashes(role))
        return {
            hash_of[image]: name_of[label.class_id]
            for image, label in reader.labels.current(role).items()
        }


# -------------------------------------------------------------------------------- a row after another

FILES = st.lists(
    st.dictionaries(st.integers(1, IMAGES), st.sampled_from(CLASS_NAMES), min_size=1), max_size=6
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FILES)
def test_files_one_after_another_record_exactly_what_changes(
    tmp_path: Path, files: list[dict[int, str]]
) -> None:
    store = memory_store(SETTINGS, CLASSES, NOW)
    import_pictures(store, IMAGES)
    said: dict[int, str] = {}
    with Workbench(ProjectFolder(tmp_path), store) as workbench:
        for file in files:
            path = tmp_path / "labels.csv"
            rows = [f"{content(n)},{name}" for n, name in file.items()]
            path.write_text("\n".join(["image,label", *rows, *rows]))  # each row twice
            changed = sum(said.get(n) != name for n, name in file.items())
            before = len(history(workbench))
            found = workbench.labels.import_file(path, "ann")
            assert (found.recorded, found.known) == (changed, 2 * len(file) - changed)
            assert workbench.labels.import_file(path, "ann").recorded == 0
            assert len(history(workbench)) == before + changed
            said |= file
            assert counting(workbench) == {content(n): name for n, name in said.items()}


def test_a_label_of_one_person_is_no_known_label_of_another(
    empty: Workbench, tmp_path: Path
) -> None:
    import_pictures(empty.session.store, 1)
    path = tmp_path / "labels.csv"
    path.write_text(f"image,label\n{content(1)},owl\n")
    assert [empty.labels.import_file(path, who).recorded for who in ("ann", "bob", "ann")] == [
        1,
        1,
        0,
    ]


def test_a_label_that_was_taken_back_is_recorded_again(empty: Workbench, tmp_path: Path) -> None:
    import_pictures(empty.session.store, 1)
    path = tmp_path / "labels.csv"
    path.write_text(f"image,label\n{content(1)},owl\n")
    empty.labels.import_file(path, "ann")
    with empty.session.store.write() as writer:
        writer.labels.retract(history(empty)[0].id, "back", "ann", NOW)
    assert empty.labels.import_file(path, "ann").recorded == 1
    assert counting(empty) == {content(1): "owl"}


# ------------------------------------------------------------------------------------ kinds of sources

Give = Callable[[Workbench, Path, dict[str, str]], int]
"""Give each picture (its name) a label through one kind of source; returns how many were recorded."""


def by_table(workbench: Workbench, folder: Path, labels: dict[str, str]) -> int:
    path = folder / "labels.csv"
    path.write_text("\n".join(["image,label", *(f"{n}.png,{c}" for n, c in labels.items())]))
    return workbench.labels.import_file(path, "ann").recorded


def by_objects(workbench: Workbench, folder: Path, labels: dict[str, str]) -> int:
    path = folder / "labels.jsonl"
    lines = [json.dumps({"image": f"{n}.png", "label": c}) for n, c in labels.items()]
    path.write_text("\n".join(lines))
    return workbench.labels.import_file(path, "ann").recorded


def by_manifest(workbench: Workbench, folder: Path, labels: dict[str, str]) -> int:
    path = folder / "pictures" / "list.csv"
    path.write_text("\n".join(["path,label", *(f"{n}.png,{c}" for n, c in labels.items())]))
    return workbench.images.add(path, pool_labels=True).labelled


def by_folders(workbench: Workbench, folder: Path, labels: dict[str, str]) -> int:
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    for name, label in labels.items():
        (tree / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "pictures" / f"{name}.png", tree / label)
    return workbench.images.add(tree, pool_labels=True).labelled


SOURCES = [by_table, by_objects, by_manifest, by_folders]


@pytest.fixture
def pictures(empty: Workbench, tmp_path: Path) -> Path:
    """A folder with pictures that the project has: a and b are two, copy is a copy of a."""
    for seed, name in enumerate(["a", "b"]):
        picture(tmp_path / "pictures" / f"{name}.png", seed)
    empty.images.add(tmp_path / "pictures")
    shutil.copy(tmp_path / "pictures" / "a.png", tmp_path / "pictures" / "copy.png")
    return tmp_path


@pytest.mark.parametrize("give", SOURCES)
def test_a_label_that_goes_back_counts_through_every_source(
    empty: Workbench, pictures: Path, give: Give
) -> None:
    for label, recorded in [("cat", 1), ("cat", 0), ("dog", 1), ("cat", 1), ("cat", 0)]:
        assert give(empty, pictures, {"a": label}) == recorded
        assert list(counting(empty).values()) == [label]
    assert len(history(empty)) == 3


@pytest.mark.parametrize("give", SOURCES)
def test_two_labels_for_one_image_in_one_source_are_named_and_refused(
    empty: Workbench, pictures: Path, give: Give
) -> None:
    empty.images.add(pictures / "pictures")  # the project knows the copy
    give(empty, pictures, {"b": "cat"})
    before = history(empty)
    with pytest.raises(ContradictingLabels) as refused:
        give(empty, pictures, {"b": "dog", "a": "dog", "copy": "owl"})
    for label, place in [("dog", "line 3"), ("owl", "line 4")]:
        if give is by_objects:
            place = f"line {int(place[-1]) - 1}"
        if give is by_manifest:
            place = "a.png" if label == "dog" else "copy.png"
        if give is by_folders:
            place = "dog/a.png" if label == "dog" else "owl/copy.png"
        assert f"{label!r} ({place})" in str(refused.value)
    assert history(empty) == before


@pytest.mark.parametrize("give", [by_manifest, by_folders])
def test_an_import_that_is_refused_stores_no_image(
    empty: Workbench, tmp_path: Path, give: Give
) -> None:
    for seed, name in enumerate(["a", "b"]):
        picture(tmp_path / "pictures" / f"{name}.png", seed)
    with pytest.raises(UnknownClass):
        give(empty, tmp_path, {"a": "cat", "b": "cow"})
    assert empty.status().pool_images == 0


def test_copies_of_one_picture_in_both_sets_of_a_manifest_are_refused(
    empty: Workbench, pictures: Path
) -> None:
    path = pictures / "pictures" / "list.csv"
    path.write_text("path,split\na.png,pool\ncopy.png,test\n")
    with pytest.raises(ContradictingLabels, match=r"'pool' \(a.png\), 'audit' \(copy.png\)"):
        empty.images.add(path)


def test_a_simulation_refuses_copies_of_one_picture_in_two_classes(pictures: Path) -> None:
    from alworkbench.api import load_context
    from alworkbench.core.progress import silent

    for name, label in (("a", "cat"), ("copy", "dog"), ("b", "dog")):
        (pictures / "tree" / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / "pictures" / f"{name}.png", pictures / "tree" / label)
    context = load_context(pictures / "cache", "cpu", silent, print)
    with pytest.raises(ContradictingLabels, match=r"'cat' \(cat/a.png\), 'dog' \(dog/copy.png\)"):
        data_of_images(pictures / "tree", None, "bundled", context)


def test_an_export_is_read_as_it_was_written_whatever_the_classes_are_called(
    tmp_path: Path,
) -> None:
    """Class names that look like formulas, numbers or guarded texts."""
    from alworkbench.core.domain import ClassList, LabelClass

    awkward = ("-1", "+1", "=A1", "@x", "'=A1", "'t", " owl", 'a "b"', "x,y;z", "-x")
    classes = ClassList(tuple(map(LabelClass, awkward)))
    for name in ("labels.csv", "labels.jsonl"):
        workbenches = []
        for project in ("one", "other"):
            store = memory_store(SETTINGS, classes, NOW)
            import_pictures(store, len(awkward))
            workbenches.append(Workbench(ProjectFolder(tmp_path / project), store))
        one, other = workbenches
        given_labels = tmp_path / "given.jsonl"
        rows = [{"image": content(n), "label": label} for n, label in enumerate(awkward, 1)]
        given_labels.write_text("\n".join(map(json.dumps, rows)))
        one.labels.import_file(given_labels, "ann")
        one.labels.export(tmp_path / name)
        other.labels.import_file(tmp_path / name, "bob")
        assert counting(other) == counting(one) == {r["image"]: r["label"] for r in rows}
        with pytest.raises(WorkbenchError):
            other.labels.import_file(tmp_path / "missing.csv", "bob")
        one.close()
        other.close()
