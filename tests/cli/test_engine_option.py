"""`--engine` computes elsewhere, and the project is the same as without it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from click.testing import Result
from typer.testing import CliRunner

from alworkbench import open_project
from alworkbench.cli.main import app
from tests.making_project import Project, picture


def said(*words: object, fails: int = 0) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == fails, done.output
    return f"{done.output} {done.exception}"


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    for k in range(7):
        picture(tmp_path / "pictures" / f"{k}.png", k)
    folder = tmp_path / "birds"
    said("init", folder, "--class", "ant", "--class", "bee")
    said("import", tmp_path / "pictures", "--project", folder)
    return folder


def test_images_are_encoded_on_an_engine(imported: Path) -> None:
    words = ("encode", "--project", imported, "--batch", 4)
    assert "Encoded 7 images" in said(*words, "--engine", "local:1")
    assert "7 images had features already" in said(*words)
    with open_project(imported) as workbench:
        status = workbench.status()
    assert status.encoded == 7


def test_an_engine_that_is_unknown_or_goes_with_another_option_is_refused(imported: Path) -> None:
    words = ("encode", "--project", imported, "--engine")
    assert "Known are local" in said(*words, "dask", fails=1)
    assert "goes neither" in said(*words, "local", "--workers", 2, fails=2)
    assert "goes not with" in said("simulate", "--processes", 2, "--engine", "local", fails=2)
    assert "belongs to" in said("gallery", "score", "--engine", "local", fails=2)


def test_a_posterior_and_a_batch_are_those_without_an_engine(
    project: Project, run: Callable[..., Result], tmp_path: Path
) -> None:
    shutil.copytree(project.folder, tmp_path / "alone")
    alone = replace(project, folder=tmp_path / "alone")
    run("fit", "--from-pool", "--replace", "--engine", "local:1")
    run("propose", "--strategy", "bald", "--engine", "local:1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with alone.open() as workbench:
        record = workbench.posteriors.fit_from_pool(replace_captions=True)
        workbench.rounds.propose("bald")
        wanted = [(item.image_id, item.score) for item in workbench.rounds.items(1)]
    torch.set_num_threads(threads)
    with project.open() as workbench:
        assert [(i.image_id, i.score) for i in workbench.rounds.items(1)] == wanted
        found = workbench.posteriors.newest()
    with alone.open() as workbench:
        assert torch.equal(
            workbench.posteriors.newest().image.activation.values, found.image.activation.values
        )
    assert record.provenance["images"] == 40
