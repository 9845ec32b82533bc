"""What each setting of a project means, and from when another value counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from alworkbench.acquisition.strategy_cards import CARDS as STRATEGIES
from alworkbench.adaptation.method_cards import CARDS as METHODS
from alworkbench.core.domain import ProjectSettings
from alworkbench.core.ports import Reader
from alworkbench.project.session import Session


@dataclass(frozen=True, slots=True)
class SettingCard:
    """A setting that `change_settings` and `alworkbench set` change."""

    name: str
    """The parameter of `change_settings`, and the field of `ProjectSettings`."""
    title: str
    about: str
    """What it does, in one or two sentences."""
    counts: str
    """From when another value counts."""
    share: bool = False
    """Whether its values are shares, shown as percents."""


_NEXT = "from the next round on; an open round keeps its images"
CARDS = (
    SettingCard("strategy", "Strategy", "How the images of a round are chosen.", _NEXT),
    SettingCard("batch_size", "Images in a round", "How many images a round asks about.", _NEXT),
    SettingCard(
        "goal",
        "Goal",
        "What strategies and learners optimise. With accuracy, every image has the same weight; with "
        "balanced, every class has it, also a rare one.",
        "from the next round and the next learner on",
    ),
    SettingCard(
        "adaptation", "Learning method", "How labels change the model.", "from the next learner on"
    ),
    SettingCard(
        "overlap",
        "People for each image",
        "From how many people an answer is wanted. Several answers show how far people agree.",
        _NEXT,
    ),
    SettingCard(
        "overlap_share",
        "Share of images for several people",
        "The share of a round's images that several people answer; the others want one answer.",
        _NEXT,
        share=True,
    ),
    SettingCard(
        "blind_share",
        "Share of images without suggestion",
        "The share of a round's images that is shown without the suggestion of the model. It shows how far "
        "suggestions lead people.",
        _NEXT,
        share=True,
    ),
    SettingCard(
        "late_answers",
        "Answers that come too late",
        "keep: they are kept as second opinions. refuse: they are not recorded, and the person is told so.",
        "at once, for answers that come from now on",
    ),
    SettingCard(
        "consensus",
        "Several answers become one label by",
        "deciding: the most common class. proportions: each class by its share of the answers. dawid-skene: "
        "a model of how people err.",
        "from the next learner on, for all answers",
    ),
    SettingCard(
        "prepare_at",
        "Prepare the next round at",
        "The share of a round's answers at which the server prepares the next round, so that nobody waits. "
        "0: never. The price: the last answers of a round do not count for the choice.",
        "at once, also for an open round",
        share=True,
    ),
    SettingCard(
        "target_accuracy",
        "Accuracy that you want",
        "The accuracy on the audit set at which you want to stop. The advice compares with it. 0: none.",
        "at once",
        share=True,
    ),
    SettingCard(
        "encoder",
        "Model",
        "bundled, a model of open_clip as ARCH:TAG, or ARCH:path/to/weights. Fixed by the first encoding.",
        "at the first encoding",
    ),
    SettingCard(
        "seed",
        "Seed",
        "The seed of all random numbers. Fixed by the first round.",
        "from the first round on",
    ),
)
"""Every setting that can be changed, in the order in which it is shown."""

SUMMARIES: dict[str, dict[str, str]] = {
    "strategy": {each.name: each.summary for each in STRATEGIES},
    "adaptation": {each.name: each.summary for each in METHODS},
}
"""Setting -> its values, each with what it is, where they have names of their own."""

_FIXED: dict[str, Callable[[Reader], bool]] = {
    "encoder": lambda reader: reader.computed.encoder() is not None,
    "seed": lambda reader: bool(reader.rounds.all()),
}


def fixed_settings(session: Session) -> set[str]:
    """Names of settings that can no longer be changed."""
    with session.store.read() as reader:
        return {name for name, fixed in _FIXED.items() if fixed(reader)}


def shown_value(settings: ProjectSettings, card: SettingCard) -> str:
    """The value of a setting in words."""
    return in_words(getattr(settings, card.name), card)


def in_words(value: Any, card: SettingCard) -> str:
    """A value of this setting in words."""
    if card.share:
        return f"{100 * value:g} %" if value else ("none" if value is None else "0 %")
    return str(value.value if isinstance(value, Enum) else value)
