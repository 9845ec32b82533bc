"""Worker processes: new Python interpreters that compute for this process, one for each thread.

A worker imports the module of the function that it runs. It is not a fork, because a process that
has used threads of torch or CUDA cannot be forked safely. It does not import the main module, as
`multiprocessing` does: that would run a script without `if __name__ == "__main__"` again, and draw
a Streamlit page. Parent and worker talk through a socket pair. When one of them ends, for whatever
reason, the other one is woken at once.

`concurrent.futures` and `pebble` 5.2 were tried instead. Both import the main module. Both wait for
ever when a worker ends before it has read a first message of more than 64 KB (the size of a pipe).
`concurrent.futures` has no time limit for a task, and gives up all tasks when one worker ends.
`pebble` has time limits, but it gave up ("All workers expired") after 3 and 5 workers were killed at
random, and two of its workers decoded 0.7 times as many images a second as two of these.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import Any, Generic, TypeVar

READY = b"ready"
READY_SECONDS = 120.0
"""A worker imports torch first: 2 to 4 s, far more on a busy network file system."""
LAST_WORDS = 300
"""Characters of a worker's last line of output that errors quote."""


class WorkerEnded(Exception):
    """A worker ended, or did not start in time. Its text says how, in words that follow 'it'."""


class WorkerProcess:
    """A process that runs `function(line, argument, *descriptors)`, and the line to it.

    `function` is a function of an importable module. It sends READY when it can work, and returns
    when the line is closed. `argument` is its pickle; `descriptors` are open files that it inherits.
    """

    def __init__(
        self,
        function: Callable[..., None],
        argument: bytes,
        *descriptors: int,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.line, theirs = Pipe()
        self._argument = argument
        self.waited = False
        """Whether it has waited for this work since it ended another one; it may have died meanwhile."""
        self._output = tempfile.TemporaryFile()  # noqa: SIM115  closed with the worker
        paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        handed_over = [theirs.fileno(), *descriptors]
        command = [sys.executable, "-m", __name__, function.__module__, function.__qualname__]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(os.getpid()), *map(str, handed_over)],
                env={**os.environ, "PYTHONPATH": paths, **(variables or {})},
                pass_fds=handed_over,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._output,
            )

    def take_up(self, argument: bytes) -> None:
        """Give it another argument, which `await_ready` sends. Its function must expect that."""
        self._argument = argument
        self.waited = True

    def await_ready(self) -> None:
        """Raises WorkerEnded where it does not come to work."""
        try:
            self.line.send_bytes(self._argument)
            self._argument = b""  # it may be large, and is sent once
            ready = self.line.poll(READY_SECONDS) and self.line.recv_bytes(16) == READY
        except (EOFError, OSError):
            ready = False
        if not ready:
            raise self.ended()

    def ended(self) -> WorkerEnded:
        """How it ended, with its last line of output. It is killed if it still runs."""
        status = self.exit_status()  # it may still be writing what went wrong
        self.kill()
        self._output.seek(0)
        lines = self._output.read()[-10_000:].decode(errors="replace").split("\n")
        said = next((line.strip() for line in reversed(lines) if line.strip()), "")
        how = "did not answer" if status is None else ending(status)
        return WorkerEnded(f"{how}; its last words: {said[-LAST_WORDS:]}" if said else how)

    def has_ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def exit_status(self) -> int | None:
        """None where it still runs after some seconds."""
        try:
            return self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return None

    def kill(self) -> None:
        """End the process; whoever waits for it is woken."""
        self._process.kill()

    def close(self) -> None:
        """End the process and let go of it."""
        self._process.kill()
        self._process.wait()
        self.line.close()
        self._output.close()


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def packed(argument: object) -> bytes:
    """What a WorkerProcess takes as its `argument`: values alone, with nothing of them in shared memory."""
    return pickle.dumps(argument)


def unpacked(data: bytes) -> Any:
    """What was `packed`, by this program or by a worker that it started; never what a file holds."""
    return pickle.loads(data)


def ending(status: int) -> str:
    """An exit status in words."""
    if status >= 0:
        return f"ended with exit status {status}"
    return f"was killed by signal {-status} ({signal.strsignal(-status)})"


Worker = TypeVar("Worker", bound=WorkerProcess)


class WorkerPool(Generic[Worker]):
    """One worker for each thread that asks for it. All of them can be ended at any time."""

    def __init__(self, start: Callable[[bytes], Worker], argument: object) -> None:
        """`start` makes a worker from the pickle of `argument`, which is made once for all."""
        self._start = start
        self._argument = packed(argument)
        self._workers: dict[int, Worker] = {}
        self._lock = threading.Lock()
        self._closed = False

    def worker(self) -> Worker:
        """The worker of this thread, started if there is none or it has ended. Raises WorkerEnded."""
        thread = threading.get_ident()
        with self._lock:
            known = self._workers.get(thread)
        if known is not None:
            if not known.has_ended():
                return known
            self.dismiss()
        while True:
            with self._lock:
                if self._closed:
                    raise WorkerEnded("was not started: the work was given up")
                fresh = self._workers[thread] = self._start(self._argument)
            try:
                fresh.await_ready()
            except WorkerEnded:
                if not fresh.waited:
                    raise
                self.dismiss()  # another one takes its place
            else:
                return fresh

    def dismiss(self) -> None:
        """End the worker of this thread, if it has one."""
        with self._lock:
            worker = self._workers.pop(threading.get_ident(), None)
        if worker is not None:
            worker.close()

    def kill(self) -> None:
        """End all workers and start no other. Threads that wait for one are woken."""
        with self._lock:
            self._closed = True
            for worker in self._workers.values():
                worker.kill()

    def release(self) -> list[Worker]:
        """Give away all workers that go on, when no thread uses one any more."""
        with self._lock:
            given = [worker for worker in self._workers.values() if not worker.has_ended()]
            self._workers = {k: w for k, w in self._workers.items() if w.has_ended()}
        return given

    def close(self) -> None:
        """Let go of all workers, when no thread uses one any more."""
        self.kill()
        while self._workers:
            self._workers.popitem()[1].close()


# ------------------------------------------------------------------------------------ in the worker


def _work(module: str, function: str, parent: str, line: str, *descriptors: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    run = getattr(import_module(module), function)
    with Connection(int(line)) as connection:
        run(connection, pickle.loads(connection.recv_bytes()), *map(int, descriptors))


def _end_with(parent: int) -> None:
    """A parent that was killed ends no worker, and a busy worker does not look at the line."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    _work(*sys.argv[1:])
