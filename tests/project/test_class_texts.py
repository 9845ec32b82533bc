"""Classes that a model cannot tell apart by their names are found and named."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.common import warn_of_same_names
from alworkbench.cli.main import app
from alworkbench.core.domain import ClassList
from alworkbench.project import class_texts, name_findings
from alworkbench.project.class_texts import same_rows
from tests.factories import normal
from tests.making_project import Project


def test_groups_are_the_rows_with_the_same_direction(monkeypatch: pytest.MonkeyPatch):
    rows = normal(1, 9, 6, dtype=torch.float32)
    rows[4], rows[8], rows[7] = rows[1], 2 * rows[1], rows[0] * (1 + 1e-6)
    near = rows[2] + 0.01 * rows[3]
    for size in (2, 512):
        monkeypatch.setattr(class_texts, "ROWS", size)
        assert same_rows(rows) == [[0, 7], [1, 4, 8]]
        assert same_rows(torch.stack([rows[2], near])) == []


def test_status_names_classes_with_equal_text_features(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    def printed() -> str:
        return CliRunner().invoke(app, ["status", "--project", str(project.folder)]).output

    assert project.open().status().same_names == ()
    assert "same text" not in printed()
    findings(project).unlink()
    monkeypatch.setattr(class_texts, "same_rows", lambda _: [[0, 2]])
    assert project.open().status().same_names == (("ant", "cat"),)
    assert "ant, cat: the model cannot tell" in printed()
    warn_of_same_names([("ant", "cat")])
    assert "'ant', 'cat' as the same text" in capsys.readouterr().err


def findings(project: Project) -> Path:
    """The file in which the project keeps what the model reads of the class names."""
    (found,) = project.folder.glob("features/*/names.json")
    return found


def test_findings_on_names_are_computed_once_and_read_afterwards(
    project: Project, monkeypatch: pytest.MonkeyPatch
):
    before = project.open().status()
    assert len(before.names) == len(before.classes)
    monkeypatch.setattr(name_findings, "_compute", None)  # whoever calls it fails
    assert project.open().status() == before


@pytest.mark.parametrize("content", [b"", b"[]", b'{"key": 1}', b"\xff"])
def test_a_damaged_file_of_findings_is_written_anew(project: Project, content: bytes):
    before = project.open().status()
    kept = findings(project).read_bytes()
    findings(project).write_bytes(content)
    assert project.open().status() == before
    assert findings(project).read_bytes() == kept


def test_the_status_is_shown_where_findings_cannot_be_kept(project: Project):
    before = project.open().status()
    place = findings(project)
    place.unlink()
    place.mkdir()  # nothing can be written in the place of a folder
    assert project.open().status() == before


def test_findings_on_other_names_are_computed(project: Project):
    with project.open() as workbench:
        classes = workbench.classes.current()
        record = workbench.session.encoder_record()
        fewer = ClassList(classes.classes[:2])
        workbench.status()
        found = name_findings.name_findings(workbench.session, fewer, record, None)
        assert found.known == ()
        assert workbench.status().names
