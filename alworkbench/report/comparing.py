"""Finished results compared seed by seed: what another version of an arm changed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from alworkbench.core.domain import Arm, SimulationPoint
from alworkbench.core.errors import NotPaired, SameResult
from alworkbench.evaluation.curves import BUDGETS, Curve, Runs, budgets_of, runs
from alworkbench.evaluation.intervals import estimates
from alworkbench.evaluation.label_savings import Reach, Saving, Target, reach, saving, targets_at
from alworkbench.report.baseline_savings import baseline_pairs
from alworkbench.report.findings import Test, outcome_of, seeds_needed, tests_of
from alworkbench.report.levels import CHIEF_SHARE
from alworkbench.report.wording import (
    METRIC_WORDS,
    difference_words,
    labels_words,
    level_words,
    p_words,
    saving_words,
)
from alworkbench.simulation.results import SimulationResult

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SAME_FACTS = ("name", "encoder", "classes", "pool", "pool_per_seed", "test")
_SAME_PLAN = ("pool_fraction", "audit")


@dataclass(frozen=True, slots=True)
class Change:
    """One arm in a later result, compared with the first result."""

    name: str
    letter: str
    """Letter of the later result; the first result is A."""
    first: Arm
    second: Arm
    area: Test
    """Later minus first."""
    at: dict[int, Test]
    curve: Curve
    """Paired differences by labels paid for."""
    target: Target
    reaches: tuple[Reach, Reach]
    saving: Saving
    against: dict[str, Saving]
    """What the arm of the later result saves against that result's baselines, which the keys name."""
    outcome: str
    words: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several results on the same data, paired by seed."""

    metric: str
    results: tuple[SimulationResult, ...]
    of: tuple[Change, ...]
    headline: str


def compare(results: Sequence[SimulationResult], metric: str = "accuracy") -> Comparison:
    """Every later result against the first, in the arms that both have; where they have none in
    common, in the arms of the same strategy, if each has one.

    Holm's correction is for all of these differences. Raises NotPaired for results of other data,
    pools or seeds, and where no arm fits; SameResult for one that is named twice, or its copy.
    """
    first, *others = results
    if not others:
        raise ValueError("a comparison needs two results")
    if len(results) > len(LETTERS):
        raise ValueError(f"at most {len(LETTERS)} results can be compared at once")
    for a, b in itertools.combinations(results, 2):
        if a.key == b.key and _figures(a) == _figures(b):
            raise SameResult(a.key, a.folder, b.folder)
    pairs: list[tuple[str, Runs, Runs]] = []
    baselines: dict[str, dict[str, list[tuple[Runs, Runs]]]] = {}
    base = {each.arm: each for each in runs(first.points, metric)}
    for letter, other in zip(LETTERS[1:], others, strict=False):
        check_paired(first, other)
        found = {each.arm: each for each in runs(other.points, metric)}
        baselines[letter] = baseline_pairs(found, other.baselines)
        fitting = fitting_arms(first, other)
        pairs += [(letter, base[one], found[two]) for one, two in fitting]
    grids = [_grid(one, two) for _, one, two in pairs]
    differences = [
        two.at_all(grid) - one.at_all(grid)
        for (_, one, two), grid in zip(pairs, grids, strict=True)
    ]
    areas = tests_of(
        [
            Runs(one.arm, one.seeds, grid, values).areas()
            for (_, one, _), grid, values in zip(pairs, grids, differences, strict=True)
        ]
    )
    shown = budgets_of([each for _, one, two in pairs for each in (one, two)], BUDGETS)[1:]
    ats = {at: tests_of([two.at(at) - one.at(at) for _, one, two in pairs]) for at in shown}
    called = tuple(dict.fromkeys(arm for each in results for arm in each.arms))
    changes = []
    for i, (letter, one, two) in enumerate(pairs):
        name = two.arm.words(called)
        target = targets_at(one, metric, (CHIEF_SHARE,), f"{name} in A")[0]
        both = (reach(one, target), reach(two, target))
        saved = saving(two, one, target)
        against = {
            words: saving(own, base, target)
            for words, found in baselines[letter].items()
            for own, base in found
            if own.arm == two.arm
        }
        outcome = outcome_of(areas[i], len(pairs), metric)
        curve = Curve(two.arm, tuple(grids[i].tolist()), estimates(differences[i]))
        at = {each: ats[each][i] for each in shown}
        words = _words(name, letter, outcome, areas[i], both, saved, metric)
        changes.append(
            Change(
                name, letter, one.arm, two.arm, areas[i], at, curve, target, both, saved, against, outcome,
                words,
            )
        )  # fmt: skip
    return Comparison(metric, tuple(results), tuple(changes), _headline(changes, metric))


def check_paired(one: SimulationResult, other: SimulationResult) -> None:
    """Raises NotPaired unless the runs of equal seeds saw the same images of the same data."""
    if one.seeds != other.seeds:
        raise NotPaired(one.key, other.key, f"seeds {_few(one.seeds)} against {_few(other.seeds)}")
    for what, first, second in (
        *((key, one.facts.get(key), other.facts.get(key)) for key in _SAME_FACTS),
        *((key, one.plan.get(key), other.plan.get(key)) for key in _SAME_PLAN),
    ):
        if first != second:
            raise NotPaired(
                one.key,
                other.key,
                f"{what.replace('_', ' ')} {_short(first)} against {_short(second)}",
            )
    if one.transductive != other.transductive:
        raise NotPaired(one.key, other.key, "one is transductive and the other is not")
    prints = one.facts.get("fingerprint"), other.facts.get("fingerprint")
    if None not in prints:
        if prints[0] != prints[1]:
            raise NotPaired(one.key, other.key, f"data {prints[0]} against {prints[1]}")
        return
    # Without fingerprints, zero-shot accuracy decides: it is equal on the same test images.
    starts = [{p.nlpd for p in r.points if p.round == 0} for r in (one, other)]
    if not all(math.isclose(a, b, rel_tol=1e-6) for a in starts[0] for b in starts[1]):
        raise NotPaired(
            one.key,
            other.key,
            "before any label the same model measures otherwise, so the test images differ",
        )


def fitting_arms(one: SimulationResult, other: SimulationResult) -> list[tuple[Arm, Arm]]:
    """Arms of two results that are compared, without those that were run for baselines only.

    Raises NotPaired where there is nothing to compare.
    """
    common = [(arm, arm) for arm in one.compared if arm in other.compared]
    if common:
        return common
    found = []
    for strategy in dict.fromkeys(arm.strategy for arm in one.compared):
        mine = [arm for arm in one.compared if arm.strategy == strategy]
        theirs = [arm for arm in other.compared if arm.strategy == strategy]
        if len(mine) == len(theirs) == 1:
            found.append((mine[0], theirs[0]))
    if not found:
        arms = [", ".join(arm.words(r.compared) for arm in r.compared) for r in (one, other)]
        raise NotPaired(
            one.key, other.key, f"no strategy is in both (one has {arms[0]}; the other {arms[1]})"
        )
    return found


def _figures(result: SimulationResult) -> list[SimulationPoint]:
    return [point.without_costs() for point in result.points]


def _grid(one: Runs, two: Runs) -> Any:
    import numpy as np

    union = np.union1d(one.paid, two.paid)
    low, high = max(one.paid[0], two.paid[0]), min(one.paid[-1], two.paid[-1])
    return union[(union >= low) & (union <= high)]


def _words(
    name: str,
    letter: str,
    outcome: str,
    area: Test,
    both: tuple[Reach, Reach],
    saved: Saving,
    metric: str,
) -> str:
    seeds = area.difference.seeds
    by = f"{difference_words(area.difference, metric)} on average over the curve"
    needs = (
        f"it needs {labels_words(both[1])} in {letter} and {labels_words(both[0])} in A for "
        f"{level_words(both[0].target)}"
    )
    if outcome == "untestable":
        counted = "one seed" if seeds == 1 else f"{seeds} seeds"
        return f"{name}: {counted} cannot tell {letter} from A; {needs}."
    if outcome == "none":
        return (
            f"{name}: no difference between {letter} and A can be seen with {seeds} seeds ({by}, "
            f"p {p_words(area.corrected)})."
        )
    return (
        f"{name} is {outcome} in {letter} than in A: {by} (p {p_words(area.corrected)}); "
        f"{needs}{saving_words(saved)}."
    )


def _headline(changes: Sequence[Change], metric: str) -> str:
    words = METRIC_WORDS[metric]
    if all(each.outcome == "untestable" for each in changes):
        return (
            f"There are too few seeds to see any difference in {words}. "
            f"Run at least {seeds_needed(len(changes))} seeds."
        )
    told = [each.words for each in changes if each.outcome in ("better", "worse")]
    rest = len(changes) - len(told)
    if not told:
        many = "the one strategy" if rest == 1 else f"any of the {rest} strategies"
        return f"No difference in {words} can be seen in {many} that are compared."
    if rest:
        told.append(
            f"In {rest} other {'comparison' if rest == 1 else 'comparisons'} none can be seen."
        )
    return " ".join(told)


def _few(seeds: Sequence[int]) -> str:
    shown = ", ".join(map(str, seeds[:12]))
    return f"{shown} ..." if len(seeds) > 12 else shown


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
