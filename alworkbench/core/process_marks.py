"""Marks of processes: whether the process that a record names is still there.

A number of a process is given again to a later process, so a mark holds the time of its start, too. On Linux
that is counted from the start of the machine: a clock that is set does not change it.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

from alworkbench.core.domain import ProcessMark

_STARTED = 19
"""Field 22 of /proc/PID/stat, counted after the name, which may hold blanks: clock ticks since the start."""


def this_process() -> ProcessMark:
    """The mark of the process that asks."""
    pid = os.getpid()
    return ProcessMark(platform.node(), pid, _token(pid) or "")


def is_there(mark: ProcessMark) -> bool | None:
    """Whether this process runs. None for a process of another machine: nobody here can say."""
    if mark.host != platform.node():
        return None
    return _token(mark.pid) == mark.token


def _token(pid: int) -> str | None:
    """When this process started; None where there is none, or only what is left of an ended one."""
    stat = Path(f"/proc/{pid}/stat")
    try:
        if stat.parent.parent.joinpath("self/stat").exists():
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            return None if fields[0] in ("Z", "X") else fields[_STARTED]
        found = psutil.Process(pid)
        return None if found.status() == psutil.STATUS_ZOMBIE else f"{found.create_time():.2f}"
    except (OSError, IndexError, psutil.Error):
        return None
