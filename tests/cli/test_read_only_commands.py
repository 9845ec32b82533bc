"""Every command that reads works in a folder that cannot be written, and changes nothing there."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.making_project import Project

ROOT = Path(__file__).parents[2]
RUN = """
import json, sys
from typer.testing import CliRunner
from alworkbench.cli.main import app
found = []
for command in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, command)
    found.append([command[0], done.exit_code, repr(done.exception), done.output[-500:]])
print(json.dumps(found))
"""


def as_writer_of_its_own_files_only() -> list[str]:
    """Root may write anywhere: the beginning of a command that takes this right away."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("these tests run as root, and there is no setpriv to take its rights away")
    return ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"]


def test_reading_commands_need_no_right_to_write(
    project: Project, answers: Callable, tmp_path: Path
) -> None:
    with project.open() as workbench:
        workbench.rounds.propose("random", 4)
        answers(workbench, 4)
        workbench.rounds.close()
        picture = workbench.images.get(1).paths[0]
    # The same content at another time, as a copied picture. All tests share it, so the time is put back.
    time = Path(picture).stat().st_mtime_ns
    os.utime(picture, ns=(1, 1))
    out = tmp_path / "out"
    out.mkdir()
    reading = [
        ["status"],
        ["status", "--json"],
        ["classes", "list"],
        ["people", "list"],
        ["jobs"],
        ["round"],
        ["posterior", "show"],
        ["export", str(out / "labels.csv")],
        ["predict", str(out / "predictions.csv")],
        ["explain", picture],
        ["curves"],
        ["errors"],
        ["reliability"],
        ["gallery", "--evidence", "audit"],
        ["propose", "--dry-run", "--batch", "3"],
        ["replay"],
        ["doctor"],
        ["backup", str(out / "kept")],
    ]
    writing = [["propose", "--batch", "3"], ["learn"], ["label", str(out / "labels.csv")]]
    commands = [[*words, "--project", str(project.folder)] for words in (*reading, *writing)]
    every = [project.folder, *project.folder.rglob("*")]
    before = {path: path.read_bytes() for path in every if path.is_file()}
    for path in every:
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        done = subprocess.run(
            [*as_writer_of_its_own_files_only(), sys.executable, "-c", RUN, json.dumps(commands)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    finally:
        os.utime(picture, ns=(time, time))
        for path in every:
            path.chmod(path.stat().st_mode | 0o200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert [each for each in found[: len(reading)] if each[1] != 0] == []
    for name, code, error, _ in found[len(reading) :]:
        assert code != 0, name
        assert "ProjectReadOnly" in error, (name, error)
    after = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    assert after == before
