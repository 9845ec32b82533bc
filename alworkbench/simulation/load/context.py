"""What loading data takes besides knowing where they are: stores, caches, a device, progress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import torch

from alworkbench.core.domain import ClassList, ProjectSettings
from alworkbench.core.ports import Store
from alworkbench.core.progress import Progress, silent
from alworkbench.simulation.run import OpenStore


@dataclass(frozen=True, slots=True)
class Stores:
    """The functions that open stores. The caller gives them: this room does not know the store."""

    memory: OpenStore
    """Makes an empty store for one run; a function that another process can import."""
    open: Callable[[Path], Store]
    """Opens the store of the project in a folder. Raises ProjectMissing."""
    create: Callable[[Path, ProjectSettings, ClassList, datetime], Store]
    """Makes a project with its store in a folder."""


@dataclass(frozen=True, slots=True)
class LoadContext:
    """What all loaders share."""

    stores: Stores
    cache: Path
    """Folder that keeps encoded collections and images."""
    device: torch.device
    progress: Progress = silent
    tell: Callable[[str], None] = lambda line: None
    """Receives notes for the user."""
