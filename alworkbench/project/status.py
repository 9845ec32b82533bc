"""The state of a project in figures, and what a person would do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from alworkbench.core.domain import AUDIT_STRATEGY, Item, MetricRecord, PosteriorRecord, Round
from alworkbench.posterior.name_novelty import NameKnowledge


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a project in figures."""

    name: str
    encoder: str
    pool_images: int
    audit_images: int
    quarantined: int
    encoded: int
    """Of pool and audit set together."""
    classes: tuple[str, ...]
    labels: int
    """Pool images with a class label."""
    labels_per_class: tuple[int, ...]
    skipped: int
    """Pool images that were skipped or that nobody could tell."""
    rounds_closed: int
    open_round: Round | None
    open_answered: int
    has_posterior: bool
    zero_shot_accuracy: float | None
    audit_accuracy: float | None
    """Of the newest learner."""
    next_step: str
    class_list: int = 1
    """Version of the class list; 1 is what the project was made with."""
    leave_one_out: Mapping[str, Any] | None = None
    """Of the newest learner, about its own labels and not about the pool; see `leaving_out`."""
    names: tuple[NameKnowledge, ...] = ()
    """What the model knows of the class names, in their order; none where it cannot be told."""

    @property
    def unknown_classes(self) -> tuple[str, ...]:
        """Names that the model does not know: their first labels teach most."""
        return tuple(each.name for each in self.names if each.unknown)


def newest_accuracy(metrics: list[MetricRecord]) -> float | None:
    """Accuracy of the newest measured learner; None if none was measured."""
    return float(metrics[-1].values["accuracy"]) if metrics else None


def next_step(
    pool: int,
    unencoded: bool,
    posterior: PosteriorRecord | None,
    current: Round | None,
    items: list[Item],
) -> str:
    """What a person would do next, as one sentence."""
    if pool == 0:
        return "Import images: alworkbench import FOLDER"
    if unencoded:
        return "Encode the images: alworkbench encode"
    if posterior is None:
        return (
            "Fit a posterior: alworkbench fit --pairs captions.csv "
            "(without captions: alworkbench fit --from-pool)"
        )
    if current is None:
        return "Ask for a batch: alworkbench propose"
    left = sum(item.label is None for item in items)
    if left:
        return f"Label the {left} images left in round {current.number}: alworkbench serve"
    done = "measure" if current.strategy == AUDIT_STRATEGY else "learn"
    return f"Close round {current.number} and {done}: alworkbench close"
