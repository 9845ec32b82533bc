"""The device that computes, from the name that a user gave."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from alworkbench.core.errors import DeviceUnavailable

if TYPE_CHECKING:
    import torch


def resolve_device(name: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` takes an accelerator if any.

    Raises DeviceUnavailable, with what is there, for other names and for what is not there.
    """
    import torch

    if re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", name) is None:
        raise _unavailable(name, "no device has this name")
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda:0" if gpus else "mps" if mps else "cpu")
    if name == "mps" and not mps:
        raise _unavailable(name, "this machine, or this build of torch, has no Metal device")
    if name.startswith("cuda"):
        index = int(name.partition(":")[2] or 0)
        if not gpus:
            built = torch.version.cuda or torch.version.hip
            reason = "no GPU was found" if built else "this build of torch is for the CPU only"
            raise _unavailable(name, reason)
        if index >= gpus:
            raise _unavailable(name, f"this machine has {gpus} GPUs, numbered from 0")
        return torch.device("cuda", index)
    return torch.device(name)


def available_devices() -> list[str]:
    """What `--device` may name on this machine, the fastest first."""
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = ["mps"] if torch.backends.mps.is_available() else []
    return [*(f"cuda:{k}" for k in range(gpus)), *mps, "cpu"]


def describe(device: torch.device) -> str:
    """The device in one line for people, with its memory or its number of threads."""
    import torch

    if device.type == "cuda":
        found = torch.cuda.get_device_properties(device)
        return f"{device} ({found.name}, {found.total_memory / 2**30:.0f} GiB)"
    if device.type == "mps":
        return "mps (Apple GPU)"
    threads = torch.get_num_threads()
    return f"{device} ({threads} thread{'' if threads == 1 else 's'})"


def _unavailable(name: str, reason: str) -> DeviceUnavailable:
    return DeviceUnavailable(
        f"The device {name!r} cannot be used: {reason}. This machine has "
        f"{', '.join(available_devices())}. Choose one with `--device`, or `--device auto`."
    )
