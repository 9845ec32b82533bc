"""Ways of learning from labels, by name. All answer with a Learner, so that strategies need not know.

Logits are the chosen way's; draws are always the linearised model's, conditioned on the same labels
(zero-shot apart, which learns nothing at all). Everything is deterministic, and no label is looked at
that was not given: what is tuned is tuned on the given labels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor, check_lesson, learn
from alworkbench.errors import UnknownAdaptation
from alworkbench.heads import Features

DEFAULT = "linearised"


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a way of learning is given, besides the model as it came. At least one label. float64."""

    labelled: Features
    targets: Float[Tensor, "n C"]
    """Distributions over the classes; one-hot as a rule."""
    weights: Float[Tensor, "n"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What some ways of learning can be told; the others ignore it."""

    seed: int = 0
    """Of anything random, such as the folds of a cross-validation."""
    epochs: int = 200
    """Of fine-tuning: full-batch steps. Stated beforehand, for nothing may be peeked at."""
    learning_rate: float = 1e-3
    """Of fine-tuning, as a share of each projection's root mean square entry."""
    weight_decay: float = 1e-2


Teach = Callable[[Learner, Lesson, Settings], Predictor | None]
"""From the *linearised learner* after the lesson; None: its own logits are the answer."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    name: str
    summary: str
    """One line for lists."""
    teach: Teach

    def __call__(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        settings: Settings | None = None,
    ) -> Learner:
        """The learner after n labels; `start` is the model as it came. Without labels, `start`.

        Raises ValueError for targets or weights that are none, ArithmeticError for a fit that does
        not converge.
        """
        check_lesson(targets, weights)
        if len(labelled) == 0 or self.name == "zero-shot":
            return Learner(start.model, start.class_activations, None, None)
        learned = learn(start, labelled, targets, weights)
        exact = targets.double().to(start.class_activations.device)
        counts = exact.new_ones(len(exact)) if weights is None else weights.to(exact)
        lesson = Lesson(labelled.to(exact.device, exact.dtype), exact, counts)
        return replace(learned, predictor=self.teach(learned, lesson, settings or Settings()))


_REGISTRY: dict[str, Adaptation] = {}


def adaptation(name: str, summary: str) -> Callable[[Teach], Adaptation]:
    """Register a way of learning under a name."""

    def register(teach: Teach) -> Adaptation:
        if name in _REGISTRY:
            raise ValueError(f"the adaptation {name!r} is registered twice")
        _REGISTRY[name] = Adaptation(name, summary, teach)
        return _REGISTRY[name]

    return register


def adaptations() -> list[Adaptation]:
    """All ways of learning, the default first."""
    _load()
    return list(_REGISTRY.values())


def find_adaptation(name: str) -> Adaptation:
    """The way of learning of this name, or UnknownAdaptation with the nearest one."""
    _load()
    if name not in _REGISTRY:
        raise UnknownAdaptation(name, _REGISTRY)
    return _REGISTRY[name]


@adaptation(DEFAULT, "the linearised model under its posterior: convex, and what draws come from")
def linearised(learner: Learner, lesson: Lesson, settings: Settings) -> None:
    """See `linearised.fit`."""
    return None


@adaptation("zero-shot", "learns nothing: the model as it came, as a control")
def zero_shot(learner: Learner, lesson: Lesson, settings: Settings) -> None:
    """Never taught: `Adaptation` answers with the model as it came, draws included."""
    return None


def _load() -> None:
    """Ways of learning register when their modules are imported."""
    from alworkbench.adaptation import (  # noqa: F401
        free_weights,
        probe,
        projections,
        prototypes,
        tuning,
    )
