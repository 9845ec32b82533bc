"""Labels that each arm saves against random sampling: with its own learner, and with those of the baselines.

The same learner in both arms shows what choosing saves. A baseline learns from labels alone: against it,
choosing and learning save together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alworkbench.core.domain import BASELINE_STRATEGY, Arm
from alworkbench.evaluation.curves import Runs
from alworkbench.evaluation.label_savings import Saving, Target, saving
from alworkbench.report.wording import learner_words


@dataclass(frozen=True, slots=True)
class Against:
    """What arms save against one kind of baseline."""

    words: str
    """The baseline in words, such as `random with a linear probe`."""
    savings: Mapping[Arm, tuple[Saving, ...]]
    """Of each arm that has such a baseline, one for each target."""


def savings_against(
    pairs: Sequence[tuple[Runs, Runs]],
    every: Mapping[Arm, Runs],
    methods: Sequence[str],
    targets: Sequence[Target],
) -> tuple[Against, ...]:
    """Savings of each arm against its baseline, by `pairs`, then against random with each of `methods`."""
    kinds: dict[str, list[tuple[Runs, Runs]]] = {}
    if pairs:
        base = pairs[0][1].arm
        alike = all(own.arm.adaptation == other.arm.adaptation for own, other in pairs)
        learner = "the same learner" if alike else learner_words(base.adaptation)
        kinds[f"{base.strategy} with {learner}"] = list(pairs)
    for words, others in baseline_pairs(every, methods).items():
        kinds.setdefault(words, others)
    return tuple(
        Against(
            words, {own.arm: tuple(saving(own, base, t) for t in targets) for own, base in found}
        )
        for words, found in kinds.items()
    )


def baseline_pairs(
    every: Mapping[Arm, Runs], methods: Sequence[str]
) -> dict[str, list[tuple[Runs, Runs]]]:
    """Every arm that is no baseline, with random sampling in batches of its size, for each learning method.

    The keys name the baseline in words. A method without such an arm is left out.
    """
    sizes = {arm.batch_size for arm in every}
    baselines = {Arm(BASELINE_STRATEGY, method, size) for method in methods for size in sizes}
    found = {}
    for method in methods:
        pairs = [
            (own, every[base])
            for arm, own in every.items()
            if arm not in baselines
            and (base := Arm(BASELINE_STRATEGY, method, arm.batch_size)) in every
        ]
        if pairs:
            found[f"{BASELINE_STRATEGY} with {learner_words(method)}"] = pairs
    return found
