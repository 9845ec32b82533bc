"""What is kept in memory is what would be made anew, and is made once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from alworkbench.core.kept_values import KeptFiles, KeptValues


def test_a_value_is_made_once_for_each_mark_that_is_kept() -> None:
    made: list[str] = []

    def make(mark: str) -> str:
        made.append(mark)
        return mark.upper()

    kept: KeptValues[str] = KeptValues(most=2)
    assert [kept.of(mark, lambda mark=mark: make(mark)) for mark in "aabab"] == list("AABAB")
    assert made == ["a", "b"]
    kept.of("c", lambda: make("c"))  # in place of a, which was asked for before b
    kept.of("b", lambda: make("b"))
    kept.of("a", lambda: make("a"))
    assert made == ["a", "b", "c", "a"]

    def fail() -> str:
        raise ValueError

    with pytest.raises(ValueError):
        kept.of("d", fail)
    assert kept.of("d", lambda: make("d")) == "D"


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    read: list[str] = []

    def content(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    kept = KeptFiles(content, most_bytes=100)
    one = tmp_path / "one"
    one.write_text("first")
    assert [kept.of(one), kept.of(one)] == ["first", "first"]
    one.write_text("the second")
    assert [kept.of(one), kept.of(one)] == ["the second", "the second"]
    assert read == ["one", "one"]
    one.unlink()
    with pytest.raises(FileNotFoundError):
        kept.of(one)
    assert not kept._kept  # what a file said that is gone takes no memory


def test_of_more_files_than_fit_the_newest_are_found_again_whatever_the_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def content(path: Path) -> str:
        read.append(path.name)
        return path.read_text()

    def refuse(path: Path, **_: object) -> bool:
        raise AssertionError(path)

    monkeypatch.setattr(Path, "exists", refuse)  # a look at one file is no look at all others
    kept = KeptFiles(content, most_bytes=30)
    files = [tmp_path / str(n) for n in range(5)]
    for n, path in enumerate(files):
        path.write_text(f"{n} has ten.")
        os.utime(path, ns=(n, n))
    for path in files:
        kept.of(path)
    for order in (files, files[::-1]):
        read.clear()
        assert [kept.of(path)[0] for path in order] == [path.name for path in order]
        assert sorted(read) == ["0", "1"]
    large = tmp_path / "large"
    large.write_text("as large as all the others together, and more")
    assert kept.of(large) == kept.of(large)
    assert read.count("large") == 1
    assert list(kept._kept) == [large]
