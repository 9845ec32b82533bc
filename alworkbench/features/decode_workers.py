"""Worker processes that decode ahead of the tower, in the order asked for.

A crash or a hang of a decoder costs one image, and Python's lock is not shared with the tower.

A worker is a fresh interpreter, not a fork: a process that has used torch or CUDA threads cannot be
forked safely, and `multiprocessing` would import the main module again, which under Streamlit is a
page. Its start is an import of torch (2 to 4 s), so small jobs do without (`encoding.py`).
"""

from __future__ import annotations

import json
import math
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from multiprocessing import ProcessError
from multiprocessing.connection import Pipe
from pathlib import Path
from typing import IO

import PIL.Image

from alworkbench.core.domain import QuarantineCode
from alworkbench.core.errors import EncoderError
from alworkbench.features.decode import Decoded, Preprocess, Task, refused, shared_pixels
from alworkbench.features.entry import Entry

CHUNK = 8
"""Images that a worker is sent at once: enough to hide the way there and back."""
READY_SECONDS = 120.0
"""A worker imports torch first: 2 to 4 s, far more on a busy network file system."""
MAX_CRASHES_IN_A_ROW = 5


def decode_apart(
    preprocess: Preprocess,
    tasks: Sequence[Task],
    *,
    workers: int,
    ahead: int,
    timeout: float,
) -> Generator[Decoded, None, None]:
    """Decode with worker processes, at most about `ahead` images before the one that is asked for.

    An image that takes longer than `timeout` seconds, or ends its worker, gets a code. Raises
    EncoderError when workers cannot start, or end one after the other.
    """
    pool = _Pool(preprocess, tasks, workers, max(ahead, workers * CHUNK), timeout)
    pool.start()
    try:
        for index in range(len(tasks)):
            yield pool.take(index)
    finally:
        pool.stop()


class _Pool:
    """One thread for each worker, which feeds it, watches it, and replaces it when it dies."""

    def __init__(
        self,
        preprocess: Preprocess,
        tasks: Sequence[Task],
        workers: int,
        ahead: int,
        timeout: float,
    ) -> None:
        shape = tuple(preprocess(PIL.Image.new("RGB", (16, 16))).shape)  # that of every picture
        self._program = _Program(pickle.dumps(preprocess), shape)
        self._tasks, self._timeout = tasks, timeout
        self._next = 0
        self._giving = threading.Lock()
        self._free = threading.Semaphore(ahead)
        self._changed = threading.Condition()
        self._results: dict[int, Decoded] = {}
        self._error: BaseException | None = None
        self._workers: dict[int, _Worker] = {}
        self._stopping = False
        self._threads = [threading.Thread(target=self._tend, daemon=True) for _ in range(workers)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def take(self, index: int) -> Decoded:
        """Wait for a result; makes room for one more."""
        with self._changed:
            while index not in self._results and self._error is None:
                self._changed.wait()
            if self._error is not None:
                raise self._error
            found = self._results.pop(index)
        self._free.release()
        return found

    def stop(self) -> None:
        """End everything at once, also while images are being decoded."""
        with self._changed:
            self._stopping = True
            for worker in self._workers.values():
                worker.kill()
        self._free.release(len(self._threads) * CHUNK)
        for thread in self._threads:
            thread.join()

    def _some(self) -> range:
        """The next few tasks, when there is room for their results."""
        with self._giving:
            first = self._next
            for _ in range(min(CHUNK, len(self._tasks) - first)):
                self._free.acquire()
                if self._stopping:
                    return range(0)
                self._next += 1
            return range(first, self._next)

    def _tend(self) -> None:
        try:
            while chunk := self._some():
                self._decode(deque(chunk))
        except BaseException as error:  # whatever it is, the one who waits must hear of it
            with self._changed:
                self._error = self._error or error
                self._changed.notify_all()
        finally:
            self._dismiss()

    def _decode(self, left: deque[int]) -> None:
        """Have the worker of this thread decode these tasks; each gets a result."""
        crashes = 0
        while left and not self._stopping:
            worker = self._worker()
            try:
                worker.send([self._tasks[k] for k in left])
                while left:
                    self._put(left[0], worker.receive(self._tasks[left[0]], self._timeout))
                    left.popleft()
                    crashes = 0
            except TimeoutError:
                self._put(left[0], _hung(self._tasks[left[0]], self._timeout))
            except (EOFError, OSError, ProcessError, ValueError, KeyError, TypeError) as error:
                crashes += 1
                if crashes == MAX_CRASHES_IN_A_ROW and not self._stopping:
                    raise _crashing(self._tasks[left[0]], crashes) from error
                self._put(left[0], _crashed(self._tasks[left[0]], worker))
            if left:
                left.popleft()
                self._dismiss()

    def _put(self, index: int, found: Decoded) -> None:
        with self._changed:
            self._results[index] = found
            self._changed.notify_all()

    def _worker(self) -> _Worker:
        """The worker of this thread, started if there is none."""
        own = threading.get_ident()
        with self._changed:
            worker = self._workers.get(own)
        if worker is not None and worker.has_ended():  # between two tasks: no image is to blame
            self._dismiss()
            worker = None
        if worker is None:
            worker = _Worker(self._program)
            with self._changed:
                self._workers[own] = worker
                if self._stopping:
                    worker.kill()
            worker.await_ready()
        return worker

    def _dismiss(self) -> None:
        with self._changed:
            worker = self._workers.pop(threading.get_ident(), None)
        if worker is not None:
            worker.close()


def _hung(task: Task, timeout: float) -> Decoded:
    return Decoded(refused(task, QuarantineCode.TIMEOUT, f"not decoded in {timeout:g} s"), None)


def _crashed(task: Task, worker: _Worker) -> Decoded:
    detail = f"the decoding process ended with it (exit status {worker.exit_status()})"
    return Decoded(refused(task, QuarantineCode.CRASH, detail), None)


def _crashing(task: Task, crashes: int) -> EncoderError:
    return EncoderError(
        f"{crashes} images in a row ended the process that decoded them, the last one {task.path}. "
        f"The machine may be out of memory: try `alworkbench encode --workers 1`. What was encoded "
        f"is kept."
    )


@dataclass(frozen=True, slots=True)
class _Program:
    """What a worker is told at its start."""

    preprocess: bytes
    shape: tuple[int, ...]
    """Of the pixels: channels, height, width."""


class _Worker:
    """A decoding process, the line to it, and the memory that it shares."""

    def __init__(self, program: _Program) -> None:
        self._line, theirs = Pipe()
        self._shared = _shared_file(4 * CHUNK * math.prod(program.shape))
        self._slots = shared_pixels(self._shared, CHUNK, program.shape)
        self._answered = 0
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        # The worker finds this package where we did, and leaves the cores to the tower.
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        environment = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
        handed_over = [theirs.fileno(), self._shared.fileno()]
        command = [sys.executable, "-m", "alworkbench.features.decode", *map(str, handed_over)]
        with theirs:
            self._process = subprocess.Popen(
                command,
                env=environment,
                pass_fds=handed_over,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
            )
        self._program = program

    def await_ready(self) -> None:
        try:
            self._line.send_bytes(self._program.preprocess)
            self._line.send_bytes(json.dumps([CHUNK, self._program.shape]).encode())
            ready = self._line.poll(READY_SECONDS) and self._line.recv_bytes(16) == b"ready"
        except (EOFError, OSError):
            ready = False
        if not ready:
            status = self.exit_status()  # it may still be writing what went wrong
            self._process.kill()
            self._stderr.seek(0)
            said = self._stderr.read()[-2000:].decode(errors="replace").strip() or "nothing"
            raise EncoderError(
                f"A decoding process did not start (exit status {status}); it said: {said}. "
                f"`alworkbench encode --workers 0` decodes without one."
            )

    def send(self, tasks: Sequence[Task]) -> None:
        """At most CHUNK tasks, when all that were sent before have been answered."""
        self._answered = 0
        self._line.send_bytes(json.dumps([asdict(task) for task in tasks]).encode())

    def receive(self, task: Task, timeout: float) -> Decoded:
        """The answer to the oldest task without one. Raises TimeoutError, EOFError, OSError."""
        if not self._line.poll(timeout):
            raise TimeoutError
        answer = json.loads(self._line.recv_bytes(1 << 20))
        code = None if answer["code"] is None else QuarantineCode(answer["code"])
        facts = {name: answer[name] for name in ("bytes", "modified_ns", "width", "height")}
        entry = Entry(task.hash, task.path, **facts, code=code, detail=answer["detail"])
        pixels = self._slots[self._answered].clone() if code is None else None
        self._answered += 1
        return Decoded(entry, pixels)

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def exit_status(self) -> int | None:
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of it."""
        self._process.kill()
        self._process.wait()
        self._line.close()
        self._shared.close()
        self._stderr.close()


def _shared_file(size: int) -> IO[bytes]:
    """Memory that two processes may map; a file without a name where the system has nothing better.

    Not in /dev/shm, which containers keep small: to write past its end is no error but a signal.
    """
    if hasattr(os, "memfd_create"):
        file: IO[bytes] = os.fdopen(os.memfd_create("alworkbench-pixels"), "r+b")
    else:
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
    file.truncate(size)
    return file
