"""Functions that the tests give to engines. Workers import this module."""

from __future__ import annotations

import gc
import os
import signal
import uuid
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CRASHES, UNSENDABLE, POISON, RAISES = 2, 3, 5, 6
"""Groups that end their first worker, give what cannot be sent, end every worker, and raise."""


def scores(value: Tensor, group: int) -> Tensor:
    """Scores of 400 images of a group, of which several are equal."""
    generator = torch.Generator().manual_seed(group)
    features = torch.randn(400, 64, generator=generator)
    return (features @ value).sum(dim=1).mul(4).round()


def gram(value: Tensor, group: int) -> Tensor:
    """A sum of products in single precision, whose bits hang on the order and the number of threads."""
    features = torch.randn(3000, 64, generator=torch.Generator().manual_seed(group)) @ value
    return features.T @ features


def top(value: Tensor, group: int) -> list[tuple[float, int]]:
    """The 30 best of a group as (score, image), of equal scores the earlier image."""
    found = [(score, 400 * group + k) for k, score in enumerate(scores(value, group).tolist())]
    return sorted(found, key=lambda each: (-each[0], each[1]))[:30]


def difficult(value: tuple[Path, Tensor], group: int) -> Any:
    """Sum, best and threads of torch; some groups end their worker or raise. Each try leaves a file."""
    folder, weights = value
    tries = len(list(folder.glob(f"{group}-*")))
    (folder / f"{group}-{uuid.uuid4().hex}").touch()
    if group == RAISES:
        raise RuntimeError("this group cannot be computed")
    if group == POISON or (group == CRASHES and tries == 0):
        os.kill(os.getpid(), signal.SIGKILL)
    if group == UNSENDABLE:
        return (k for k in range(group))
    return gram(weights, group), top(weights, group), torch.get_num_threads()


def write_part(folder: Path, group: int) -> int:
    """Write a file under another name and rename it, as shards are."""
    unfinished = folder / f"attempt-{uuid.uuid4().hex}"
    unfinished.write_text(str(group * group))
    unfinished.rename(folder / f"{group:03d}")
    return group


def process(value: None, group: int) -> int:
    """The worker's id."""
    return os.getpid()


class Marked:
    """A value that a worker can count."""


def count_marked(value: Marked | None, group: int) -> int:
    """How many such values this worker holds."""
    return sum(isinstance(each, Marked) for each in gc.get_objects())
