"""Answers from a file answer the round that is open, and come in as they went out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from alworkbench.core.domain import Answer, AnswerKind, Role
from alworkbench.core.errors import NothingAnswered
from alworkbench.project.workbench import Workbench
from tests.making_project import Project

KINDS = list(AnswerKind)


def said(workbench: Workbench) -> dict[str, tuple[AnswerKind, int | None]]:
    """Content hash -> what counts for it, in the pool."""
    with workbench.session.store.read() as reader:
        hash_of = dict(reader.images.ids_and_hashes(Role.POOL))
        return {
            hash_of[image]: (label.kind, label.class_id)
            for image, label in reader.labels.current(Role.POOL).items()
        }


def rows_for(workbench: Workbench, project: Project, count: int) -> list[dict[str, str]]:
    """Rows for the first images of the open round: in turn a class, a skip and a `cannot tell`."""
    rows = []
    for n, item in enumerate(workbench.rounds.items(workbench.rounds.current().id)[:count]):
        content = workbench.images.get(item.image_id).hash
        kind = KINDS[n % 3]
        label = project.truth[content] if kind is AnswerKind.CLASS else ""
        rows.append({"image": content, "label": label, "kind": kind.value})
    return rows


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_answers_of_a_file_answer_the_open_round(
    workbench: Workbench, project: Project, tmp_path: Path
) -> None:
    opened = workbench.rounds.propose()
    path = write(tmp_path / "labels.jsonl", rows_for(workbench, project, 3))
    assert workbench.labels.import_file(path, "ada").recorded == 3
    kinds = [i.label and i.label.kind for i in workbench.rounds.items(opened.id)]
    assert kinds == [*KINDS, None, None]
    assert workbench.status().open_answered == 3
    assert "Label the 2 images left" in workbench.status().next_step
    assert len(workbench.labels.claim("ada", 5)) == 2
    # The newest answer of the round can be undone, wherever it came from.
    assert workbench.labels.undo("ada", "u1").kind is AnswerKind.CANNOT_TELL
    assert workbench.status().open_answered == 2


def test_a_manifest_answers_the_open_round(workbench: Workbench, project: Project) -> None:
    opened = workbench.rounds.propose()
    item = workbench.rounds.items(opened.id)[0]
    image = workbench.images.get(item.image_id)
    place = Path(image.paths[0])
    manifest = place.parent / f"{project.folder.parent.name}.csv"
    manifest.write_text(f"path,label\n{place.name},{project.truth[image.hash]}\n")
    try:
        workbench.images.add(manifest, pool_labels=True)
    finally:
        manifest.unlink()
    assert workbench.status().open_answered == 1


@pytest.mark.parametrize("name", ["out.csv", "out.jsonl"])
def test_every_kind_of_answer_goes_out_and_comes_in(
    workbench: Workbench, project: Project, tmp_path: Path, name: str
) -> None:
    workbench.rounds.propose()
    rows = rows_for(workbench, project, 5)
    workbench.labels.import_file(write(tmp_path / "labels.jsonl", rows), "ada")
    before = said(workbench)
    workbench.labels.export(tmp_path / name, history=True)
    changed = [{**row, "label": "bee", "kind": "class"} for row in rows]
    workbench.labels.import_file(write(tmp_path / "other.jsonl", changed), "ada")
    assert said(workbench) != before
    assert workbench.labels.import_file(tmp_path / name, "ada").recorded > 0
    assert said(workbench) == before
    assert workbench.labels.import_file(tmp_path / name, "ada").recorded == 0


def test_a_round_without_an_answer_is_closed_on_purpose_only(workbench: Workbench) -> None:
    workbench.rounds.propose()
    with pytest.raises(NothingAnswered, match=r"None of the 5 images of round 1 .*close --force"):
        workbench.rounds.close()
    assert workbench.rounds.current() is not None
    assert workbench.measurements.all()[-1].round_number == 0
    workbench.rounds.close(force=True)
    assert workbench.rounds.current() is None


def test_one_answer_of_any_kind_and_origin_is_enough_to_close(workbench: Workbench) -> None:
    opened = workbench.rounds.propose()
    item = workbench.rounds.items(opened.id)[2]
    workbench.labels.record(Answer("script", item.image_id, AnswerKind.SKIP, "script"))
    assert workbench.rounds.items(opened.id)[2].label is not None
    workbench.rounds.close()
