"""Shared by all commands: options, opening a project, progress bars and printing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from alworkbench.api import open_project
from alworkbench.core.domain import RoleMismatch
from alworkbench.core.progress import Progress
from alworkbench.core.words import counted as counted

if TYPE_CHECKING:
    from alworkbench.engines.engine import Engine
    from alworkbench.project.workbench import Workbench

# In a pipe or a log file, lines are as long as the tables need.
WIDTH = None if sys.stdout.isatty() else 140
console = Console(highlight=False, width=WIDTH)
complaints = Console(stderr=True, highlight=False)

ProjectOption = Annotated[
    Path,
    typer.Option("--project", "-p", envvar="ALWORKBENCH_PROJECT", help="Folder of the project."),
]
DeviceOption = Annotated[
    str,
    typer.Option(help="auto, cpu, cuda, cuda:N or mps. auto uses an accelerator if there is one."),
]
EngineOption = Annotated[
    str | None,
    typer.Option(
        help="Where to compute: local (processes of this machine), local:PROCESSES, ray (the cluster of this "
        "machine) or ray://HOST:PORT.",
        show_default="this process",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]
MemoryOption = Annotated[
    str | None,
    typer.Option(
        help="Memory limit, without the features, such as 512MiB or 2GiB.", show_default="1GiB"
    ),
]
RolesOption = Annotated[
    RoleMismatch,
    typer.Option(
        help="Where the source gives an image another role (pool, audit) than the project: refuse it, "
        "keep the image's role, change it to that of the source, or leave out the labels."
    ),
]
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Keep the records in this empty PostgreSQL database, postgresql+psycopg://user@host/database, "
        "and not in the folder. The password is never written down; ALWORKBENCH_STORE may hold it.",
    ),
]
HERE = Path()
MOST_SEED = 2**32 - 1
"""Random numbers of NumPy take no larger seed."""

_UNITS = {"": 1, "B": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_UNITS |= {f"{unit}iB": _UNITS[unit] for unit in "KMGT"}
_UNITS |= {"kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def escape(text: str) -> str:
    """Text with the characters of Rich markup escaped, so that a name such as `[red]` stays a name."""
    from rich.markup import escape as escaped

    return escaped(text)


def read_bytes(text: str) -> int:
    """Number of bytes in a text such as 512MiB, 2GiB, 1.5 GB or 1024. Raises typer.BadParameter."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", text)
    unit = (
        {name.lower(): size for name, size in _UNITS.items()}.get(found[2].lower())
        if found
        else None
    )
    if found is None or unit is None or float(found[1]) * unit < 1:
        raise typer.BadParameter(
            f"{text!r} is not an amount of memory. Give a number with a unit, such as 512MiB or 2GiB."
        )
    return int(float(found[1]) * unit)


def read_share(
    value: float | None, low: float = 0.0, high: float = 1.0, hint: str | None = None
) -> float | None:
    """The value if it lies between `low` and `high`. Raises typer.BadParameter, which corrects percents."""
    if value is None or low <= value <= high:
        return value
    meant = f" Did you mean {value / 100:g}?" if low <= value / 100 <= high else ""
    raise typer.BadParameter(
        f"{value:g} is not between {low:g} and {high:g}.{meant}", param_hint=hint
    )


@contextmanager
def opened_engine(text: str | None) -> Iterator[Engine | None]:
    """The engine that `--engine` names, closed at the end; None for none. Raises EngineError."""
    if text is None:
        yield None
        return
    from alworkbench.engines.opening import open_engine

    with open_engine(text) as engine:
        yield engine


@contextmanager
def opened(project: Path, device: str = "cpu") -> Iterator[Workbench]:
    """Open the project on a device, and close it at the end."""
    if device != "cpu":
        from alworkbench.core.devices import describe, resolve_device

        chosen = resolve_device(device)
        if chosen.type != "cpu":
            complaints.print(f"Computing on {describe(chosen)}.")
    with open_project(project, device=device, asked_by="the command line") as workbench:
        yield workbench


@contextmanager
def progress_bar(quiet: bool) -> Iterator[Progress]:
    """Progress bars on standard error; none if `quiet`."""
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


def new_table(*headings: str, right: Collection[str] = (), title: str | None = None) -> Table:
    """An empty table with these headings. The columns in `right` are aligned to the right."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        justify: Literal["left", "right"] = "right" if heading in right else "left"
        table.add_column(heading, header_style="bold", justify=justify)
    return table


def print_lines(lines: Sequence[Sequence[str]], title: str | None = None) -> None:
    """Print a table. The first line holds the headings."""
    header, *rows = lines
    table = new_table(*map(escape, header), title=None if title is None else escape(title))
    for row in rows:
        table.add_row(*map(escape, row))
    console.print(table)


def print_facts(facts: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair in a line."""
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts:
        table.add_row(name, escape(value))
    console.print(table)


def tell(as_json: bool, value: Any, words: str) -> None:
    """Print the value as JSON or, for people, the words."""
    if as_json:
        print_json(value)
    else:
        console.print(escape(words), soft_wrap=True)


def warn_of_cut_names(cut: Sequence[str]) -> None:
    """Say on standard error which class names are too long for the model."""
    if cut:
        complaints.print(
            f"The model cannot read the whole prompt of {escape(', '.join(map(repr, cut)))}: it is longer "
            f"than the context of the model. Use shorter names or templates.",
            soft_wrap=True,
        )


MOST_ROWS = 10
"""Rows of a features file that are named on the terminal; all are named with --json."""


def warn_of_unusable(rows: Sequence[object]) -> None:
    """Say on standard error which rows of a features file were set aside, and why."""
    if not rows:
        return
    complaints.print(
        f"Set aside {counted(len(rows), 'row')} of the features file. Images without a usable row get no "
        f"features and are never asked; a corrected file can bring them.",
        soft_wrap=True,
    )
    for row in rows[:MOST_ROWS]:
        complaints.print(escape(f"  {row}"), soft_wrap=True)
    if len(rows) > MOST_ROWS:
        complaints.print(f"  and {len(rows) - MOST_ROWS:,} more (--json names them all)")


def warn_of_same_names(groups: Sequence[Sequence[str]]) -> None:
    """Say on standard error which classes have the same text features."""
    for group in groups:
        complaints.print(
            f"The model reads the classes {escape(', '.join(map(repr, group)))} as the same text, so it "
            f"cannot tell them apart before it has labels of them. Use other names or templates.",
            soft_wrap=True,
        )


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
