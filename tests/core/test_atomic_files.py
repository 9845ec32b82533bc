"""A file or folder appears complete, and is synced to the disk before its name."""

import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from alworkbench.core.atomic_files import (
    atomic_folder,
    atomic_new_path,
    atomic_path,
    write_atomically,
)
from alworkbench.core.errors import OutputUnwritable


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every fsync and every rename, in order, with the file it was for."""
    seen: list[tuple[str, str]] = []
    fsync, rename = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        seen.append(("fsync", Path(f"/proc/self/fd/{descriptor}").readlink().name))
        fsync(descriptor)

    def noted_rename(self: Path, target: Path) -> Path:
        seen.append(("rename", target.name))
        return rename(self, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_rename)
    return seen


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to name descriptors")
def test_a_file_is_synced_before_its_name_and_the_name_before_the_return(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    write_atomically(tmp_path / "a.json", b"new")
    (first, draft), renamed, last = calls
    assert first == "fsync"
    assert draft.startswith(".a.json.")
    assert renamed == ("rename", "a.json")
    assert last == ("fsync", tmp_path.name)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to name descriptors")
def test_all_files_of_a_folder_are_synced_before_its_name(
    tmp_path: Path, calls: list[tuple[str, str]]
) -> None:
    with atomic_folder(tmp_path / "made") as draft:
        (draft / "inner").mkdir()
        (draft / "inner" / "a").write_bytes(b"a")
        (draft / "b").write_bytes(b"b")
    at = calls.index(("rename", "made"))
    assert {name for _, name in calls[:at]} == {"inner", "a", "b", ".made.part"}
    assert calls[at + 1 :] == [("fsync", tmp_path.name)]


def fail(draft: Path) -> None:
    draft.write_bytes(b"half")
    raise RuntimeError


def make_nothing(draft: Path) -> None:
    """The block ends without a file."""


@pytest.mark.parametrize("work", [fail, make_nothing])
def test_a_failed_block_keeps_the_old_file(tmp_path: Path, work: Callable[[Path], None]) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises((RuntimeError, OSError)), atomic_path(path) as draft:
        work(draft)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a.json", b"old")]


def test_a_failed_folder_is_removed_and_a_full_folder_is_not_replaced(
    tmp_path: Path,
) -> None:
    with pytest.raises(RuntimeError), atomic_folder(tmp_path / "made") as draft:
        fail(draft / "file")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / ".made.part").mkdir()
    (tmp_path / ".made.part" / "left").touch()
    with atomic_folder(tmp_path / "made") as draft:
        (draft / "file").touch()
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["file"]
    with pytest.raises(OSError, match="not empty"), atomic_folder(tmp_path / "made") as draft:
        (draft / "other").touch()
    assert [p.name for p in (tmp_path / "made").iterdir()] == ["file"]
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def test_of_several_who_make_one_folder_the_first_to_end_makes_it(tmp_path: Path) -> None:
    folder = tmp_path / "made"

    def make(name: str) -> None:
        with atomic_folder(folder, alone=False) as draft:
            (draft / name).touch()

    def make_while_another_does() -> None:
        with ThreadPoolExecutor(1) as other, atomic_folder(folder, alone=False) as draft:
            other.submit(make, "theirs").result()
            (draft / "mine").touch()

    with pytest.raises(OutputUnwritable, match="not empty"):
        make_while_another_does()
    assert [p.name for p in folder.iterdir()] == ["theirs"]
    assert [p.name for p in tmp_path.iterdir()] == ["made"]


def test_concurrent_writers_leave_one_complete_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    contents = [bytes([65 + k]) * 10_000 for k in range(8)]
    threads = [Thread(target=write_atomically, args=(path, content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in contents
    assert [p.name for p in tmp_path.iterdir()] == ["a.json"]


def _into_a_file(folder: Path) -> Path:
    (folder / "file").write_text("x")
    return folder / "file" / "out.csv"


def _onto_a_folder(folder: Path) -> Path:
    (folder / "out.csv").mkdir()
    return folder / "out.csv"


@pytest.mark.parametrize("make", [_into_a_file, _onto_a_folder, lambda f: f / "absent" / "out.csv"])
def test_an_output_that_cannot_be_written_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    target = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(OutputUnwritable, match=r"out.csv cannot be written: .*\. Nothing of it"):
        write_atomically(target, b"new")
    assert sorted(tmp_path.rglob("*")) == before


def test_a_full_disk_is_named_and_the_next_try_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: Path, __: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", full)
        with pytest.raises(OutputUnwritable, match="No space left"):
            write_atomically(tmp_path / "a", b"x")
    assert list(tmp_path.iterdir()) == []
    write_atomically(tmp_path / "a", b"x")


def test_an_error_of_another_file_passes_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a"):
        (tmp_path / "input").read_bytes()


def test_a_name_that_is_taken_meanwhile_keeps_its_content(tmp_path: Path) -> None:
    path = tmp_path / "one"

    def come_late() -> None:
        with atomic_new_path(path) as draft:
            draft.write_bytes(b"second")
            path.write_bytes(b"first")

    with pytest.raises(FileExistsError):
        come_late()
    assert path.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [path]
