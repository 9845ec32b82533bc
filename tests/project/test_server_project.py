"""A whole project whose records lie on a PostgreSQL server: the loop, its backup, the way there and back."""

from contextlib import closing

import pytest
from typer.testing import CliRunner

from alworkbench.api import open_project, restore
from alworkbench.cli.main import app
from alworkbench.project.checkup import check_up
from tests.making_project import answering, make_project
from tests.project.test_backup import everything
from tests.store.server import empty_database


@pytest.fixture
def project(tmp_path, made):
    """A project on the server, with a closed and an open round."""
    found = make_project(tmp_path / "project", made, server=empty_database())
    answer = answering(found)
    with closing(found.open()) as workbench:
        workbench.rounds.propose("margin", 4)
        answer(workbench, 4)
        workbench.rounds.close()
        workbench.rounds.propose("random", 3)
        answer(workbench, 2, "bob")
        workbench.labels.undo("bob", "undo-1")
    return found


def test_the_loop_runs_and_its_backup_becomes_a_project_of_either_kind(project, tmp_path):
    assert not (project.folder / "project.db").exists()
    with closing(project.open()) as workbench:
        assert check_up(workbench.session).healthy
        before = everything(workbench)
        workbench.backup(tmp_path / "kept")
    assert not (tmp_path / "kept" / "store.json").exists()
    restore(tmp_path / "kept", tmp_path / "file")
    restore(tmp_path / "kept", tmp_path / "server", server=empty_database())
    assert (tmp_path / "file" / "project.db").exists()
    assert not (tmp_path / "server" / "project.db").exists()
    closed = []
    for name in ("file", "server"):
        with open_project(tmp_path / name) as workbench:
            assert everything(workbench) == before
            metric = workbench.rounds.close()
            closed.append((metric.labels, metric.values["accuracy"]))
    assert closed[0] == closed[1]


def test_init_takes_the_url_of_a_server(tmp_path):
    def run(*words):
        return CliRunner().invoke(app, list(words))

    folder = str(tmp_path / "birds")
    made = ["init", folder, "--class", "owl", "--class", "jay", "--store"]
    refused = run(*made, "postgresql+psycopg://ann:hidden@host")
    assert refused.exit_code != 0
    assert "hidden" not in refused.output
    assert run(*made, empty_database()).exit_code == 0
    shown = run("status", "--project", folder)
    assert shown.exit_code == 0, shown.output
    assert "birds" in shown.output
