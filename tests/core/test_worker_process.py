"""The end of a worker process reaches every waiting thread with its reason."""

import os
import signal
import subprocess
import sys
import threading
import time
import types
from functools import partial
from pathlib import Path

import pytest

from alworkbench.core.worker_process import READY, WorkerEnded, WorkerPool, WorkerProcess

ROOT = Path(__file__).parents[2]
LARGE = b"x" * 2_000_000
"""More than a pipe or a socket holds: sending it takes a reader."""


def work(line, factor):
    """Multiplies numbers; ends in the way that a text names."""
    if factor == "die":
        os._exit(3)
    line.send_bytes(READY)
    while True:
        try:
            asked = line.recv()
        except EOFError:
            return
        if asked == "exit":
            os._exit(4)
        if asked == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if asked == "raise":
            raise ValueError("no such number")
        if asked == "sleep":
            time.sleep(1000)
        line.send(factor * asked)


@pytest.fixture
def pool():
    made = []

    def make(argument, function=work):
        made.append(WorkerPool(partial(WorkerProcess, function), argument))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_every_thread_has_one_worker_of_its_own(pool):
    workers, found = pool(3), []

    def ask(number):
        mine = workers.worker()
        mine.line.send(number)
        found.append((mine.line.recv(), mine is workers.worker(), mine))

    threads = [threading.Thread(target=ask, args=(number,)) for number in (5, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(product for product, *_ in found) == [15, 21]
    assert all(kept for _, kept, _ in found)
    assert found[0][2] is not found[1][2]


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ("exit", "^ended with exit status 4$"),
        ("kill", r"^was killed by signal 9 \("),
        ("raise", "^ended with exit status 1; its last words: ValueError: no such number$"),
    ],
)
def test_a_worker_that_ends_is_reported_and_replaced(pool, asked, why):
    workers = pool(2)
    worker = workers.worker()
    worker.line.send(asked)
    with pytest.raises((EOFError, ConnectionError)):
        worker.line.recv()
    with pytest.raises(WorkerEnded, match=why):
        raise worker.ended()
    other = workers.worker()
    assert other is not worker
    other.line.send(4)
    assert other.line.recv() == 8


def test_a_worker_that_ends_at_its_start_is_reported(pool):
    with pytest.raises(WorkerEnded, match="exit status 3"):
        pool("die").worker()


def test_a_failed_import_in_the_worker_is_reported(pool):
    def elsewhere():
        pass

    elsewhere.__module__ = "no_such_module"
    with pytest.raises(WorkerEnded, match=r"exit status 1; .*ModuleNotFoundError.*no_such_module"):
        pool(LARGE, elsewhere).worker()


def test_an_argument_that_the_worker_cannot_read_is_reported(pool, monkeypatch):
    class Local:
        pass

    module = types.ModuleType("only_here")
    Local.__module__, Local.__qualname__, module.Local = "only_here", "Local", Local
    monkeypatch.setitem(sys.modules, "only_here", module)
    with pytest.raises(WorkerEnded, match=r"ModuleNotFoundError.*only_here"):
        pool((LARGE, Local())).worker()


def test_killing_the_workers_wakes_all_waiting_threads_and_starts_no_other(pool):
    workers, heard = pool(2), []
    waiting = threading.Event()

    def wait():
        mine = workers.worker()
        mine.line.send("sleep")
        waiting.set()
        try:
            mine.line.recv()
        except (EOFError, ConnectionError) as error:
            heard.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    waiting.wait()
    workers.kill()
    thread.join()
    assert len(heard) == 1
    with pytest.raises(WorkerEnded, match="given up"):
        workers.worker()


SCRIPT = """
from functools import partial
from alworkbench.core.worker_process import WorkerPool, WorkerProcess
from tests.core.test_worker_process import work
pool = WorkerPool(partial(WorkerProcess, work), 6)
worker = pool.worker()
worker.line.send(7)
print(worker.line.recv(), flush=True)
worker.line.send({last!r})
{then}
"""


def script(path, last, then):
    """A script without `if __name__ == "__main__"` that uses a worker."""
    path.write_text(SCRIPT.format(last=last, then=then))
    return subprocess.Popen(
        [sys.executable, str(path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_script_needs_no_main_guard(tmp_path):
    with script(tmp_path / "unguarded.py", 1, "pool.close()") as running:
        assert running.stdout.read() == "42\n"
    assert running.returncode == 0


def test_a_busy_worker_ends_when_its_parent_is_killed(tmp_path):
    psutil = pytest.importorskip("psutil")
    with script(tmp_path / "parent.py", "sleep", "import time; time.sleep(1000)") as parent:
        assert parent.stdout.readline() == "42\n"
        (worker,) = psutil.Process(parent.pid).children()
        parent.kill()
    while worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE:
        time.sleep(0.05)  # the time limit of the test is the assertion
