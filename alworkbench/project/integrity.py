"""Whether the files of a project still are what was written: every byte is read and compared.

Disks and copies lose bits, and a number with another bit is a number like any other. Feature shards,
posteriors, learners, heads and prompts carry the SHA-256 of their content. Opening them checks what is cheap
to read; `verify` checks everything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alworkbench.adaptation.learner_file import load_learner
from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import WorkbenchError
from alworkbench.core.progress import Progress, silent
from alworkbench.core.sealed_tensors import check_seal
from alworkbench.features.shard import finished_shards, verify_shard
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.posterior_file import load_posterior


@dataclass(frozen=True, slots=True)
class Integrity:
    """What a check of all files found. Paths are relative to the project folder."""

    intact: tuple[str, ...]
    """Files, and folders of shards, whose content has the SHA-256 that was written with them."""
    unknown: tuple[str, ...]
    """Readable, but of a version that wrote no SHA-256: a changed number would not be noticed."""
    damaged: dict[str, str]
    """What is wrong with each damaged file, and what to do."""


def verify(folder: ProjectFolder, progress: Progress = silent) -> Integrity:
    """Read every shard, head, prompt cache, posterior and learner of a project. Nothing is changed."""
    checks = _checks(folder)
    intact: list[str] = []
    unknown: list[str] = []
    damaged: dict[str, str] = {}
    for done, (path, check) in enumerate(checks, 1):
        name = path.relative_to(folder.path).as_posix()
        try:
            (intact if check() else unknown).append(name)
        except WorkbenchError as error:
            damaged[name] = str(error)
        progress("checking files", done, len(checks))
    return Integrity(tuple(intact), tuple(unknown), damaged)


def _checks(folder: ProjectFolder) -> list[tuple[Path, Callable[[], bool]]]:
    """Each file or shard with a function that reads it: whether it carries a SHA-256."""
    found: list[tuple[Path, Callable[[], bool]]] = []
    for features in sorted(path for path in folder.features.glob("*") if path.is_dir()):
        store = FeatureStore(features)
        found.extend((shard, partial(verify_shard, shard)) for shard in finished_shards(features))
        readers: dict[str, Callable[[], object]] = {
            "head.safetensors": store.read_head,
            "prompts.safetensors": partial(store.missing_prompts, []),
        }
        needed: set[str] = {"head.safetensors"} if (features / "encoder.json").exists() else set()
        for name, read in readers.items():
            if name in needed or (features / name).exists():
                found.append((features / name, partial(_sealed, features / name, read)))
    loaders: dict[Path, Callable[[Path], object]] = {
        folder.posteriors: load_posterior,
        folder.learners: load_learner,
    }
    for kept, load in loaders.items():
        for path in sorted(kept.glob("*.safetensors")):
            found.append((path, partial(_sealed, path, partial(load, path))))
    return found


def _sealed(path: Path, read: Callable[[], object]) -> bool:
    """Read a file, which checks its content: whether it carries a SHA-256."""
    read()
    return check_seal(path)
