"""Commands that need no tensors: none of them loads torch, so that each starts in less than a second.

Loading torch takes seconds and hundreds of MiB. The commands run in one process of their own, one after the
other, because this process has loaded torch already.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from alworkbench.encoders import published_tags
from tests.making_project import Project

ROOT = Path(__file__).parents[2]
HEAVY = (
    "torch",
    "open_clip",
    "torchvision",
    "scipy",
    "sklearn",
    "modAL",
    "pandas",
    "matplotlib",
    "streamlit",
)

RUN = """
import json, sys
from typer.testing import CliRunner
from alworkbench.cli.main import app
for command in json.loads(sys.argv[1]):
    done = CliRunner().invoke(app, command)
    if done.exit_code:
        sys.exit(f"{command}: {done.output} {done.exception!r}")
    loaded = [name for name in json.loads(sys.argv[2]) if name in sys.modules]
    if loaded:
        sys.exit(f"{command} loaded {', '.join(loaded)}")
"""


def published_model() -> str:
    """A name of the table that is read instead of open_clip, where it is of the installed release."""
    return next((f"{name}:{tags[0]}" for name, tags in published_tags().items()), "bundled")


@pytest.fixture
def labelled(project: Project, answers: Callable) -> Project:
    """A project with a posterior and a closed round, whose status was read before."""
    with project.open() as workbench:
        workbench.rounds.propose("random", 4)
        answers(workbench, 4)
        workbench.rounds.close()
        workbench.status()
    return project


def test_commands_that_need_no_tensors_do_not_load_torch(labelled: Project, tmp_path: Path) -> None:
    content, name = next(iter(labelled.truth.items()))
    given = tmp_path / "answers.csv"
    given.write_text(f"image,label\n{content},{name}\n")
    with labelled.open() as workbench:
        pictures = Path(workbench.images.get(1).paths[0]).parent
    commands = [
        ["--help"],
        ["--version"],
        ["propose", "--help"],
        ["strategies"],
        ["strategies", "--json"],
        ["adaptations"],
        ["formats"],
        ["init", str(tmp_path / "one"), "-c", "a", "-c", "b"],
        ["init", str(tmp_path / "two"), "-c", "a", "-c", "b", "--encoder", published_model()],
        ["set", "--project", str(tmp_path / "one"), "--encoder", published_model(), "--batch", "5"],
        *(
            [*words, "--project", str(labelled.folder)]
            for words in (
                ["status"],
                ["status", "--json"],
                ["jobs"],
                ["classes", "list"],
                ["gallery"],
                ["gallery", "--answered", "no", "--sort", "answered", "--json"],
                ["set", "--strategy", "margin"],
                ["round"],
                ["round", "--json"],
                ["round", "--csv", str(tmp_path / "round.csv")],
                ["people", "add", "Ada"],
                ["people", "list"],
                ["label", str(given)],
                ["export", str(tmp_path / "labels.csv")],
                ["export", str(tmp_path / "history.csv"), "--history"],
                ["label", str(tmp_path / "history.csv")],
                ["label", str(tmp_path / "history.csv"), "--history"],
                ["import", str(pictures)],
                ["backup", str(tmp_path / "kept")],
            )
        ),
    ]
    assert_light(commands, HEAVY)
    # pyarrow itself loads pandas where it is installed.
    parquet = ["export", str(tmp_path / "labels.parquet"), "--project", str(labelled.folder)]
    assert_light([parquet], tuple(name for name in HEAVY if name != "pandas"))


def assert_light(commands: list[list[str]], heavy: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps(commands), json.dumps(heavy)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
