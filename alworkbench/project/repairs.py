"""Repairs of a project, each by name: what was found, what the repair does, and doing it.

No repair touches a label. Files that a repair takes out of the project are moved into the folder `set-aside`,
and not deleted; only drafts, which no command ever reads, are deleted. Before the first repair, the database
is copied.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from alworkbench.core.atomic_files import move_aside
from alworkbench.core.domain import Lease
from alworkbench.features.shard import DONE
from alworkbench.project.computed_learner import learner_files
from alworkbench.project.session import Session

QUIET = 3600.0
"""Seconds without a write after which a draft or a file without a record is nobody's."""
FORGOTTEN = timedelta(days=1)
"""So long after its end a lease that nobody took over is worth a word."""
SET_ASIDE = "set-aside"
SHOWN = 3
"""Files that are named."""


@dataclass(frozen=True, slots=True)
class Repair:
    """Something that can be repaired without a decision of a person."""

    name: str
    """Such as `drafts`."""
    found: str
    """What was found."""
    does: str
    """What the repair does, as a sentence."""
    apply: Callable[[], None]


def find_repairs(session: Session, damaged: Collection[str] = ()) -> list[Repair]:
    """The repairs that this project can use. `damaged` are paths of files and shards that are damaged."""
    found = (
        _drafts(session),
        _spare_files(session),
        _damaged_shards(session, damaged),
        _leases(session),
        _jobs(session),
    )
    return [repair for repair in found if repair is not None]


def copy_before_repairs(session: Session) -> Path:
    """Copy the database to a file beside it, whose name holds the time; returns the copy."""
    database = session.folder.database
    name = f"{database.name}.before-repair-{session.now():%Y%m%d-%H%M%S-%f}"
    target = database.with_name(name)
    session.store.copy_to(target)
    return target


# --------------------------------------------------------------------------------------------- files
def _drafts(session: Session) -> Repair | None:
    """Files and folders that a command left when it was killed."""
    drafts = [path for path in _unfinished(session.folder.path) if _is_quiet(path)]

    def delete() -> None:
        for path in drafts:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    return _repair(
        "drafts",
        session,
        drafts,
        "unfinished files or folders that a stopped command left",
        "Deletes them: no command reads them.",
        delete,
    )


def _unfinished(project: Path) -> Iterator[Path]:
    for base, folders, names in os.walk(project):
        here = Path(base)
        if here == project:
            folders[:] = [name for name in folders if name != SET_ASIDE]
        drafts = [name for name in (*folders, *names) if _is_draft(name)]
        yield from (here / name for name in sorted(drafts))
        folders[:] = [name for name in folders if name not in drafts]
        if here.parent.parent == project / "features" and DONE not in names:
            yield here  # a shard that was not finished
            folders.clear()


def _is_draft(name: str) -> bool:
    return name.startswith(".") and name.endswith(".part")


def _spare_files(session: Session) -> Repair | None:
    """Learners and posteriors that no record names."""
    folder = session.folder
    with session.store.read() as reader:
        named = learner_files(reader) | {each.file for each in reader.computed.posteriors()}
    spare = [
        path
        for kept in (folder.learners, folder.posteriors)
        for path in sorted(kept.glob("*.safetensors"))
        if path.relative_to(folder.path).as_posix() not in named and _is_quiet(path)
    ]
    return _repair(
        "spare-files",
        session,
        spare,
        "learners or posteriors that no record names: their computation was interrupted",
        f"Moves them into the folder {SET_ASIDE}.",
        lambda: _set_aside(session, spare),
    )


def _damaged_shards(session: Session, damaged: Collection[str]) -> Repair | None:
    """Shards of features that are damaged: their images are encoded again."""
    features = session.folder.features
    shards = [
        path
        for path in (session.folder.path / name for name in sorted(damaged))
        if path.is_dir() and path.parent.parent == features
    ]
    return _repair(
        "damaged-features",
        session,
        shards,
        "parts of the features that are damaged",
        f"Moves them into the folder {SET_ASIDE}; `alworkbench encode` then encodes their images again.",
        lambda: _set_aside(session, shards),
    )


def _set_aside(session: Session, paths: Sequence[Path]) -> None:
    project = session.folder.path
    place = project / SET_ASIDE / f"{session.now():%Y%m%d-%H%M%S-%f}"
    for path in paths:
        move_aside(path, place / path.relative_to(project))


def _is_quiet(path: Path) -> bool:
    """Whether nothing was written there for a while, so that no running command is writing it."""
    try:
        newest = max(
            each.lstat().st_mtime for each in (path, *(path.rglob("*") if path.is_dir() else ()))
        )
    except OSError:
        return False  # it went away: somebody is at work
    return time.time() - newest > QUIET


def _repair(
    name: str,
    session: Session,
    paths: Sequence[Path],
    what: str,
    does: str,
    apply: Callable[[], None],
) -> Repair | None:
    if not paths:
        return None
    shown = [path.relative_to(session.folder.path).as_posix() for path in paths[:SHOWN]]
    more = "" if len(paths) <= SHOWN else f" and {len(paths) - SHOWN} more"
    return Repair(name, f"{len(paths)} {what} ({', '.join(shown)}{more})", does, apply)


# ------------------------------------------------------------------------------------------- records
def _leases(session: Session) -> Repair | None:
    """Leases in the open round that ended long ago, or that a clock put into the far future."""
    stale = _stale(session, session.now())
    if not stale:
        return None

    def release() -> None:
        tokens = [lease.token for lease in stale]
        with session.store.write() as writer:
            writer.rounds.end_leases(tokens)

    people = sorted({lease.annotator for lease in stale})
    return Repair(
        "leases",
        f"{len(stale)} images are still held by {', '.join(people)}, whose time ended long ago",
        "Gives them back; whoever labels next gets them anyway.",
        release,
    )


def _stale(session: Session, now: datetime) -> list[Lease]:
    with session.store.read() as reader:
        current = reader.rounds.current()
        items = reader.rounds.items(current.id) if current else []
    return [
        lease
        for item in items
        if not item.complete
        for lease in item.leases
        if lease.annotator not in item.answered_by and abs(now - lease.until) > FORGOTTEN
    ]


def _jobs(session: Session) -> Repair | None:
    """Jobs that are recorded as live, and whose process is gone."""
    lost = session.jobs.lost()
    if not lost:
        return None

    def settle() -> None:
        session.jobs.settle()

    titles = ", ".join(job.title for job in lost[:SHOWN])
    return Repair(
        "jobs",
        f"{len(lost)} jobs are recorded as running, and their process is gone ({titles})",
        "Records them as failed, so that they can be started again.",
        settle,
    )
