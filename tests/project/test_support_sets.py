"""Support sets: k labelled images per class that stand for a target, with a manifest."""

import csv
import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.core.domain import Role
from alworkbench.core.errors import (
    FolderNotEmpty,
    InvalidLabelFile,
    NothingToImport,
    UnreadableSource,
)
from alworkbench.inputs.sources import read_source
from alworkbench.project.support_sets import Order, cover, write_support
from tests.factories import normal
from tests.making_project import NAMES


def twenty_labels(workbench, answers):
    workbench.rounds.propose("random", 20)
    answers(workbench, 20)


@pytest.fixture
def labelled(lived):
    """20 labels in an open round."""
    return lived(twenty_labels)


def counts(workbench):
    with workbench.session.store.read() as reader:
        ids = {c.id: c.name for c in reader.classes.current().classes}
        names = [ids[label.class_id] for label in reader.labels.current(Role.POOL).values()]
    return {name: names.count(name) for name in NAMES}


@pytest.mark.parametrize("order", list(Order))
def test_a_support_set_has_k_images_of_each_class_or_all(labelled, order, project):
    found = labelled.support_sets.choose(4, order)
    have = counts(labelled)
    for name in NAMES:
        own = [image for image in found.images if image.label == name]
        assert len(own) == min(4, have[name])
        assert [image.rank for image in own] == list(range(1, len(own) + 1))
    assert len({image.sha256 for image in found.images}) == len(found.images)
    assert all(project.truth[image.sha256] == image.label for image in found.images)
    assert found.missing == {name: 4 - n for name, n in have.items() if n < 4}


def test_a_smaller_support_set_is_the_start_of_a_larger_one(labelled):
    one = labelled.support_sets.choose(1).images
    assert one == tuple(
        image for image in labelled.support_sets.choose(5).images if image.rank == 1
    )


def test_the_target_set_decides_which_images_are_chosen(labelled, made, tmp_path):
    pool = sorted((made[0] / "pool").iterdir())
    targets = labelled.targets.take(made[0] / "pool")
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, part in ((one, pool[:4]), (other, pool[-4:])):
        folder.mkdir()
        for file in part:
            (folder / file.name).write_bytes(file.read_bytes())
    found = [
        labelled.support_sets.choose(1, targets=labelled.targets.take(f)) for f in (one, other)
    ]
    assert found[0].targets != found[1].targets != targets.name
    assert found[0].images != found[1].images


def test_a_support_set_before_the_first_label_is_refused(workbench):
    with pytest.raises(NothingToImport, match="No image of the pool has a label"):
        workbench.support_sets.choose(3)


def test_the_order_asked_is_the_order_of_labelling(labelled):
    found = labelled.support_sets.choose(20, Order.ASKED)
    place = {labelled.images.get(i.image_id).hash: i.position for i in labelled.rounds.items(1)}
    for name in NAMES:
        own = [place[image.sha256] for image in found.images if image.label == name]
        assert own == sorted(own)


class TestCover:
    def test_distances_left_never_grow_and_end_at_the_nearest(self):
        candidates, targets = normal(1, 12, 3), normal(2, 30, 3)
        weights = normal(3, 30).abs()
        left = [distance for _, distance in cover(candidates, targets, weights, 12)]
        assert left == sorted(left, reverse=True)
        nearest = torch.cdist(candidates, targets).min(dim=0).values
        assert left[-1] == pytest.approx(float(nearest @ weights / weights.sum()))

    def test_the_first_is_the_medoid_for_the_targets(self):
        candidates, targets = normal(1, 12, 3), normal(2, 30, 3)
        weights = torch.ones(30, dtype=torch.float64)
        first, distance = next(iter(cover(candidates, targets, weights, 3)))
        mean = torch.cdist(candidates, targets).mean(dim=1)
        assert first == int(mean.argmin())
        assert distance == pytest.approx(float(mean.min()))

    def test_a_copy_is_not_chosen_while_others_bring_more(self):
        candidates = torch.tensor([[0.0], [0.0], [5.0]], dtype=torch.float64)
        targets = torch.tensor([[0.1], [0.2], [0.3], [4.0]], dtype=torch.float64)
        weights = torch.ones(4, dtype=torch.float64)
        assert [row for row, _ in cover(candidates, targets, weights, 2)] == [0, 2]


def test_the_manifest_has_the_documented_columns(labelled, tmp_path):
    found = labelled.support_sets.choose(2)
    write_support(tmp_path / "support.json", found)
    told = json.loads((tmp_path / "support.json").read_text())
    assert told["per_class"] == 2
    assert [image["sha256"] for image in told["images"]] == [i.sha256 for i in found.images]
    write_support(tmp_path / "support.csv", found)
    with (tmp_path / "support.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["label"] for row in rows] == [image.label for image in found.images]
    with pytest.raises(InvalidLabelFile, match=r"a \.csv file, a \.json file or a folder"):
        write_support(tmp_path / "support.txt", found)


def test_a_folder_with_a_support_set_can_be_imported(labelled, tmp_path):
    found = labelled.support_sets.choose(2)
    write_support(tmp_path / "set", found)
    source = read_source(tmp_path / "set", into=tmp_path / "unpacked", labelled=True)
    read = {(image.hash, image.class_name) for image in source.read()}
    assert read == {(image.sha256, image.label) for image in found.images}
    with pytest.raises(FolderNotEmpty):
        write_support(tmp_path / "set", found)


def test_a_picture_that_was_changed_is_not_copied(labelled, tmp_path):
    found = labelled.support_sets.choose(2)
    strange = replace(found.images[0], sha256="0" * 64)
    with pytest.raises(UnreadableSource, match="changed since the import"):
        write_support(tmp_path / "set", replace(found, images=(strange,)))
    gone = replace(found.images[0], path=str(tmp_path / "gone.png"))
    with pytest.raises(UnreadableSource):
        write_support(tmp_path / "other", replace(found, images=(gone,)))


def test_the_command_writes_a_support_set(labelled, project, tmp_path):
    target = tmp_path / "support.csv"
    words = ["support-set", str(target), "-k", "2", "--project", str(project.folder)]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["images"] == len(target.read_text().splitlines()) - 1
    again = CliRunner().invoke(app, [*words, "--order", "asked"])
    assert "images of 4 classes" in again.stdout
