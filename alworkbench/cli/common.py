"""What commands share: options, the project opened, progress, and what is printed."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from alworkbench.api import open_project
from alworkbench.core.progress import Progress

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

# Where nobody watches (a pipe, a log) lines are as long as tables need them.
WIDTH = None if sys.stdout.isatty() else 140
console = Console(highlight=False, width=WIDTH)
complaints = Console(stderr=True, highlight=False)

ProjectOption = Annotated[
    Path,
    typer.Option("--project", "-p", envvar="ALWORKBENCH_PROJECT", help="The project's folder."),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps. auto takes an accelerator if there is one."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")]
MemoryOption = Annotated[
    str | None,
    typer.Option(help="Beside the features, such as 512MiB or 2GiB.", show_default="1GiB"),
]
HERE = Path()

_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_UNITS |= {f"{unit}iB": _UNITS[unit] for unit in "KMGT"}
_UNITS |= {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def escape(text: str) -> str:
    """Names of users are no markup."""
    from rich.markup import escape as escaped

    return escaped(text)


def read_bytes(text: str) -> int:
    """512MiB, 2GiB, 1.5 GB or a number of bytes, as bytes. Raises typer.BadParameter."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = (
        {name.lower(): size for name, size in _UNITS.items()}.get(found[2].lower())
        if found
        else None
    )
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise typer.BadParameter(
            f"{text!r} is no amount of memory; give one such as 512MiB or 2GiB."
        )
    return int(float(found[1]) * unit)


def read_share(
    value: float | None, low: float = 0.0, high: float = 1.0, hint: str | None = None
) -> float | None:
    """A share as it was given; percents are what people write instead. Raises typer.BadParameter."""
    if value is None or low <= value <= high:
        return value
    meant = f" Did you mean {value / 100:g}?" if low <= value / 100 <= high else ""
    raise typer.BadParameter(
        f"{value:g} is no share between {low:g} and {high:g}.{meant}", param_hint=hint
    )


@contextmanager
def opened(project: Path, device: str = "cpu") -> Iterator[Workbench]:
    """The project, closed at the end."""
    from alworkbench.core.devices import describe, resolve_device

    chosen = resolve_device(device)
    if chosen.type != "cpu":
        complaints.print(f"Computing on {describe(chosen)}.")
    with open_project(project, device=device) as workbench:
        yield workbench


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Bars on standard error with what remains; nothing when the output is for a program."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.progress import (
        Progress as Bars,
    )

    if quiet:
        yield lambda what, done, total: None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Bars(*columns, console=complaints) as bars:
        tasks: dict[str, Any] = {}

        def progress(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bars.add_task(what, total=total)
            bars.update(tasks[what], completed=done, total=total)

        yield progress


def tell(as_json: bool, value: Any, words: str) -> None:
    """Print a value as JSON, or the words for people."""
    if as_json:
        print_json(value)
    else:
        console.print(escape(words), soft_wrap=True)


def print_json(value: Any) -> None:
    """Print a value as indented JSON; dataclasses become objects."""
    print(json.dumps(value, default=_plain, indent=2))  # noqa: T201


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    return dict(value)
