"""The newest check of a support set that was asked for on a screen, kept so that a reload shows it.

It is the file `check.json` in the folder of the kept support sets. `alworkbench verify-support` checks the
same and keeps nothing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import JobKind, ProjectFolder
from alworkbench.core.errors import NotInProject
from alworkbench.core.progress import Progress, silent
from alworkbench.project.kept_supports import NAME_OF_SET
from alworkbench.project.support_manifest import (
    NAME,
    Drift,
    Finding,
    Verification,
    verify_manifest,
)

if TYPE_CHECKING:
    from alworkbench.project.workbench import Workbench

_FILE = "check.json"


class CheckOrder(BaseModel):
    """Which manifest is checked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: str
    """Name of a kept support set, or the absolute path of a manifest or of a folder with one."""

    def place(self, folder: ProjectFolder) -> Path:
        """The manifest. Raises NotInProject for a name that is no longer kept."""
        path = Path(self.manifest)
        if path.is_absolute():
            return path
        kept = folder.support / self.manifest / NAME
        if not NAME_OF_SET.fullmatch(self.manifest) or not kept.is_file():
            raise NotInProject("support set", self.manifest)
        return kept


@dataclass(frozen=True, slots=True)
class KeptCheck:
    """A check and who asked for it."""

    order: CheckOrder
    by: str
    at: datetime
    found: Verification


def check_support(
    workbench: Workbench, order: CheckOrder, progress: Progress = silent
) -> Verification:
    """Check a manifest in a job, and keep what was found.

    Raises InvalidSupportManifest, NotInProject, and JobRuns.
    """
    session = workbench.session
    with session.jobs.claim(JobKind.GROUP, lambda: "check a support set", progress) as told:
        found = verify_manifest(session, order.place(session.folder), told)
        job = session.jobs.held(JobKind.GROUP)
        kept = {
            "manifest": order.manifest,
            "by": "" if job is None else job.asked_by,
            "at": session.now().isoformat(),
            "found": {**asdict(found), "manifest": str(found.manifest)},
        }
        session.folder.support.mkdir(exist_ok=True)
        write_atomically(session.folder.support / _FILE, json.dumps(kept).encode())
    return found


def newest_check(folder: ProjectFolder) -> KeptCheck | None:
    """The newest check; None before the first, and where its file cannot be read."""
    try:
        kept = json.loads((folder.support / _FILE).read_text(encoding="utf-8"))
        found = kept["found"]
        return KeptCheck(
            CheckOrder(manifest=kept["manifest"]),
            kept["by"],
            datetime.fromisoformat(kept["at"]),
            Verification(
                Path(found["manifest"]),
                found["images"],
                tuple(
                    Finding(each["path"], each["label"], Drift(each["drift"]), each["detail"])
                    for each in found["findings"]
                ),
                tuple(found["notes"]),
            ),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
