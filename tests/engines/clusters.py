"""A Ray cluster of two nodes on this machine, for tests and benches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STORE = 96 << 20
"""Bytes of shared memory of each node."""


@contextmanager
def two_nodes(folder: Path) -> Iterator[Any]:
    """A cluster with a token, a head without processors, and two nodes with one each.

    `folder` is for the token and for what Ray writes. Its path must be short: it holds sockets.
    """
    token = folder / "token"
    token.write_text("b" * 64)
    changed = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN_PATH": str(token),
        "RAY_TMPDIR": str(folder),
        "RAY_USAGE_STATS_ENABLED": "0",
        "RAY_worker_niceness": "0",  # with Ray's 15, a busy machine starts workers in minutes
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
    }
    (folder / "ray").mkdir()
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    quiet = {"include_dashboard": False, "object_store_memory": STORE}
    try:
        from ray.cluster_utils import Cluster  # Ray reads the mode when it is imported

        cluster = Cluster(initialize_head=True, head_node_args={**quiet, "num_cpus": 0})
        try:
            for _ in range(2):
                cluster.add_node(num_cpus=1, **quiet)
            yield cluster
        finally:
            cluster.shutdown()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
