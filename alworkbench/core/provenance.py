"""The state of a project at the time of a computation, so that it can be replayed exactly.

Labels, take-backs, images and changes of their roles are only added, in the order of their ids. Four
counts therefore say which of them existed.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alworkbench import __version__
from alworkbench.core.domain import Role
from alworkbench.core.ports import Reader

MARK = 4
"""Hexadecimal digits kept of each label's digest: enough to find the label that changed."""


def circumstances(reader: Reader, seed: int | None = None) -> dict[str, Any]:
    """The value recorded with a round or a learner under `record`; plain JSON values.

    `seed` is the seed of the round; it stands here beside the settings that the project had.
    """
    settings = reader.settings()
    found: dict[str, Any] = {
        "labels": reader.labels.count(),
        "take_backs": len(reader.labels.take_backs()),
        "images": sum(reader.images.count(role) for role in Role),
        "role_changes": len(reader.images.role_changes()),
        "project_seed": settings.seed,
        "goal": settings.goal.value,
        "adaptation": settings.adaptation,
        "consensus": settings.consensus.value,
    }
    return found if seed is None else {**found, "seed": seed}


def versions(device: object) -> dict[str, Any]:
    """What a ranking depends on besides the data: program, libraries, threads and device."""
    import numpy
    import torch

    from alworkbench.core.versions import code_version

    return {
        "alworkbench": __version__,
        "code": code_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
        "device": str(device),
    }


def taught_marks(taught: Iterable[tuple[str, Sequence[int]]]) -> str:
    """A short digest for each image that was learned from, in the order of learning.

    An image is given by its content hash and the class ids of its answers, in any order.
    """
    return "".join(
        hashlib.sha256(" ".join([content, *map(str, sorted(answers))]).encode()).hexdigest()[:MARK]
        for content, answers in taught
    )


def changed_versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """Every version that differs, as 'torch 2.6.0 then, 2.14.0 now'."""
    return tuple(
        f"{name} {then[name]} then, {now[name]} now"
        for name in then
        if name in now and then[name] != now[name]
    )
