"""The one process whose forks tests start: it has imported what they need, and computes nothing.

A new interpreter imports for six seconds before it serves a page. The threads of libraries (OpenBLAS,
jemalloc) are made for forks.
"""

from __future__ import annotations

import multiprocessing

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(
    [
        "alembic.command",
        "store.server",
        "tests.browser.fake_server",
        "tests.simulated",
        "tests.store.processes",
        "tests.store.test_kept",
        "ui.app",
    ]
)
