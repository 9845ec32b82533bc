"""How often the stopping rules were wrong: judged on simulated runs, where the truth is known.

A run stops at the first round in which a rule says that it may. That was too early if the learner's
accuracy on the test part is below the target; labels after the first learner that reached it were
wasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One round of a simulated run."""

    labels: int
    accuracy: float
    """On the test part: the truth, which no rule sees."""
    said_stop: frozenset[str]
    """Names of the rules that would stop here; `advice` is what all of them come to."""


@dataclass(frozen=True, slots=True)
class PastError:
    """One rule over many runs."""

    rule: str
    runs: int
    stopped: int
    too_early: int
    """Stopped, and the target was not reached."""
    missed: float
    """Mean shortfall in accuracy where it stopped too early; 0 without such runs."""
    reached: int
    """Runs that reached the target at all."""
    never: int
    """Runs that reached the target and were not told so."""
    wasted: float
    """Mean labels between reaching the target and stopping (or the end), over runs that reached it and
    did not stop before."""


def past_error(rule: str, runs: Sequence[Sequence[Step]], target: float) -> PastError:
    """How one rule did. Each run's steps come in their order, the model as it came first."""
    stopped = early = reached = never = 0
    missed: list[float] = []
    wasted: list[int] = []
    for run in runs:
        at = next((i for i, step in enumerate(run) if rule in step.said_stop), None)
        there = next((i for i, step in enumerate(run) if step.accuracy >= target), None)
        stopped += at is not None
        reached += there is not None
        if at is not None and run[at].accuracy < target:
            early += 1
            missed.append(target - run[at].accuracy)
        if there is not None and (at is None or at >= there):
            never += at is None
            wasted.append(run[-1 if at is None else at].labels - run[there].labels)
    return PastError(
        rule,
        len(runs),
        stopped,
        early,
        sum(missed) / len(missed) if missed else 0.0,
        reached,
        never,
        sum(wasted) / len(wasted) if wasted else 0.0,
    )
