"""The Ray engine: the workers of a Ray cluster that somebody has started.

Ray places the groups, starts those of ended workers and lost machines again, and carries the shared value
to each machine once. Only `ray` itself is used (tasks and one object), not its libraries.

Whoever reaches a Ray cluster can run programs on it. A cluster without token authentication is therefore
refused. Ray reports no use of it from here.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from alworkbench import __version__
from alworkbench.core.errors import EngineError, ExtraMissing
from alworkbench.engines.engine import GROUPS_AHEAD, TRIES, GroupFailed, Shared
from alworkbench.engines.group_work import answer

LOOK_SECONDS = 10.0
"""So long is a group waited for before it is asked whether the cluster still has room for it."""
MODES = ("token", "k8s")
"""Values of RAY_AUTH_MODE under which a cluster asks for a token."""

Group = TypeVar("Group")
Result = TypeVar("Result")
Value = TypeVar("Value")


class RayEngine:
    """A connection to a running cluster; this machine must be one of its nodes."""

    def __init__(self, address: str = "auto") -> None:
        """`address` is HOST:PORT of the head node; "auto" is the cluster that this machine belongs to.

        Raises ExtraMissing without Ray, EngineError where no cluster with a token can be reached.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        mode = os.environ.setdefault("RAY_AUTH_MODE", "token")
        if mode not in MODES:
            raise EngineError(
                f"RAY_AUTH_MODE is {mode!r}: without a token, whoever reaches the cluster can run programs "
                f"on it. Remove this variable, here and on every machine of the cluster."
            )
        try:
            import ray
        except ImportError as error:
            raise ExtraMissing("The engine ray", "ray", "ray") from error
        self._ray = ray
        try:
            ray.init(address=address, logging_level="ERROR", log_to_driver=False)
        except Exception as error:  # Ray has no common class of them
            raise EngineError(
                f"No Ray cluster was reached at {address!r}: {_first_line(error)}. Start Ray on this machine "
                f"first; docs/scaling.md says how."
            ) from error
        self._address = address
        self._task = ray.remote(max_retries=TRIES - 1, retry_exceptions=False)(answer)
        try:
            self._refuse_open()
        except BaseException:
            self.close()
            raise

    @property
    def name(self) -> str:
        """What `--engine` calls it."""
        return "ray" if self._address == "auto" else f"ray://{self._address}"

    def broadcast(self, value: Value) -> Shared[Value]:
        """Put the value into the object store of this node, from where the others fetch it."""
        return Shared(self._ray.put(value))

    def map_groups(
        self,
        function: Callable[[Value, Group], Result],
        shared: Shared[Value],
        groups: Sequence[Group],
        *,
        gpus: int = 0,
    ) -> Generator[Result | GroupFailed, None, None]:
        """As `Engine.map_groups` says. Each group takes one processor and `gpus` devices."""
        self._refuse_no_room(gpus)
        task = self._task.options(num_cpus=1, num_gpus=gpus)
        here = str(Path.cwd())
        rest = (task.remote(function, shared.handle, group, __version__, here) for group in groups)
        waiting: deque[Any] = deque()
        try:
            while True:
                waiting.extend(islice(rest, max(0, self._ahead() - len(waiting))))
                if not waiting:
                    return
                result = self._result(waiting[0], gpus)
                waiting.popleft()  # now: Ray may end this program where an ended task is cancelled
                yield result
        finally:
            for left in self._running(waiting):
                self._ray.cancel(left, force=True)

    def close(self) -> None:
        """Leave the cluster, which goes on."""
        self._ray.shutdown()

    def __enter__(self) -> RayEngine:
        """Itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def _ahead(self) -> int:
        """The cluster may grow and shrink meanwhile."""
        return max(1, GROUPS_AHEAD * int(self._ray.cluster_resources().get("CPU", 1)))

    def _running(self, tasks: Sequence[Any]) -> Sequence[Any]:
        """Those of the tasks that have not ended."""
        given = list(tasks)
        return self._ray.wait(given, num_returns=len(given), timeout=0)[1] if given else []

    def _result(self, task: Any, gpus: int) -> Any:
        errors = self._ray.exceptions
        try:
            while not self._ray.wait([task], timeout=LOOK_SECONDS)[0]:
                self._refuse_no_room(gpus)
            done, found = self._ray.get(task)
        except (
            errors.RayTaskError
        ) as error:  # `answer` catches all others: the group cannot be read
            return GroupFailed(False, str(error).strip().splitlines()[-1])
        except errors.RayError as error:
            return GroupFailed(True, f"{_first_line(error)} It was tried {TRIES} times")
        return found if done else GroupFailed(False, found)

    def _refuse_no_room(self, gpus: int) -> None:
        """Raises EngineError where a group would wait for ever."""
        has = self._ray.cluster_resources()
        for kind, needed in (("CPU", 1), ("GPU", gpus)):
            if (found := has.get(kind, 0)) < needed:
                raise EngineError(
                    f"Each part of this work needs {needed} {kind}, and the Ray cluster has {found:g}. Start "
                    f"Ray on a machine that has one."
                )

    def _refuse_open(self) -> None:
        """Raises EngineError for a cluster that asks for no token."""
        self._refuse_no_room(0)
        found: Iterator[Any] = self.map_groups(auth_mode, self.broadcast(None), [None])
        mode = next(found)
        if isinstance(mode, GroupFailed):
            raise EngineError(f"The Ray cluster cannot run this program: {mode.detail}")
        if mode not in MODES:
            raise EngineError(
                "This Ray cluster asks for no token: whoever reaches it can run programs on it. Start it "
                "with RAY_AUTH_MODE=token on every machine; docs/scaling.md says how."
            )


def auth_mode(value: None, group: None) -> str:
    """RAY_AUTH_MODE of the worker that runs this: that of its node."""
    return os.environ.get("RAY_AUTH_MODE", "")


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
