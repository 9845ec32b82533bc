"""A replay as a recorded job of its project, whose result is kept."""

from __future__ import annotations

import time

from alworkbench.core.domain import JobKind
from alworkbench.core.progress import Progress, silent
from alworkbench.project.replay_file import KeptReplay, save_replay
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.replay import Replayed, replay
from alworkbench.simulation.run import OpenStore


def replay_and_keep(
    workbench: Workbench,
    open_store: OpenStore,
    progress: Progress = silent,
    *,
    until: int | None = None,
) -> Replayed:
    """Replay the rounds up to `until` (None: all), and keep the result in the project.

    Raises what `replay` raises, JobRuns, JobCancelled and ProjectReadOnly.
    """
    session = workbench.session
    title = "replay all rounds" if until is None else f"replay the rounds up to round {until}"
    with session.jobs.claim(JobKind.REPLAY, lambda: title, progress) as told:
        started = time.perf_counter()
        found = replay(workbench, open_store, told, until=until)
        with session.store.read() as reader:
            rounds = [each.number for each in reader.rounds.all()]
        other = found.difference
        save_replay(
            session.folder,
            KeptReplay(
                rounds=found.rounds,
                of=sum(until is None or number <= until for number in rounds),
                images=found.images,
                learners=found.learners,
                difference=None if other is None else other.what,
                why=() if other is None else other.why,
                image=None if other is None else other.image,
                found=None if other is None else other.found,
                asked_by=session.jobs.asked_by(JobKind.REPLAY),
                computed_at=session.now(),
                seconds=time.perf_counter() - started,
            ),
        )
    return found
