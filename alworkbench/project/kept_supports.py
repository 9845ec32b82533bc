"""Support sets that the project keeps, so that screens show them: each is chosen in a job.

Below `support/NAME`: `order.json` (what was asked), `support.json` and `support.csv` (manifests with the
places of the pictures), and `set` (the pictures with both manifests), as `alworkbench support-set` writes
them.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from alworkbench.core.atomic_files import atomic_folder, write_atomically
from alworkbench.core.domain import JobKind, ProjectFolder
from alworkbench.core.errors import InvalidSupportManifest, NotInProject
from alworkbench.core.kept_values import KeptFiles
from alworkbench.core.progress import Progress, silent
from alworkbench.project.support_manifest import NAME
from alworkbench.project.support_sets import Order, SupportSet, write_support

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

KEPT = 10
"""Support sets that are kept."""
MOST_BYTES = 32 * 2**20
"""Of manifests that are kept in memory: of some 150,000 images."""
FORMS = ("zip", "json", "csv")
"""In which forms a kept set is downloaded: with pictures, or one of the manifests."""
NAME_OF_SET = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9]+", re.ASCII)
"""Of the folder of a kept set: when it was chosen, and the number of its job."""


class SupportOrder(BaseModel):
    """The options of `alworkbench support-set`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_class: int = Field(default=5, ge=1)
    order: Order = Order.NEAREST
    target: str | None = None
    """Absolute path of a folder, or the name of a stored target set; None: the pool."""


@dataclass(frozen=True, slots=True)
class SupportManifest:
    """What `support.json` says."""

    classes: tuple[str, ...]
    missing: Mapping[str, int]
    """Class -> number of images that are missing to k."""
    calibration: str | None
    images: Mapping[str, Sequence[Mapping[str, Any]]]
    """Class -> its chosen images, by rank: each with path, sha256, rank and distance."""


@dataclass(frozen=True, slots=True)
class KeptSupport:
    """A support set that the project keeps. Its manifest is read when it is asked for."""

    place: Path
    order: SupportOrder
    by: str
    at: datetime
    targets: str | None
    """Name of the target set; None: the pool itself."""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.place.name

    def manifest(self) -> SupportManifest:
        """Its classes and images, read once until the file changes. Raises InvalidSupportManifest."""
        path = self.place / NAME
        try:
            return _MANIFESTS.of(path)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InvalidSupportManifest(path, f"{type(error).__name__}: {error}") from error


def keep_support(
    workbench: Workbench, order: SupportOrder, progress: Progress = silent
) -> SupportSet:
    """Choose a support set in a job, and keep it. Raises what `SupportSets.choose` raises, and JobRuns."""
    session = workbench.session
    title = f"choose {order.per_class} images per class"
    with session.jobs.claim(JobKind.GROUP, lambda: title, progress) as told:
        told("choosing images", 0, 0)
        targets = None
        if order.target is not None:
            targets = workbench.targets.take(order.target, progress=told)
        found = workbench.support_sets.choose(order.per_class, order.order, targets)
        job = session.jobs.held(JobKind.GROUP)
        number = 0 if job is None else job.id
        name = f"{session.now():%Y%m%d-%H%M%S}-{number}"
        asked = {
            "order": order.model_dump(mode="json"),
            "by": "" if job is None else job.asked_by,
            "at": session.now().isoformat(),
            "targets": found.targets,
        }
        session.folder.support.mkdir(exist_ok=True)
        with atomic_folder(session.folder.support / name) as draft:
            write_support(draft / NAME, found)
            write_support(draft / "support.csv", found)
            write_support(draft / "set", found)
            write_atomically(draft / "order.json", json.dumps(asked).encode())
    for old in _folders(session.folder)[KEPT:]:
        shutil.rmtree(old, ignore_errors=True)
    return found


def kept_supports(folder: ProjectFolder) -> list[KeptSupport]:
    """The support sets that are kept, newest first. A folder that cannot be read is left out.

    No manifest is read: it may name 100,000 images.
    """
    found = []
    for place in _folders(folder):
        with suppress(OSError, ValueError, KeyError, TypeError):
            asked = json.loads((place / "order.json").read_text(encoding="utf-8"))
            order = SupportOrder.model_validate(asked["order"])
            found.append(
                KeptSupport(
                    place,
                    order,
                    asked["by"],
                    datetime.fromisoformat(asked["at"]),
                    asked.get("targets", order.target),  # earlier versions wrote the order alone
                )
            )
    return found


def kept_file(folder: ProjectFolder, name: str, form: str) -> Path:
    """A kept set in one of FORMS: a file, and for `zip` the folder to be packed. Raises NotInProject."""
    place = folder.support / name
    if not NAME_OF_SET.fullmatch(name) or form not in FORMS or not place.is_dir():
        raise NotInProject("support set", name)
    return place / ("set" if form == "zip" else f"support.{form}")


def _read_manifest(path: Path) -> SupportManifest:
    found = json.loads(path.read_bytes())
    images: dict[str, list[dict[str, Any]]] = {name: [] for name in found["classes"]}
    for each in found["images"]:
        images[each["label"]].append(each)
    return SupportManifest(
        tuple(found["classes"]), dict(found["missing"]), found["calibration"], images
    )


_MANIFESTS = KeptFiles(_read_manifest, MOST_BYTES)


def _folders(folder: ProjectFolder) -> list[Path]:
    found = folder.support.iterdir() if folder.support.is_dir() else ()
    return sorted((each for each in found if NAME_OF_SET.fullmatch(each.name)), reverse=True)
