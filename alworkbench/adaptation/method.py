"""Ways of learning from labels. All answer with a Learner, so that strategies need not know.

Logits are the chosen way's; draws are those of the linearised model beneath it, conditioned on the same
labels (zero-shot apart, which learns nothing at all). With `linearised` and `free-weights` that is the
model which learned. Everything is deterministic, and no label is looked at
that was not given: what is tuned is tuned on the given labels alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from alworkbench.adaptation.learner import Learner, Predictor, check_lesson, learn
from alworkbench.core.domain import DEFAULT_ADAPTATION
from alworkbench.encoders.head import Features

LINEARISED, FREE_WEIGHTS, ZERO_SHOT = "linearised", "free-weights", "zero-shot"


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
"""From the learner *beneath* after the lesson; None: its own logits are the answer."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """A named way to learn from labels."""

    name: str
    summary: str
    """One line for lists."""
    teach: Teach
    own_weights: bool = False
    """Whether classes have weights of their own in the linearised model beneath."""

    @property
    def is_default(self) -> bool:
        """Whether a project learns so that was told nothing else."""
        return self.name == DEFAULT_ADAPTATION

    def beneath(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        pool: Features | None = None,
    ) -> Learner:
        """The linearised model after n labels, which draws come from. Raises as `learn` does.

        With a `pool` that the labelled images are from, all classes count alike in its logits.
        """
        return learn(start, labelled, targets, weights, own_weights=self.own_weights, pool=pool)

    def __call__(
        self,
        start: Learner,
        labelled: Features,
        targets: Float[Tensor, "n C"],
        weights: Float[Tensor, "n"] | None = None,
        settings: Settings | None = None,
        pool: Features | None = None,
    ) -> Learner:
        """The learner after n labels; `start` is the model as it came. Without labels, `start`.

        The `pool` is for the linearised model, see `beneath`; a predictor of its own learns from the
        labels alone.

        Raises ValueError for targets or weights that are none, ArithmeticError for a fit that does
        not converge.
        """
        check_lesson(targets, weights)
        if len(labelled) == 0 or self.name == ZERO_SHOT:
            return Learner(start.model, start.class_activations, None, None)
        learned = self.beneath(start, labelled, targets, weights, pool)
        exact = targets.double().to(start.class_activations.device)
        counts = exact.new_ones(len(exact)) if weights is None else weights.to(exact)
        lesson = Lesson(labelled.to(exact.device, exact.dtype), exact, counts)
        return replace(learned, predictor=self.teach(learned, lesson, settings or Settings()))


_REGISTRY: dict[str, Adaptation] = {}


def adaptation(
    name: str, summary: str, *, own_weights: bool = False
) -> Callable[[Teach], Adaptation]:
    """Register a way of learning under a name."""

    def register(teach: Teach) -> Adaptation:
        if name in _REGISTRY:
            raise ValueError(f"the adaptation {name!r} is registered twice")
        _REGISTRY[name] = Adaptation(name, summary, teach, own_weights)
        return _REGISTRY[name]

    return register


def registered() -> dict[str, Adaptation]:
    """Ways of the modules that were imported so far; `catalogue` imports them all."""
    return dict(_REGISTRY)


@adaptation(
    FREE_WEIGHTS,
    "the linearised model with weights of each class's own: unknown names",
    own_weights=True,
)
def free_weights(learner: Learner, lesson: Lesson, settings: Settings) -> None:
    """See `free_weights.OwnWeights`."""
    return None


@adaptation(LINEARISED, "the linearised model under its posterior: convex, and no weights beside")
def linearised(learner: Learner, lesson: Lesson, settings: Settings) -> None:
    """See `linearised.fit`."""
    return None


@adaptation(ZERO_SHOT, "learns nothing: the model as it came, as a control")
def zero_shot(learner: Learner, lesson: Lesson, settings: Settings) -> None:
    """Never taught: `Adaptation` answers with the model as it came, draws included."""
    return None
