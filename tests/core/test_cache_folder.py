"""A cache is bounded, forgets what was used least recently, and is never the reason for an error."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from alworkbench.core import cache_folder
from alworkbench.core.cache_folder import CacheFolder

TEN = b"0123456789"


def age(cache: CacheFolder, name: str, seconds: float) -> None:
    then = time.time() - seconds
    os.utime(cache.folder / name, (then, then))


def names(cache: CacheFolder) -> set[str]:
    return {p.relative_to(cache.folder).as_posix() for p in cache.folder.rglob("*") if p.is_file()}


def test_what_is_put_is_found_and_what_is_not_there_is_none(tmp_path: Path):
    cache = CacheFolder(tmp_path / "cache", 1000)
    assert cache.get("a/b") is None
    assert not (tmp_path / "cache").exists()  # reading makes nothing
    assert cache.put("a/b", TEN)
    assert (cache.get("a/b"), cache.holds("a/b"), cache.bytes()) == (TEN, True, 10)
    assert cache.put("a/b", b"new")
    assert cache.get("a/b") == b"new"
    shutil.rmtree(cache.folder)
    assert (cache.get("a/b"), cache.bytes()) == (None, 0)
    assert cache.put("a/b", TEN)


def test_the_files_used_least_recently_are_removed_first(tmp_path: Path):
    cache = CacheFolder(tmp_path, 100)
    for number in range(10):
        cache.put(f"{number}", TEN)
        age(cache, f"{number}", 100_000 - number)
    assert cache.get("0") == TEN  # a use: now it is the newest
    cache.put("more", TEN)
    cache.tidy()
    assert names(cache) == {"0", "3", "4", "5", "6", "7", "8", "9", "more"}
    assert cache.bytes() == 90


@pytest.mark.parametrize("processes", [1, 2])
def test_the_size_is_bounded_whoever_adds(tmp_path: Path, processes: int):
    caches = [CacheFolder(tmp_path, 160) for _ in range(processes)]
    for number in range(24):
        assert caches[number % processes].put(f"{number:03d}", TEN)
        # Each may add a sixteenth of the limit, and one file, before it measures the folder again.
        assert caches[0].bytes() <= 160 + processes * 20
    assert "023" in names(caches[0])


def test_threads_and_two_processes_share_the_folder(tmp_path: Path):
    caches = [CacheFolder(tmp_path, 50), CacheFolder(tmp_path, 50)]
    wrong: list[object] = []

    def use(cache: CacheFolder) -> None:
        for number in range(8):
            data = bytes([number]) * 10
            cache.put(f"{number}", data)
            if cache.get(f"{number}") not in (data, None):
                wrong.append(number)

    threads = [threading.Thread(target=use, args=(cache,)) for cache in caches * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not [name for name in names(caches[0]) if name.endswith(".part")]


def test_drafts_of_killed_processes_are_removed_when_they_are_old(tmp_path: Path):
    cache = CacheFolder(tmp_path, 1000)
    for name in (".old.1-1.part", ".new.1-2.part"):
        (tmp_path / name).write_bytes(TEN)
    age(cache, ".old.1-1.part", 2 * cache_folder.RENEWED)
    cache.tidy()
    assert names(cache) == {".new.1-2.part"}


def test_without_permission_to_write_nothing_is_written(tmp_path: Path):
    CacheFolder(tmp_path, 1000).put("there", TEN)
    age(CacheFolder(tmp_path, 1000), "there", 1e6)
    before = (tmp_path / "there").stat().st_mtime_ns
    cache = CacheFolder(tmp_path, 5, may_write=False)
    assert not cache.put("new", TEN)
    cache.tidy()
    assert cache.get("there") == TEN
    assert (tmp_path / "there").stat().st_mtime_ns == before
    assert names(cache) == {"there"}


def test_a_nearly_full_disk_is_left_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "free")
    cache = CacheFolder(tmp_path / "cache", 1000)
    monkeypatch.setattr(
        cache_folder.shutil, "disk_usage", lambda _: usage(cache_folder.LEAST_FREE + 9)
    )
    assert not cache.put("a", TEN)
    assert cache.put("b", TEN[:9])


def test_a_file_that_cannot_be_written_is_not_kept(tmp_path: Path):
    (tmp_path / "cache").write_bytes(b"a file where the folder should be")
    assert not CacheFolder(tmp_path / "cache", 1000).put("a/b", TEN)
    assert CacheFolder(tmp_path / "cache", 1000).get("a/b") is None
