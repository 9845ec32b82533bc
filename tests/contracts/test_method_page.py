"""What docs/method.md and the tours of the folders name exists in the code, with the values stated."""

from __future__ import annotations

import re
from ast import literal_eval
from dataclasses import fields, is_dataclass
from functools import reduce
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "method.md").read_text(encoding="utf-8")
TOURS = sorted((ROOT / "alworkbench").rglob("README.md"))
NAMED = sorted(set(re.findall(r"`(alworkbench(?:\.\w+)+)`", PAGE)))
CONSTANTS = re.findall(r"^\| `([^`]+)` \|.*\| `(alworkbench[\w.]+)` \|$", PAGE, re.MULTILINE)


def resolve(name: str) -> Any:
    """The module, or what is found in it. Raises ImportError or AttributeError."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            module = import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        return reduce(getattr, parts[end:], module)
    raise ImportError(name)


def value_of(name: str) -> Any:
    """A constant, or the default of a dataclass's field."""
    owner, _, attribute = name.rpartition(".")
    found = resolve(owner)
    if isinstance(found, type) and is_dataclass(found):
        return {field.name: field.default for field in fields(found)}[attribute]
    return getattr(found, attribute)


def test_the_page_names_symbols_and_constants() -> None:
    assert len(NAMED) > 60
    assert len(CONSTANTS) > 25


@pytest.mark.parametrize("name", NAMED)
def test_a_named_symbol_exists(name: str) -> None:
    resolve(name)


@pytest.mark.parametrize(("stated", "name"), CONSTANTS)
def test_a_stated_value_is_that_of_the_code(stated: str, name: str) -> None:
    assert value_of(name) == literal_eval(stated)


def test_every_experiment_that_the_page_cites_is_in_a_log() -> None:
    logs = [log.read_text(encoding="utf-8") for log in (ROOT / "docs" / "experiments").glob("*.md")]
    known = {found for log in logs for found in re.findall(r"^### ([A-Z]\d+) ", log, re.MULTILINE)}
    assert set(re.findall(r"\b[ALPS]\d+\b", PAGE)) <= known


@pytest.mark.parametrize("name", ["alworkbench.domain.NoSuchName", "alworkbench.no_such_module"])
def test_a_name_that_does_not_exist_is_noticed(name: str) -> None:
    with pytest.raises((ImportError, AttributeError)):
        resolve(name)


@pytest.mark.parametrize("tour", TOURS, ids=lambda tour: tour.parent.name)
def test_a_tour_names_modules_of_its_folder_and_is_short(tour: Path) -> None:
    text = tour.read_text(encoding="utf-8")
    modules = re.findall(r"`(\w+\.py|\w+/)`", text)
    assert modules
    assert not [name for name in modules if not (tour.parent / name).exists()]
    assert len(text.splitlines()) <= 40
