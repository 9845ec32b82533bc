"""Servers of the tests in processes of their own, which start at once: see `tests.forking`."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from tests.forking import FORKING

ROOT = Path(__file__).parents[2]


class ForkedServer:
    """A process that runs `serve(*arguments)`, with the calls of `subprocess.Popen` that tests use.

    What it prints is added to the file `log`.
    """

    def __init__(
        self, serve: Callable[..., None], arguments: tuple[object, ...], log: Path
    ) -> None:
        variables = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self._process = FORKING.Process(
            target=_run, args=(serve, arguments, str(log), variables), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise TimeoutError(f"the server has not ended after {timeout} s")
        return status

    def kill(self) -> None:
        self._process.kill()

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def _run(
    serve: Callable[..., None], arguments: tuple[object, ...], log: str, variables: dict[str, str]
) -> None:
    import torch

    with Path(log).open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(variables)
    torch.set_num_threads(1)
    serve(*arguments)
