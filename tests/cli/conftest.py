"""The fixture that runs a command on the small project."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import Result
from typer.testing import CliRunner

from alworkbench.cli.main import app
from tests.making_project import Project


@pytest.fixture
def run(project: Project) -> Callable[..., Result]:
    """Run `alworkbench ARGUMENTS --project FOLDER`; the exit code must be 0 if `ok`."""

    def run(*arguments: str, ok: bool = True) -> Result:
        done = CliRunner().invoke(app, [*arguments, "--project", str(project.folder)])
        if ok:
            assert done.exit_code == 0, done.output
        return done

    return run
