"""The example notebook runs from its first cell to its last, and keeps no output."""

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebooks" / "first_steps.ipynb"
CELLS = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
CODE = ["".join(cell["source"]) for cell in CELLS if cell["cell_type"] == "code"]


@pytest.mark.parametrize("labels", [1, 8])
def test_the_notebook_runs_and_changes_nothing(project, workbench, answers, monkeypatch, labels):
    workbench.rounds.propose("random", 10)
    answers(workbench, labels)
    workbench.rounds.close()
    counted = str(workbench.status())
    monkeypatch.setenv("ALWORKBENCH_PROJECT", str(project.folder))
    names = {}
    for number, cell in enumerate(CODE):
        exec(compile(cell, f"cell {number}", "exec"), names)
    assert len(names["labelled"].y) == labels
    assert 0 <= names["accuracy"] <= 1
    assert names["most_to_learn"]["epistemic_nats"].is_monotonic_decreasing
    assert str(workbench.status()) == counted


def test_the_notebook_is_stored_without_outputs():
    for cell in CELLS:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    assert len({cell["id"] for cell in CELLS}) == len(CELLS)
