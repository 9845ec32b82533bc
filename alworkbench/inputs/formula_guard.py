"""Texts in tables that a spreadsheet would run as formulas: guarded by an apostrophe, and read back."""

from __future__ import annotations

import re
from typing import Any

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\0")
_GUARD = "'"
_SIGNED_NUMBER = re.compile(r"[+-]\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
"""A spreadsheet shows such a cell as the number that it is, so it needs no guard."""


def harmless(value: Any) -> Any:
    """The value, changed so that no spreadsheet runs it as a formula (OWASP ASVS 1.2.10).

    An apostrophe goes before a text that begins like a formula. It also goes before a text that begins like
    a guarded one, so that `unguarded` gives every text back. A signed number such as -1 stays as it is.
    """
    return f"{_GUARD}{value}" if isinstance(value, str) and _needs_guard(value) else value


def unguarded(value: str) -> str:
    """The text without the apostrophe of `harmless`; a text that was not guarded stays as it is."""
    rest = value[1:]
    guarded = value.startswith(_GUARD) and rest.startswith((*_FORMULA, _GUARD))
    return rest if guarded else value


def _needs_guard(value: str) -> bool:
    if value.startswith(_GUARD):
        return value[1:].startswith((*_FORMULA, _GUARD))
    return value.startswith(_FORMULA) and _SIGNED_NUMBER.fullmatch(value) is None
