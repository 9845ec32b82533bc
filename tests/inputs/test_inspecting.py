"""Files are inspected by processes: a file that hangs or ends its process costs itself alone."""

from __future__ import annotations

import io
import os
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.worker_process import WorkerPool
from alworkbench.inputs import decode_limits
from alworkbench.inputs.decode_limits import LargePicture
from alworkbench.inputs.inspecting import InspectTask, inspect_files
from alworkbench.inputs.picture import Inspection, Undecodable, inspect_file
from alworkbench.inputs.picture_workers import (
    Crashing,
    PictureWorker,
    serve_files,
    work_through,
)


def picture(path: Path, width: int = 8, height: int = 6, **options: Any) -> Path:
    buffer = io.BytesIO()
    shades = np.arange(width * height, dtype=np.uint8).reshape(height, width)
    Image.fromarray(shades).save(buffer, "PNG", **options)
    path.write_bytes(buffer.getvalue())
    return path


def test_processes_find_what_this_process_finds_in_the_order_of_the_files(tmp_path: Path):
    paths = [picture(tmp_path / f"{n}.png", 8 + n) for n in range(50)]
    (tmp_path / "7.png").write_bytes(b"no picture")
    (tmp_path / "9.png").write_bytes(b"")
    expected: list[Any] = []
    for path in paths:
        try:
            expected.append(inspect_file(path))
        except Undecodable as error:
            expected.append((error.code, error.detail))
    for workers in (1, 3):
        found = inspect_files(paths, workers=workers)
        assert [
            (each.code, each.detail) if isinstance(each, Undecodable) else each for each in found
        ] == expected


def test_a_file_that_keeps_its_process_for_too_long_is_set_aside(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")  # to open it is to wait for ever
    paths = [picture(tmp_path / "a.png"), tmp_path / "pipe", picture(tmp_path / "b.png", 9)]
    first, hung, last = inspect_files(paths, workers=1, timeout=1.0)
    assert isinstance(first, Inspection)
    assert isinstance(last, Inspection)
    assert isinstance(hung, Undecodable)
    assert (hung.code, hung.detail) == (QuarantineCode.TIMEOUT, "not decoded in 1 s")


def test_processes_end_with_the_reading(tmp_path: Path):
    def children() -> int:
        return len(psutil.Process().children(recursive=True))

    before = children()
    found = inspect_files([picture(tmp_path / f"{n}.png", 8 + n) for n in range(60)], workers=2)
    next(found)
    assert children() > before
    found.close()
    assert children() == before


class Fake(PictureWorker[InspectTask, str]):
    def __init__(self, argument: bytes) -> None:
        super().__init__(serve_fake, argument)

    def read(self, answer: dict[str, Any], task: InspectTask, position: int) -> str:
        return f"{answer['said']} {position}"


def serve_fake(line: Connection, _: None) -> None:
    def answer(task: InspectTask, position: int) -> dict[str, Any]:
        if task.path == "crash":
            os._exit(3)
        if task.path == "hang":
            time.sleep(600)
        if task.path == "large" and not task.large_too:
            raise LargePicture
        return {"said": task.path}

    serve_files(line, InspectTask, answer)


def refused(task: InspectTask, code: QuarantineCode, detail: str) -> str:
    return f"{task.path}: {code}: {detail}"


def worked(paths: str, **options: Any) -> list[str]:
    tasks = [InspectTask(path) for path in paths.split()]
    pool = WorkerPool(Fake, None)
    try:
        return work_through(pool, tasks, timeout=1.0, refused=refused, **options)
    finally:
        pool.close()


def test_a_crash_and_a_hang_cost_one_file_each():
    found = worked("a crash b hang c")
    assert found[0].startswith("a ")
    assert found[1] == "crash: crash: the process that decoded it ended with exit status 3"
    assert found[3] == "hang: timeout: not decoded in 1 s"
    assert [found[n].split()[0] for n in (2, 4)] == ["b", "c"]


def test_large_pictures_are_handed_back_and_decoded_in_their_turn():
    assert worked("a large b large") == ["a 0", "large 0", "b 2", "large 0"]


def test_crashes_in_a_row_end_the_work_where_a_limit_is_given():
    assert len(worked("crash crash crash")) == 3
    with pytest.raises(Crashing) as ended:
        worked("crash crash crash", most_crashes=2)
    assert (ended.value.path, ended.value.crashes) == ("crash", 2)


# --------------------------------------------------------------------------------------- memory


def test_memory_is_limited_by_the_header_before_any_pixel_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = picture(tmp_path / "a.png", 100, 100)
    needed = path.stat().st_size + 5 * 100 * 100  # one byte of grey, four of RGB
    monkeypatch.setattr(decode_limits, "MAX_MEMORY", needed)
    assert inspect_file(path).width == 100
    monkeypatch.setattr(decode_limits, "MAX_MEMORY", needed - 1)
    with pytest.raises(Undecodable, match="100 x 100 pixels take 0 MB to decode") as found:
        inspect_file(path)
    assert found.value.code is QuarantineCode.BOMB


def test_a_picture_beside_others_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = picture(tmp_path / "a.png", 100, 100)
    monkeypatch.setattr(decode_limits, "SMALL", 40_000)
    with pytest.raises(LargePicture):
        inspect_file(path, large_too=False)
    assert inspect_file(path) == inspect_file(path, large_too=True)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems limit no address space")
def test_a_decoder_that_takes_more_than_its_header_says_is_refused_the_memory():
    pool = WorkerPool(Greedy, None)
    try:
        (found,) = work_through(pool, [InspectTask("x")], timeout=60.0, refused=refused)
    finally:
        pool.close()
    assert found == "refused"


class Greedy(PictureWorker[InspectTask, str]):
    def __init__(self, argument: bytes) -> None:
        super().__init__(serve_greedy, argument)

    def read(self, answer: dict[str, Any], task: InspectTask, position: int) -> str:
        return str(answer["said"])


def serve_greedy(line: Connection, _: None) -> None:
    def answer(task: InspectTask, position: int) -> dict[str, Any]:
        try:
            bytearray(2 * (decode_limits.MAX_MEMORY + decode_limits.SPARE))
        except MemoryError:
            return {"said": "refused"}
        return {"said": "allowed"}

    serve_files(line, InspectTask, answer)
