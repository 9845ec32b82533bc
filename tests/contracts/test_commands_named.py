"""Every command that a message, a screen or a page of the documentation names can be typed so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from alworkbench.cli.main import app

ROOT = Path(__file__).parents[2]
SOURCES = [p for folder in ("alworkbench", "store", "ui") for p in (ROOT / folder).rglob("*.py")]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "store/README.md")),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "alworkbench").rglob("*.md"),
]
COMMAND: Any = typer.main.get_command(app)
INLINE = re.compile(r"`(alworkbench [^`]+)`")
BLOCK = re.compile(r"^```.*?^```|^(?: {4}[^\n]*\n)+", re.MULTILINE | re.DOTALL)
LINE = re.compile(r"^ *(alworkbench [a-z](?:[^\n#]|(?<=\S)#)*)", re.MULTILINE)  # up to a comment


def whole(text: str) -> str:
    """Strings that Python joins, joined."""
    return re.sub(r"""["']\s*\n\s*[rf]*["']""", "", text)


def named() -> list[tuple[str, str]]:
    found = []
    for path in SOURCES:
        found += [(path, words) for words in INLINE.findall(whole(path.read_text()))]
    for path in PAGES:
        text = path.read_text().replace("\\\n", " ")
        lines = [line for block in BLOCK.findall(text) for line in LINE.findall(block)]
        found += [(path, words) for words in (*INLINE.findall(text), *lines)]
    return sorted({(str(path.relative_to(ROOT)), " ".join(words.split())) for path, words in found})


def complaint(words: str) -> str | None:
    """What cannot be typed; the values of options and arguments are not looked at."""
    command = COMMAND
    is_value = False
    for word in shlex.split(words)[1:]:
        if is_value:
            is_value = False
        elif hasattr(command, "commands") and not word.startswith("-"):
            if re.fullmatch(r"[A-Z.]+|…|\{\w+\}", word):
                return None  # any command
            if word not in command.commands:
                return f"there is no command {word!r}"
            command = command.commands[word]
        elif word.startswith("-") and word != "-":
            option = word.partition("=")[0].rstrip(".,;:")
            known = {o: p for p in command.params for o in (*p.opts, *p.secondary_opts)}
            if option not in known and option != "--help":
                return f"{command.name} has no option {option!r}"
            takes_value = option in known and not getattr(known[option], "is_flag", False)
            is_value = takes_value and "=" not in word
    return None


NAMED = named()


def test_there_is_something_to_check() -> None:
    assert len(NAMED) > 60


@pytest.mark.parametrize(("place", "words"), NAMED)
def test_what_is_named_can_be_typed(place: str, words: str) -> None:
    assert complaint(words) is None, f"{place}: {words}"


def test_what_cannot_be_typed_is_noticed() -> None:
    assert complaint("alworkbench import FOLDER --role audit") == "import has no option '--role'"
    assert complaint("alworkbench calibrate --fit-on sample --to digits") is not None
    assert complaint("alworkbench calibrate --fit-on sample digits") is not None
    assert complaint("alworkbench imports") == "there is no command 'imports'"
