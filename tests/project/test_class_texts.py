"""Classes that a model cannot tell apart by their names are found and named."""

from __future__ import annotations

import pytest
import torch
from typer.testing import CliRunner

from alworkbench.cli.common import warn_of_same_names
from alworkbench.cli.main import app
from alworkbench.project import class_texts
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
    monkeypatch.setattr(class_texts, "same_rows", lambda _: [[0, 2]])
    assert project.open().status().same_names == (("ant", "cat"),)
    assert "ant, cat: the model cannot tell" in printed()
    warn_of_same_names([("ant", "cat")])
    assert "'ant', 'cat' as the same text" in capsys.readouterr().err
