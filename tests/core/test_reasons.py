"""Reasons in words, without error numbers and names of codecs."""

from __future__ import annotations

from pathlib import Path

import pytest

from alworkbench.core.reasons import why_unreadable


def test_a_missing_file_gives_what_the_operating_system_says(tmp_path: Path) -> None:
    with pytest.raises(OSError) as raised:
        (tmp_path / "none").read_bytes()
    assert why_unreadable(raised.value) == "no such file or directory"


def test_bytes_of_another_encoding_are_named_by_their_place() -> None:
    with pytest.raises(UnicodeDecodeError) as raised:
        b"gr\xfcn".decode()
    assert why_unreadable(raised.value) == "byte 3 is not UTF-8"


def test_other_errors_speak_for_themselves() -> None:
    assert why_unreadable(ValueError("it is cut short")) == "it is cut short"
