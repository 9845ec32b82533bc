"""The manifest of a support set: it says where the set is from, and a check names all that drifted."""

import json
import shutil
from pathlib import Path

import pytest

from alworkbench.core.domain import AnswerKind, Role
from alworkbench.core.errors import InvalidSupportManifest
from alworkbench.project.support_manifest import Drift, verify_manifest
from alworkbench.project.support_sets import write_support
from tests.making_project import NAMES, picture


def twenty_labels(workbench, answers):
    workbench.rounds.propose("random", 20)
    answers(workbench, 20)
    workbench.rounds.close()


@pytest.fixture
def labelled(lived):
    """20 labels in a closed round."""
    return lived(twenty_labels)


@pytest.fixture
def folder(labelled, tmp_path):
    """A support set with copies of its pictures."""
    write_support(tmp_path / "set", labelled.support_sets.choose(2))
    return tmp_path / "set"


def images(folder):
    return json.loads((folder / "support.json").read_text())["images"]


def drifts(workbench, manifest):
    return [
        (each.path, each.drift) for each in verify_manifest(workbench.session, manifest).findings
    ]


def relabel(workbench, content, name):
    """All answers to an image are now this class."""
    file = workbench.session.folder.path / "correction.csv"
    file.write_text(f"image,label\n{content},{name}\n")
    workbench.labels.import_file(file, "ada")


def test_a_manifest_names_what_the_set_was_chosen_with(labelled, folder):
    told = json.loads((folder / "support.json").read_text())
    with labelled.session.store.read() as reader:
        classes, learner = reader.classes.current(), reader.computed.learner()
        posterior = labelled.session.posterior_record(reader)
        project = reader.settings().name
    assert (told["project"], told["class_list"]) == (project, classes.id)
    assert (told["posterior"], told["learner"]) == (posterior.file, learner.id)
    assert told["encoder"] == labelled.session.engine().encoder_id
    assert told["calibration"] == labelled.predictions.newest().calibration.words


@pytest.mark.parametrize("kind", ["folder", "in the folder", "elsewhere"])
def test_a_manifest_holds_while_nothing_changes(labelled, folder, tmp_path, kind):
    manifest = {"folder": folder, "in the folder": folder / "support.json"}.get(kind)
    if manifest is None:
        manifest = tmp_path / "deep" / "support.json"
        write_support(manifest, labelled.support_sets.choose(2))
    told: list[tuple[int, int]] = []
    found = verify_manifest(
        labelled.session, manifest, lambda _, done, total: told.append((done, total))
    )
    assert told == [(n, found.images) for n in range(1, found.images + 1)]
    assert (found.holds, found.findings, found.notes) == (True, (), ())
    assert found.images == len(images(folder))


def test_each_picture_that_is_missing_or_changed_is_named(labelled, folder):
    first, second = images(folder)[:2]
    (folder / first["path"]).unlink()
    picture(folder / second["path"], 999)
    assert drifts(labelled, folder) == [
        (first["path"], Drift.MISSING),
        (second["path"], Drift.CHANGED),
    ]


def test_each_label_that_no_longer_counts_is_named(labelled, folder):
    first = images(folder)[0]
    other = next(name for name in NAMES if name != first["label"])
    relabel(labelled, first["sha256"], other)
    found = verify_manifest(labelled.session, folder)
    assert [(each.path, each.drift) for each in found.findings] == [(first["path"], Drift.LABEL)]
    assert f"is {other!r} now" in found.findings[0].detail
    relabel(labelled, first["sha256"], first["label"])
    assert verify_manifest(labelled.session, folder).findings == ()


def test_a_label_that_was_taken_back_no_longer_counts(workbench, answers, tmp_path):
    workbench.rounds.propose("random", 20)
    given = answers(workbench, 20)
    write_support(tmp_path / "set", workbench.support_sets.choose(20))
    workbench.labels.undo("ada", "back")
    gone = workbench.images.get(given[-1].image_id).hash
    found = verify_manifest(workbench.session, tmp_path / "set").findings
    assert [(Path(each.path).stem, each.drift) for each in found] == [(gone, Drift.LABEL)]
    assert "has no label now" in found[0].detail


def test_a_skip_does_not_outvote_the_class_of_another_annotator(labelled, folder):
    from alworkbench.core.domain import Answer

    with labelled.session.store.read() as reader:
        image = reader.images.by_hash(images(folder)[0]["sha256"])
    labelled.labels.record(Answer("skip", image.id, AnswerKind.SKIP, "bob"))
    assert verify_manifest(labelled.session, folder).holds


def test_images_of_another_project_or_of_the_audit_set_are_named(labelled, folder):
    with labelled.session.store.read() as reader:
        (_, audit), *_ = reader.images.ids_and_hashes(Role.AUDIT)
    told = json.loads((folder / "support.json").read_text())
    for image, content in zip(told["images"], ("0" * 64, audit), strict=False):
        shutil.move(folder / image["path"], folder / "images" / content)
        image |= {"path": f"images/{content}", "sha256": content}
    (folder / "support.json").write_text(json.dumps(told))
    found = [drift for _, drift in drifts(labelled, folder)]
    assert found == [Drift.CHANGED, Drift.UNKNOWN, Drift.CHANGED, Drift.AUDIT]


def test_a_newer_learner_is_a_note_and_no_drift(labelled, folder, answers):
    labelled.rounds.propose("random", 2)
    answers(labelled, 2)
    labelled.rounds.close()
    found = verify_manifest(labelled.session, folder)
    assert found.holds
    assert found.notes == ("The learner was 1 when the set was chosen, and is 2 now.",)


def test_a_manifest_of_the_older_form_is_checked_too(labelled, folder):
    told = json.loads((folder / "support.json").read_text())
    older = {"format": "alworkbench-support-1", "images": told["images"]}
    (folder / "support.json").write_text(json.dumps(older))
    found = verify_manifest(labelled.session, folder)
    assert found.holds
    assert "older form" in found.notes[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("image,label\n", "not JSON"),
        ("[]", "format"),
        ('{"format": "alworkbench-support-2", "images": []}', "lacks project"),
        (
            '{"format": "alworkbench-support-1", "images": [{"path": "a"}]}',
            "path, label and sha256",
        ),
        (None, "No such file"),
    ],
)
def test_another_file_is_refused_with_the_reason(workbench, tmp_path, text, words):
    path = tmp_path / "support.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidSupportManifest, match=words):
        verify_manifest(workbench.session, path)
