"""What a worker of any engine does with one group."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alworkbench import __version__
from alworkbench.core.errors import WorkbenchError


def answer(
    function: Callable[[Any, Any], Any], value: Any, group: Any, version: str, folder: str
) -> tuple[bool, Any]:
    """(True, the result), or (False, what went wrong in words).

    Torch computes with one thread: matrix products are rounded otherwise with another number of threads.
    `version` is the version of the program that hands out the group, `folder` its working folder, from which
    relative paths count; a machine that lacks it can only read absolute ones.
    """
    if version != __version__:
        return False, (
            f"a worker has alworkbench {__version__}, and this program is {version}. Install the same "
            f"version on every machine of the cluster"
        )
    try:
        if Path(folder).is_dir():
            os.chdir(folder)
        import torch

        torch.set_num_threads(1)
        return True, function(value, group)
    except WorkbenchError as error:
        # Errors that build their own message do not survive the way between processes.
        return False, str(error)
    except Exception:
        return False, traceback.format_exc()
