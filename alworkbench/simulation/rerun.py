"""Run a finished simulation again from its result, and name the first difference."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from alworkbench.core.domain import SimulationPoint
from alworkbench.core.progress import Progress, silent
from alworkbench.core.provenance import changed_versions
from alworkbench.core.versions import code_version, versions
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.described_plan import plan_described
from alworkbench.simulation.difference import Difference, first_difference
from alworkbench.simulation.plan import Plan, Run
from alworkbench.simulation.results import SimulationResult
from alworkbench.simulation.run import OpenStore
from alworkbench.simulation.runner import rounds_of, simulate

SHORT = 120.0
"""Seconds of recorded work that are run again by default."""
MEASURES = (
    "accuracy",
    "balanced_accuracy",
    "macro_f1",
    "nlpd",
    "brier",
    "ece",
)
CLOSE = 1e-6
"""Relative difference above which two measures differ. Other versions of libraries may change the last
digits while every batch stays the same."""


@dataclass(frozen=True, slots=True)
class RunAgain:
    """The outcome of running a simulation again."""

    runs: int
    """Runs that were computed again."""
    of: int
    """Runs of the result."""
    images: int
    """Images that these runs asked."""
    difference: Difference | None
    changed: tuple[str, ...]
    """Changes of code, versions or data since then. Batches may be equal nevertheless."""

    @property
    def identical(self) -> bool:
        """Whether the runs are the same."""
        return self.difference is None


def run_again(
    result: SimulationResult,
    data: SimulationData,
    open_store: OpenStore,
    runs: int | None = None,
    processes: int = 1,
    progress: Progress = silent,
) -> RunAgain:
    """Run the first `runs` of a result again on its data, and compare them with the record.

    Runs are listed seed by seed, so that few of them cover every strategy. Without `runs`: as many as
    took SHORT seconds, and at least one. Raises InvalidResult if the result does not describe its plan,
    InvalidPlan if the plan does not fit the data.
    """
    plan = plan_of(result)
    every = plan.runs()
    chosen = every[: usual_runs(result, every) if runs is None else runs]
    then = [point for point in result.points if Run(point.arm, point.seed) in set(chosen)]
    changed = circumstances_changed(result, data, plan)
    difference = _misshapen(then, plan, chosen)
    images = sum(len(point.images) for point in then)
    if difference is None:
        now = simulate(data, plan, open_store, runs=chosen, processes=processes, progress=progress)
        difference = first_difference(then, now) or _other_measures(then, now)
    if difference is not None:
        difference = replace(difference, why=changed or (_EDITED,))
    return RunAgain(len(chosen), len(every), images, difference, changed)


def usual_runs(result: SimulationResult, runs: Sequence[Run]) -> int:
    """How many of the first runs took SHORT seconds together; at least one."""
    taken: defaultdict[Run, float] = defaultdict(float)
    for point in result.points:
        spent = point.seconds_asking + point.seconds_learning + point.seconds_measuring
        taken[Run(point.arm, point.seed)] += spent
    total, count = 0.0, 0
    for run in runs:
        total += taken[run]
        if count and total > SHORT:
            break
        count += 1
    return count


def circumstances_changed(
    result: SimulationResult, data: SimulationData, plan: Plan
) -> tuple[str, ...]:
    """Changes since then that may change batches, the most likely reason first."""
    facts, fingerprint, code = result.facts, data.fingerprint(), code_version()
    found = []
    then = facts.get("fingerprint")
    if then is not None and then != fingerprint:
        found.append(
            f"the data are not the same: fingerprint {then} then, {fingerprint} now (other images, "
            f"labels or features, another posterior, or encoded anew on another device)"
        )
    libraries = facts.get("versions")
    if isinstance(libraries, dict):
        found += changed_versions(libraries, versions())
    if facts.get("code") != code:
        found.append(
            f"the source files that decide what is asked differ: code {facts.get('code')} then, {code} now"
        )
    elif then in (None, fingerprint) and plan.key(fingerprint, code) != result.key:
        found.append(
            f"plan and data do not give the key {result.key} of the result: the record was changed, or "
            f"it belongs to other data"
        )
    return tuple(found)


def _misshapen(
    then: Sequence[SimulationPoint], plan: Plan, runs: Sequence[Run]
) -> Difference | None:
    """The first run whose recorded rounds are not those of the plan, or None."""
    rounds: dict[Run, list[int]] = {run: [] for run in runs}
    for point in then:
        rounds[Run(point.arm, point.seed)].append(point.round)
    for run, found in rounds.items():
        planned = list(range(rounds_of(plan, run) + 1))
        if found == planned:
            continue
        at = next((n for n in planned if n >= len(found) or found[n] != n), len(planned))
        what = (
            f"{run.name}: the record has {len(found)} points where the plan has {len(planned)}, or has "
            f"them in another order"
        )
        return Difference(at, None, None, None, what, (), run.name)
    return None


def _other_measures(
    then: Sequence[SimulationPoint], now: Sequence[SimulationPoint]
) -> Difference | None:
    """The first point with an equal batch and another measure, or None."""
    again = {(point.arm, point.seed, point.round): point for point in now}
    for point in then:
        other = again[point.arm, point.seed, point.round]
        for name in MEASURES:
            one, two = getattr(point, name), getattr(other, name)
            if not math.isclose(one, two, rel_tol=CLOSE, abs_tol=1e-9):
                run = Run(point.arm, point.seed).name
                what = (
                    f"{run}: round {point.round} asks the same images, and its {name} is {one:.6g} "
                    f"in the record and {two:.6g} now"
                )
                return Difference(point.round, None, None, None, what, (), run)
    return None


_EDITED = (
    "data, code and versions are the same, so the record was changed after the simulation, or the "
    "machine computes otherwise (another processor or linear algebra library)"
)


def plan_of(result: SimulationResult) -> Plan:
    """The plan that a result describes. Raises InvalidResult if it describes none."""
    return plan_described(result.plan, result.folder)
