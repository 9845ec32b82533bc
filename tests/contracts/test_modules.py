"""Every module says what it is for, is one idea, and every test states its law in few words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contracts.test_architecture import ROOT

LONGEST = 300
LONGER = {
    "alworkbench/core/errors.py": "one list of all errors and their messages",
    "store/migrations/versions/0001_first_schema.py": "a migration is never edited",
}
"""Modules of more than LONGEST lines, with the reason."""
LONGEST_NAME = 90

PRODUCT = sorted(
    p for folder in ("alworkbench", "store", "ui") for p in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*PRODUCT, *TESTS], ids=name)
def test_a_module_has_a_docstring(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_only_the_listed_modules_are_long() -> None:
    lines = {name(path): path.read_text(encoding="utf-8").count("\n") for path in PRODUCT}
    assert {module for module, count in lines.items() if count > LONGEST} == set(LONGER)


@pytest.mark.parametrize("path", TESTS, ids=name)
def test_names_of_tests_are_short(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert [each for each in names if len(each) > LONGEST_NAME] == []


@pytest.mark.parametrize("path", sorted((ROOT / "ui" / "views").glob("*.py")), ids=name)
def test_the_parts_of_a_page_are_headings_of_the_second_level(path: Path) -> None:
    """`heading` writes the first level; a subheader is the third, and none may be left out."""
    assert "st.subheader(" not in path.read_text(encoding="utf-8")
