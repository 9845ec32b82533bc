"""A version of the code that produced a result, computed from the code itself."""

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
    "evaluation/calibration",
    "evaluation/image_bootstrap.py",
    "evaluation/metrics.py",
    "features/table.py",
)
"""The code that turns features and a plan into points. A hash of the data covers the steps before."""


@cache
def code_version() -> str:
    """Hash of the deciding source files and of the versions of the libraries that they use.

    A changed comment changes the hash too: running again costs time, a wrong old figure costs trust.
    """
    digest = hashlib.sha256(f"{__version__} {sorted(versions().items())}".encode())
    root = Path(__file__).parent.parent
    for path in source_files():
        digest.update(f"\n{path.relative_to(root).as_posix()}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def source_files() -> list[Path]:
    """The deciding files, in the same order on every machine."""
    root = Path(__file__).parent.parent
    found: list[Path] = []
    for name in DECIDING:
        place = root / name
        found += place.rglob("*.py") if place.is_dir() else [place]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


@cache
def versions() -> dict[str, str]:
    """Versions of this program and of the libraries that it computes with."""
    return {
        "alworkbench": __version__,
        "python": python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
        "scipy": version("scipy"),
    }
