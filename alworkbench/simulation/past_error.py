"""How often the stopping rules were wrong, measured on simulated runs.

A run stops in the first round in which a rule allows it. It stops too early if the accuracy on the test
part is below the target then. Labels after the first learner that reached the target are wasted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """One round of a simulated run."""

    labels: int
    accuracy: float
    """Accuracy on the test part, which no rule sees."""
    said_stop: frozenset[str]
    """Names of the rules that allow stopping here; `advice` is the decision over all rules."""


@dataclass(frozen=True, slots=True)
class PastError:
    """One rule over many runs."""

    rule: str
    runs: int
    stopped: int
    too_early: int
    """Stopped, and the target was not reached."""
    missed: float
    """Mean distance to the target in accuracy over runs that stopped too early; 0 without such runs."""
    reached: int
    """Runs that reached the target."""
    never: int
    """Runs that reached the target and did not stop."""
    wasted: float
    """Mean number of labels between reaching the target and stopping (or the end), over runs that reached
    it and did not stop before."""


def past_error(rule: str, runs: Sequence[Sequence[Step]], target: float) -> PastError:
    """The errors of one rule. The steps of a run are in order; the first is the zero-shot model."""
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
