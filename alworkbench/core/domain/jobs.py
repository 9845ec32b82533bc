"""Jobs: computations that are recorded, so that everybody sees them and no two do the same work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class JobKind(StrEnum):
    """What a job works on. At most one job of a kind is live in a project.

    On a server, the jobs of one of the `LANES` run one after the other, and the lanes run at the same time.
    """

    LEARN = "learn"
    """Learning from the labels, measuring, and closing a round with it."""
    RANK = "rank"
    """Choosing the images of a round and opening it."""
    PREPARE = "prepare"
    """Choosing the images of the next round while a round is open."""
    SCORE = "score"
    """Predicting all images: to filter and sort by what the model says, or to compare prompt templates."""
    GROUP = "group"
    """Comparing images with each other: nearest neighbours, clusters, a map that keeps neighbours, support
    sets."""
    ERRORS = "errors"
    """Comparing labels with predictions that did not learn from them: likely label errors, and the evidence
    of the pages Errors and Calibration."""
    IMPORT = "import"
    """Reading a folder, manifest, archive or label file, and adding its images and labels; or writing an
    export into a folder."""
    ENCODE = "encode"
    """Computing the features of images that have none yet; it goes on where it stopped."""
    REPLAY = "replay"
    """Computing rounds again from their record: the same labels and seeds must give the same images."""
    SIMULATE = "simulate"
    """Simulating label budgets with an oracle that knows all labels."""
    TUNE = "tune"
    """Tuning the prompts for each of many images; it goes on where it stopped."""


ROUND_LANE = (
    JobKind.LEARN,
    JobKind.RANK,
    JobKind.PREPARE,
    JobKind.SCORE,
    JobKind.GROUP,
    JobKind.ERRORS,
)
"""Seconds to minutes of work with the learner, for which people wait."""
LANES = (
    ROUND_LANE,
    (JobKind.IMPORT, JobKind.ENCODE),
    (JobKind.REPLAY, JobKind.SIMULATE, JobKind.TUNE),
)
"""Kinds of jobs that a server runs one after the other. Hours of encoding or simulating delay no round."""
LANE_OF = {kind: lane for lane, kinds in enumerate(LANES) for kind in kinds}
"""In which of the lanes a job of each kind runs."""
ASIDE = tuple(kind for kind in JobKind if kind not in (JobKind.LEARN, JobKind.RANK))
"""Kinds of jobs that change neither rounds nor learners: people go on while they run."""


class JobState(StrEnum):
    """Where a job stands; it is live while it is queued or running."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


LIVE = (JobState.QUEUED, JobState.RUNNING)
"""The states of a job that has not ended."""


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """One process of one machine: no later process has the same mark, not even with the same number."""

    host: str
    pid: int
    token: str
    """When the process started, in the words of its machine."""


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job before it is recorded."""

    kind: JobKind
    title: str
    """Such as `close round 3`."""
    asked_by: str
    """A person's name, `the command line` or `a script`."""
    process: ProcessMark
    """Who answers for it: the process that queues it, and later the one that runs it."""
    order: Mapping[str, Any] = field(default_factory=dict)
    """What a worker process is told to do; empty for a job that its process runs itself."""


@dataclass(frozen=True, slots=True)
class Job:
    """A recorded job."""

    id: int
    kind: JobKind
    title: str
    state: JobState
    step: str
    """What it does now, such as `learning`; empty before the first step."""
    done: int
    total: int
    """Parts of the step that are done, and all of them; 0 of 0 if nothing is known."""
    asked_by: str
    order: Mapping[str, Any]
    process: ProcessMark
    attempts: int
    """How often it was started."""
    cancel_asked: bool
    """Whether somebody asked it to stop; it stops at its next step."""
    queued_at: datetime
    started_at: datetime | None
    heartbeat_at: datetime
    """When its process last said that it is alive."""
    finished_at: datetime | None
    reason: str
    """Why it failed or was cancelled; else empty."""

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.state in LIVE

    @property
    def fraction(self) -> float:
        """Share of its step that is done, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 0.0

    def seconds(self, now: datetime) -> float:
        """How long it has run, or ran; 0 before it starts."""
        if self.started_at is None:
            return 0.0
        return max(0.0, ((self.finished_at or now) - self.started_at).total_seconds())
