"""Which code made a result: another code, another result, whatever its version number says."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.metadata import version
from pathlib import Path
from platform import python_version

from alworkbench import __version__

DECIDING = (
    "acquisition",
    "adaptation",
    "posterior",
    "project",
    "simulation/dataset.py",
    "simulation/oracles.py",
    "simulation/plan.py",
    "simulation/run.py",
    "core/domain",
    "encoders/head.py",
    "evaluation/metrics.py",
    "features/table.py",
)
"""What turns features and a plan into points. The data's own hash covers all that comes before."""


@cache
def code_version() -> str:
    """Hash of the deciding source files, and of the libraries that they compute with.

    An edited comment makes another code, too: to run again costs time, a stale figure costs trust.
    """
    digest = hashlib.sha256(f"{__version__} {sorted(versions().items())}".encode())
    root = Path(__file__).parent.parent
    for path in source_files():
        digest.update(f"\n{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def source_files() -> list[Path]:
    """The deciding files, in an order that every machine has."""
    root = Path(__file__).parent.parent
    found: list[Path] = []
    for name in DECIDING:
        place = root / name
        found += place.rglob("*.py") if place.is_dir() else [place]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


@cache
def versions() -> dict[str, str]:
    """Of this program and of what it computes with, for reports."""
    return {
        "alworkbench": __version__,
        "python": python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }
