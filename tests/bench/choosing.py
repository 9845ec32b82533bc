"""What the default saves on each data set, from finished simulations: the tables of acquisition/README.md.

    alworkbench simulate --data sample --data digits ... -s random -s balanced-random -s entropy
        -s margin -s default --seeds 10 --labels 200 --batch 10 --processes 2 --out FOLDER
    python -m tests.bench.choosing FOLDER

A saving counts only where random itself learned something: its mean lies above zero-shot. Beside the
saving against random with the same learner there are those against the simulation's baselines, random with
a learner of labels alone, for the same levels.

Prints Markdown: accuracy at the budgets with standard errors, areas under the curve, labels to reach what
random reaches on average with 50 and 100, where the default is significantly worse than the best other
(two-sided sign-flip test at 5 %, not corrected: to be strict with ourselves), and which classes it asked.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.evaluation.curves import Runs, runs
from alworkbench.evaluation.intervals import estimate
from alworkbench.evaluation.label_savings import Reach, Saving, reach, saving, target_of
from alworkbench.evaluation.paired_tests import sign_flip_p
from alworkbench.report.baseline_savings import baseline_pairs
from alworkbench.report.wording import saved_words
from alworkbench.simulation.results import SimulationResult, load_results

BUDGETS = (10, 20, 50, 100, 200)
TARGETS = (50, 100)
SHORT = {"balanced-random": "balanced"}


def by_strategy(result: SimulationResult, metric: str) -> dict[str, Runs]:
    """The compared arms, without those of the baselines."""
    found = {each.arm: each for each in runs(result.points, metric)}
    return {arm.strategy: found[arm] for arm in result.compared}


def labels(found: Reach) -> str:
    return f"{found.typical:.0f}" if found.typical is not None else f"> {found.low:.0f}"


def main_table(result: SimulationResult) -> list[str]:
    accuracy = by_strategy(result, "accuracy")
    areas, balanced = (
        {name: estimate(found.areas()) for name, found in by_strategy(result, metric).items()}
        for metric in ("accuracy", "balanced_accuracy")
    )
    targets = [target_of(accuracy["random"], "accuracy", n, "random") for n in TARGETS]
    heads = [f"at {n}" for n in BUDGETS]
    heads += ["area", "area, balanced", *(f"to random's {n}" for n in TARGETS)]
    lines = [f"| strategy | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in sorted(accuracy, key=lambda name: -areas[name].mean):
        cells = [cell(estimate(accuracy[name].at(n).tolist())) for n in BUDGETS]
        cells += [cell(areas[name]), cell(balanced[name])]
        cells += [labels(reach(accuracy[name], target)) for target in targets]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def cell(found: object) -> str:
    mean, error = found.mean, found.standard_error  # type: ignore[attr-defined]
    return f"{mean:.3f} ± {error:.3f}".replace("0.", ".")


def judged(result: SimulationResult) -> str:
    """Where the default is worse than the best other, and by how much."""
    accuracy = by_strategy(result, "accuracy")
    own = accuracy[DEFAULT_STRATEGY]
    others = {name: found for name, found in accuracy.items() if name != DEFAULT_STRATEGY}
    worse = []
    for n in BUDGETS:
        best = max(others, key=lambda name: float(others[name].at(n).mean()))
        gap = own.at(n) - others[best].at(n)
        p = float(sign_flip_p(gap))
        if gap.mean() < 0:
            mark = "significantly " if p < 0.05 else ""
            worse.append(f"{mark}below {best} at {n} by {-gap.mean():.3f} (p {p:.2f})")
    return "; ".join(worse) or "never below the best other"


def savings(results: Sequence[SimulationResult]) -> list[str]:
    lines = [
        "| data set | "
        + " | ".join(f"saved, to random's {n}" for n in TARGETS)
        + " | area minus random | minus balanced | minus entropy | minus margin | the default is |",
        "|---" * 8 + "|",
    ]
    saved: dict[int, list[float]] = {n: [] for n in TARGETS}
    gains: dict[str, list[float]] = {}
    for result in results:
        accuracy = by_strategy(result, "accuracy")
        own = accuracy[DEFAULT_STRATEGY]
        cells = []
        for n in TARGETS:
            target = target_of(accuracy["random"], "accuracy", n, "random")
            if target.value <= float(own.at(0).mean()):  # random learned nothing: nothing to save
                cells.append("–")
                continue
            found = reach(own, target)
            count = found.typical if found.typical is not None else found.low
            saved[n].append(1 - count / n)
            cells.append(f"{'' if found.typical is not None else '< '}{1 - count / n:.0%}")
        for name in ("random", "balanced-random", "entropy", "margin"):
            gap = estimate((own.areas() - accuracy[name].areas()).tolist())
            gains.setdefault(name, []).append(gap.mean)
            cells.append(f"{gap.mean:+.3f} ± {gap.standard_error:.3f}")
        lines.append(f"| {result.facts['name']} | {' | '.join(cells)} | {judged(result)} |")
    means = [f"{np.mean(saved[n]):.0%}" for n in TARGETS]
    means += [f"{np.mean(values):+.3f}" for values in gains.values()]
    lines.append(f"| **mean** | {' | '.join(means)} | |")
    return lines


def baseline_savings(results: Sequence[SimulationResult]) -> list[str]:
    """What the default saves against random with each learner of labels alone; empty without baselines."""
    rows: dict[str, dict[str, Saving]] = {}
    for result in results:
        every = {each.arm: each for each in runs(result.points, "accuracy")}
        random = by_strategy(result, "accuracy")["random"]
        row = rows.setdefault(str(result.facts["name"]), {})
        for words, pairs in baseline_pairs(every, result.baselines).items():
            for own, base in pairs:
                if own.arm.strategy != DEFAULT_STRATEGY:
                    continue
                for n in TARGETS:
                    target = target_of(random, "accuracy", n, "random")
                    if target.value > float(own.at(0).mean()):
                        row[f"saved against {words}, to random's {n}"] = saving(own, base, target)
    heads = list(dict.fromkeys(head for row in rows.values() for head in row))
    if not heads:
        return []
    lines = [f"| data set | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name, row in rows.items():
        cells = [saved_words(row[head]) if head in row else "–" for head in heads]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    known = [
        [row[head].share_saved for row in rows.values() if head in row and row[head].factor]
        for head in heads
    ]
    means = [f"{np.mean(each):.0%}" if each else "–" for each in known]
    return [*lines, f"| **mean** | {' | '.join(means)} |"]


def shares(result: SimulationResult, rounds: int = 10) -> list[str]:
    """Share of each class among the images that each round of the default asked, over seeds."""
    names = [*result.facts["classes"], "no class"]
    counts = np.zeros((rounds + 1, len(names)))
    for point in result.points:
        if point.arm.strategy == DEFAULT_STRATEGY and 0 < point.round <= rounds:
            counts[point.round] += point.classes_asked
    share = counts[1:] / counts[1:].sum(axis=1, keepdims=True)
    lines = [
        "| class | " + " | ".join(f"round {r}" for r in range(1, rounds + 1)) + " |",
        "|---" * (rounds + 1) + "|",
    ]
    for index, name in enumerate(names):
        if share[:, index].any():
            lines.append(f"| {name} | {' | '.join(f'{x:.0%}' for x in share[:, index])} |")
    return lines


def main() -> None:
    found = [result for folder in sys.argv[1:] for result in load_results(Path(folder))]
    for role in ("dev", "report", "own"):
        chosen = sorted(
            (r for r in found if r.facts["role"] == role), key=lambda r: r.facts["name"]
        )
        if not chosen:
            continue
        print(f"\n### {role}\n")
        print("\n".join(savings(chosen)))
        print("\n" + "\n".join(baseline_savings(chosen)))
        for result in chosen:
            print(f"\n**{result.facts['name']}**: {result.summary()}\n")
            print("\n".join(main_table(result)))
    print("\n### What the default asked\n")
    for result in found:
        if result.facts["name"] == "sample":
            print("\n".join(shares(result)))


if __name__ == "__main__":
    main()
