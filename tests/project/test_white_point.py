"""The white point of a project is kept, told, and the same for people and model."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from alworkbench.api import open_project
from alworkbench.cli.main import app
from alworkbench.core.domain import Role
from alworkbench.core.errors import WhitePointInUse


def wide(path: Path, top: int, shift: int = 0) -> Path:
    """A grey PNG of 16 bits with values up to `top`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = np.linspace(0, top, 20 * 20).round().astype(np.uint16).reshape(20, 20)
    Image.fromarray(np.roll(values, shift)).save(path)
    return path


def plain(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (20, 20), (1, 2, 3)).save(path)
    return path


def run(project: Path, *words: str) -> dict:
    done = CliRunner().invoke(app, [*words, "--project", str(project), "--json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    project = tmp_path / "birds"
    done = CliRunner().invoke(app, ["init", str(project), "-c", "owl", "-c", "jay"])
    assert done.exit_code == 0
    return project


def kept(project: Path) -> int | None:
    with open_project(project) as workbench:
        return workbench.session.settings().white_point


def shown(project: Path) -> np.ndarray:
    """The first image of the pool as a person sees it."""
    with open_project(project) as workbench, workbench.session.store.read() as reader:
        (content, _), *_ = reader.images.hashes_and_paths(Role.POOL)
        data = workbench.images.display(content).data
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_dark_pictures_are_named_and_a_white_point_mends_them(birds: Path, tmp_path: Path):
    folder = tmp_path / "photos"
    wide(folder / "a.png", 4095)
    wide(folder / "b.png", 3000, shift=7)
    plain(folder / "c.png")
    told = CliRunner().invoke(app, ["import", str(folder), "--project", str(birds)])
    assert "2 pictures in 16-bit files without a value above 4,095" in told.stderr
    assert "--white-point 4095" in told.stderr
    assert kept(birds) == 65535
    assert shown(birds).max() == 16
    words = ["import", str(folder), "--project", str(birds), "--white-point", "4095"]
    told = CliRunner().invoke(app, words)
    assert "12-bit pictures in 16-bit files: 2 shown with white at 4,095." in told.stderr
    assert "Dark" not in told.stderr
    assert kept(birds) == 4095
    assert shown(birds).max() == 255
    # It stays that of the project.
    wide(folder / "d.png", 2000, shift=3)
    found = run(birds, "import", str(folder))
    assert (found["whites"], found["dark"], found["known"]) == ({"4095": 3}, 0, 3)


def test_the_model_sees_what_a_person_sees_and_encoding_fixes_the_white_point(
    birds: Path, tmp_path: Path
):
    folder = tmp_path / "photos"
    wide(folder / "a.png", 4095)
    run(birds, "import", str(folder), "--white-point", "4095")
    Image.fromarray(shown(birds)).save(folder / "as a person sees it.png")
    run(birds, "import", str(folder))
    run(birds, "encode", "--device", "cpu", "--workers", "0")
    with open_project(birds) as workbench:
        table = workbench.session.engine().table()
        one, other = table.gather(torch.tensor([0, 1])).activations
        assert torch.equal(one, other)
        with pytest.raises(WhitePointInUse, match=r"cannot become 1,023\. Nothing was imported"):
            workbench.images.add(folder, white_point=1023)
        assert workbench.images.add(folder, white_point=4095).known == 2
        with pytest.raises(ValueError, match="not between 255 and 65535"):
            workbench.images.add(folder, white_point=0)


def test_a_project_without_such_files_takes_a_white_point_at_any_time(birds: Path, tmp_path: Path):
    plain(tmp_path / "photos/a.png")
    assert run(birds, "import", str(tmp_path / "photos"))["whites"] == {}
    run(birds, "encode", "--device", "cpu", "--workers", "0")
    assert kept(birds) is None
    wide(tmp_path / "photos/b.png", 1023)
    run(birds, "import", str(tmp_path / "photos"), "--white-point", "1023")
    assert kept(birds) == 1023


def test_what_is_skipped_is_named_with_what_to_do(birds: Path, tmp_path: Path):
    folder = tmp_path / "photos"
    plain(folder / "a.png")
    for name in ("1.nef", "2.CR3", "3.svg", "4.dcm", "5.psd", "6.txt"):
        (folder / name).write_bytes(b"x")
    told = CliRunner().invoke(app, ["import", str(folder), "--project", str(birds)]).stderr
    assert "Not read: 2 of .cr3, .nef (raw files of cameras). Develop them" in told
    assert "Not read: 1 of .svg (drawings). Export them as PNG." in told
    assert "--white-point" in told
    assert "1 of .psd (pictures of other formats)" in told
    assert run(birds, "import", str(folder))["skipped"] == {
        ".cr3": 1,
        ".dcm": 1,
        ".nef": 1,
        ".psd": 1,
        ".svg": 1,
        ".txt": 1,
    }
