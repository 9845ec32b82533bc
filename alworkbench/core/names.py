"""Names of files and classes: which are allowed, and which are the same.

Every script is allowed, with the blanks and joiners that it needs: macOS writes a narrow no-break blank
into the names of screenshots, and Persian names hold joiners. Refused are control characters, which break
lines of lists and terminals, and names that are not valid UTF-8.

One name can be written in several ways: `é` is one code point or two. macOS writes two into file names,
and most editors write one. Names are therefore compared in canonical composition (NFC; Unicode Standard
Annex 15). A file is opened by the name that is on the disk.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_REFUSED = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""The general categories Cc (control characters) and Cs (surrogates)."""

_REORDERS = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
"""Embeddings, overrides and isolates of the Bidirectional Algorithm (Unicode Standard Annex 9). Marks and
joiners, which names need, are not among them."""


def fault_of_name(name: str) -> str | None:
    """Why this name cannot be used, in words that follow "it"; None for a name that can be used."""
    found = _REFUSED.search(name)
    if found is None:
        return None
    return "is not valid UTF-8" if found[0] >= "\ud800" else "holds a control character"


def fault_of_given_name(name: str) -> str | None:
    """The same for the name of a person or a project, by which people know each other.

    It may not hold the characters either that turn the order of the text around, because `evil` would be read
    as `live`.
    """
    if (fault := fault_of_name(name)) is not None:
        return fault
    return (
        "holds a character that changes the order of the text" if _REORDERS.search(name) else None
    )


def shown(name: str) -> str:
    """The name with the characters escaped that `fault_of_name` refuses, so that it can be printed."""
    return _REFUSED.sub(lambda found: found[0].encode("unicode_escape").decode(), name)


def composed(name: str) -> str:
    """The name in canonical composition: equal for all ways to write one name."""
    return unicodedata.normalize("NFC", name)


def tidy_name(name: str) -> str:
    """The name of a class as it is stored: composed, without blanks at its ends."""
    return composed(name).strip()


def twin_key(name: str) -> str:
    """Equal for names that differ only in case, in their blanks, or in how they are written.

    A run of blanks counts as one; blanks at the ends do not count.
    """
    return composed(" ".join(composed(name).casefold().split()))


def twin_of(name: str, known: Iterable[str]) -> str | None:
    """The first known name that is another one and differs only in case or blanks; None without one."""
    key, own = twin_key(name), composed(name)
    return next((each for each in known if composed(each) != own and twin_key(each) == key), None)


def as_on_disk(path: Path) -> Path:
    """The existing file or folder of this name, as the disk spells it; else the path as it was given.

    Looks into folders only where the given spelling does not exist.
    """
    if str(path).isascii() or os.path.lexists(path):
        return path
    parent = as_on_disk(path.parent) if path.parent != path else path
    wanted = composed(path.name)
    try:
        with os.scandir(parent) as entries:
            names = sorted(entry.name for entry in entries if composed(entry.name) == wanted)
    except OSError:
        return path
    return parent / names[0] if names else path
