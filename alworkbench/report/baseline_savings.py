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
from alworkbench.report.wording import learner_words, same_learner_words


@dataclass(frozen=True, slots=True)
class Against:
    """What arms save against one kind of baseline."""

    words: str
    """The baseline in words, such as `random with a linear probe (probe)`."""
    alike: bool
    """Whether each arm learns as its baseline does, so that only choosing differs."""
    savings: Mapping[Arm, tuple[Saving, ...]]
    """Of each arm that has such a baseline, one for each target."""

    @property
    def baselines(self) -> frozenset[Arm]:
        """The arms that others are compared with."""
        return frozenset(each[0].baseline for each in self.savings.values())


def savings_against(
    pairs: Sequence[tuple[Runs, Runs]],
    every: Mapping[Arm, Runs],
    methods: Sequence[str],
    targets: Sequence[Target],
) -> tuple[Against, ...]:
    """Savings of each arm against its baseline, by `pairs`, then against random with each of `methods`."""
    alike = [pair for pair in pairs if _learn_alike(*pair)]
    kinds: dict[str, dict[Arm, tuple[Runs, Runs]]] = {}
    same = same_learner_words(own.arm.adaptation for own, _ in alike)
    for own, base in pairs:
        learner = same if _learn_alike(own, base) else learner_words(base.arm.adaptation)
        words = f"{base.arm.strategy} with {learner}"
        kinds.setdefault(words, {})[own.arm] = (own, base)
    for words, others in baseline_pairs(every, methods).items():
        for own, base in others:
            kinds.setdefault(words, {}).setdefault(own.arm, (own, base))
    return tuple(
        Against(
            words,
            all(_learn_alike(*pair) for pair in found.values()),
            {arm: tuple(saving(*pair, t) for t in targets) for arm, pair in found.items()},
        )
        for words, found in kinds.items()
    )


def _learn_alike(own: Runs, base: Runs) -> bool:
    return own.arm.adaptation == base.arm.adaptation


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


def learners_of_random(arms: Sequence[Arm], methods: Sequence[str]) -> str:
    """The learning methods with which random sampling was run as a baseline, in words."""
    own = [arm.adaptation for arm in arms if arm.strategy == BASELINE_STRATEGY]
    if methods:
        return "; ".join(f"with {learner_words(each)}" for each in methods)
    return f"with {same_learner_words(own)} only" if own else "was not run"
