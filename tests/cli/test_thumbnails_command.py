"""`alworkbench thumbnails` makes what is missing, says what it did, and names what it could not make."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image
from typer.testing import CliRunner

from alworkbench.cli.main import app


def run(project: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--project", str(project)])
    assert done.exit_code == 0, done.output
    return done.output


def test_thumbnails_are_made_once_and_failures_are_named(tmp_path: Path):
    project, photos = tmp_path / "birds", tmp_path / "photos"
    photos.mkdir()
    for number, size in enumerate([(600, 400), (500, 300), (20, 20)]):
        Image.new("RGB", size, (number, 2, 3)).save(photos / f"{number}.png")
    assert CliRunner().invoke(app, ["init", str(project), "-c", "owl", "-c", "jay"]).exit_code == 0
    run(project, "import", str(photos))
    (photos / "1.png").unlink()
    said = run(project, "thumbnails")
    assert "Made 1 thumbnail; 1 were there, or are as small as one." in said
    assert "1 image cannot be shown:" in said
    assert "alworkbench import FOLDER" in said
    assert len([p for p in (project / "thumbnails").rglob("*") if p.is_file()]) == 1
    found = json.loads(run(project, "thumbnails", "--json"))
    assert (found["images"], found["made"], found["known"], len(found["failed"])) == (3, 0, 2, 1)
