"""What an engine is: it applies a function to groups, and gives the results in the order of the groups.

A group is a small description of work, such as the names of some shards and the rows to read. A result is
small too: counts, a sum, the best rows. Vectors stay in their files, which every worker reads itself.

Whatever the engine and the number of its workers are, results have the same bits: the caller fixes the
groups, each group is computed with one thread of torch (`group_work.answer`), and the results come in the
order of the groups, so that sums are added in that order. This holds for machines with the same kind of
processor; other processors round matrix products otherwise.

A function must give the same result when it is run again for the same group, and may be run twice at once:
a worker that is believed dead can still write. Files are therefore made under another name and renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

from alworkbench.core.errors import EngineError

if TYPE_CHECKING:
    from torch import Tensor

TRIES = 4
"""So often is a group begun whose worker ended. An exception of the function is final at once."""
GROUPS_AHEAD = 4
"""Groups that are handed out for each worker, so that none waits for the order of the results."""

Group = TypeVar("Group")
Result = TypeVar("Result")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Shared(Generic[Value]):
    """A value that every worker can read: it is sent to each machine once, not with each group."""

    handle: Any
    """What the engine that made it finds the value by."""


@dataclass(frozen=True, slots=True)
class GroupFailed:
    """Why a group has no result. The other groups have theirs."""

    crashed: bool
    """Whether its worker ended in each of TRIES tries; otherwise the function raised an exception."""
    detail: str
    """In words, or the text of the exception."""


@runtime_checkable
class Engine(Protocol):
    """The local and the Ray engine. Use it as a context manager: at its end all workers end."""

    @property
    def name(self) -> str:
        """What `--engine` calls it."""
        ...

    def broadcast(self, value: Value) -> Shared[Value]:
        """Make a value readable for all workers. It must be picklable, and is not changed later."""
        ...

    def map_groups(
        self,
        function: Callable[[Value, Group], Result],
        shared: Shared[Value],
        groups: Sequence[Group],
        *,
        gpus: int = 0,
    ) -> Generator[Result | GroupFailed, None, None]:
        """`function(value, group)` for each group, in the order of the groups.

        The function is one of an importable module. `gpus` is how many devices each group needs. A group
        whose worker ends is begun again, TRIES times in all. Closing the generator drops the rest. Raises
        EngineError where no worker can start, or where the engine is lost.
        """
        ...

    def close(self) -> None:
        """End the workers, or leave the cluster, which goes on."""
        ...

    def __enter__(self) -> Engine:
        """Itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        ...


def every(found: Iterable[Result | GroupFailed], what: str) -> Generator[Result, None, None]:
    """The results, where each group must have one. Raises EngineError at the first that has none.

    `what` names the work in the message, such as "ranking the pool".
    """
    for position, each in enumerate(found):
        if isinstance(each, GroupFailed):
            raise EngineError(f"While {what}, part {position + 1} failed: {each.detail}")
        yield each


def refuse_device(kind: str, what: str) -> None:
    """Raises EngineError where this process computes on an accelerator: workers would round otherwise.

    `kind` is that of a device of torch; `what` names the work, such as "scoring the pool".
    """
    if kind != "cpu":
        raise EngineError(
            f"An engine computes on processors, but for encoding, and this process is {what} on {kind}. Add "
            f"`--device cpu`."
        )


def parts_alone(parts: Sequence[Tensor]) -> list[Tensor]:
    """Parts of a tensor as groups: a part that is sent as it is brings the numbers of the whole tensor."""
    return [part.clone() for part in parts]


def mapped(
    engine: Engine,
    function: Callable[[Value, Group], Result],
    value: Value,
    groups: Sequence[Group],
    what: str,
    *,
    gpus: int = 0,
) -> Generator[Result, None, None]:
    """`every` result of a function whose shared value is used once."""
    with closing(engine.map_groups(function, engine.broadcast(value), groups, gpus=gpus)) as found:
        yield from every(found, what)
