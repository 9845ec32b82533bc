"""Each wrong input ends in one plain message and changes nothing."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.cli.wrong_inputs import WRONG, make_place, page, tried

PAGE = Path(__file__).parents[2] / "docs" / "wrong-inputs.md"


def content(folder: Path) -> list[str]:
    """Everything that a project's database holds, but for the list of jobs: it names failed ones too."""
    with sqlite3.connect(folder / "project.db") as database:
        found = [line for line in database.iterdump() if not line.startswith('INSERT INTO "job"')]
    database.close()
    return found


@pytest.fixture(scope="module")
def place(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Path, Path, dict[str, str]]
) -> Path:
    folder = tmp_path_factory.mktemp("wrong")
    make_place(folder, made)
    return folder


def test_every_wrong_input_ends_as_documented_and_stores_nothing(place: Path) -> None:
    before = content(place / "birds"), content(place / "fresh")
    found = list(tried(place))
    for wrong, code, said in found:
        assert code == wrong.exit_code, (wrong.what, code, said)
        assert "Traceback" not in said, wrong.what
        assert "Unexpected error" not in said, wrong.what
    assert (content(place / "birds"), content(place / "fresh")) == before
    assert not (place / "new").exists()
    assert page(found, place) == PAGE.read_text(encoding="utf-8")


def test_the_wrong_inputs_have_different_names() -> None:
    assert len({wrong.what for wrong in WRONG}) == len(WRONG)
