"""What a simulation costs, said before it runs: runs, rounds, images, and time where it was measured."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from alworkbench.simulation.config import SimulationConfig
from alworkbench.simulation.results import SimulationResult


@dataclass(frozen=True, slots=True)
class SimulationCost:
    """The work of a plan on one data set, or on each of several."""

    data_sets: int
    arms: int
    seeds: int
    rounds: int
    """Of all runs on all data sets: each ranks the pool once and learns once."""
    images: int
    """That the oracle answers, in all runs."""
    seconds: float | None
    """Computing time of all runs one after the other, by the rounds of earlier simulations on this machine;
    None where an arm was never measured."""
    measured: int
    """Rounds that `seconds` rests on."""

    def words(self, processes: int) -> str:
        """The cost in one or two sentences; `processes` runs go on at the same time."""
        runs = self.arms * self.seeds * self.data_sets
        told = (
            f"{_counted(runs, 'run')}: {_counted(self.arms, 'combination')} of strategy, learning method and "
            f"batch size, each with {_counted(self.seeds, 'seed')}"
            + (f" on {_counted(self.data_sets, 'data set')}" if self.data_sets > 1 else "")
            + f". Together they take {_counted(self.rounds, 'round')} of choosing and learning, and "
            f"{_counted(self.images, 'answer')} of the oracle."
        )
        if self.seconds is None:
            return (
                f"{told} The time is not known: no simulation that is kept here measured all of these "
                f"combinations."
            )
        share = self.seconds / max(1, min(processes, runs))
        return (
            f"{told} About {duration(share)} with {_counted(processes, 'process', 'processes')}, by "
            f"{_counted(self.measured, 'round')} of simulations that are kept here."
        )


def cost_of(config: SimulationConfig, kept: Sequence[SimulationResult] = ()) -> SimulationCost:
    """The cost of a configuration. `kept` are earlier results, whose rounds were timed.

    A round of each arm is taken to last as long as the rounds of that strategy and learning method did on
    average, whatever data they had. Raises UnknownStrategy for a strategy that does not exist.
    """
    plan, data_sets = config.plan, max(1, len(config.data))
    spent: dict[tuple[str, str], list[float]] = defaultdict(list)
    for result in kept:
        for point in result.points:
            if point.round:
                seconds = point.seconds_asking + point.seconds_learning + point.seconds_measuring
                spent[point.arm.strategy, point.arm.adaptation].append(seconds)
    rounds, total, used = 0, 0.0, set()
    for arm in plan.arms:
        own = -(-plan.labels // arm.batch_size) * plan.seeds * data_sets
        rounds += own
        found = spent.get((arm.strategy, arm.adaptation), [])
        used.add((arm.strategy, arm.adaptation))
        total += own * (sum(found) / len(found) if found else float("nan"))
    return SimulationCost(
        data_sets,
        len(plan.arms),
        plan.seeds,
        rounds,
        len(plan.arms) * plan.seeds * data_sets * (plan.labels + plan.audit),
        None if total != total else total,
        sum(len(spent.get(each, ())) for each in used),
    )


def duration(seconds: float) -> str:
    """A time in words, to the precision that an estimate has."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"


def _counted(number: int, noun: str, plural: str | None = None) -> str:
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
