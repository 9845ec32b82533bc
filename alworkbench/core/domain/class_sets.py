"""The likely classes of each image of a round, and for which images they include the right one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Selection(StrEnum):
    """How the images of a round were selected: what the coverage of its class sets is worth for them."""

    LIKE_AUDIT = "like the audit set"
    """Audit set and rounds were drawn at random from one pool, so the sets hold as often as they say."""
    AT_RANDOM = "at random"
    """This round is random, but the audit set may not be like it: it was imported, or something else than
    chance decided which images were answered before."""
    CHOSEN = "by a strategy"


@dataclass(frozen=True, slots=True)
class ClassSets:
    """For each image of a round the classes that it probably has: conformal sets from the audit set."""

    alpha: float
    """Largest share of images drawn like the audit set whose class is not in their set."""
    by_class: bool
    """Whether that is so for the images of every class, or for all images together."""
    images: int
    """Audit images with a label that decided what is in a set."""
    classes: int
    """Classes of the project in this round; a set of so many says nothing."""
    selection: Selection
    thresholds: tuple[float | None, ...]
    """A class is in the set if 1 minus its probability is at most this: one number for all classes, or one
    for each class in the order of the class list. None: always in the set."""
    sets: tuple[tuple[int, ...], ...]
    """Class ids of each image in the order of the round, the most probable class first."""

    def shown(self, position: int) -> tuple[int, ...]:
        """Class ids to show for the image at this position of the round; none if its set has all classes."""
        found = self.sets[position]
        return found if len(found) < self.classes else ()

    @property
    def level(self) -> str:
        """For how many images the sets hold the right class, in a few words; `words` say all of it.

        Such as `true for about 90 % of images`, or `... of random images` where those of the round differ.
        """
        images = "images" if self.selection is Selection.LIKE_AUDIT else "random images"
        return f"true for about {100 * (1 - self.alpha):g} % of {images}"

    @property
    def words(self) -> str:
        """What the sets promise, and whether it is so for the images of this round: two sentences.

        The average is over audit sets, too: with one of 100 images the share lies between 84 and 95 %. It is
        `about`, since a learner that has seen the pool without labels loses up to a point (P10).
        """
        share = f"{100 * (1 - self.alpha):g} %"
        images = "the images of every class" if self.by_class else "images"
        said = (
            f"On average the likely classes include the right one for about {share} of {images} that "
            f"are drawn like the {self.images:,} audit images."
        )
        if self.selection is Selection.LIKE_AUDIT:
            return f"{said} The images of this round are drawn like them."
        if self.selection is Selection.AT_RANDOM:
            return (
                f"{said} This round is drawn at random, but perhaps from other images than the audit set, so "
                f"the share may be another one here."
            )
        return f"{said} A strategy chose the images of this round, so the share is often much smaller here."

    def as_record(self) -> dict[str, Any]:
        """As the settings of a round keep it."""
        return {
            "alpha": self.alpha,
            "by_class": self.by_class,
            "images": self.images,
            "classes": self.classes,
            "selection": self.selection.value,
            "thresholds": list(self.thresholds),
            "sets": [list(each) for each in self.sets],
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any] | None) -> ClassSets | None:
        """From `as_record`. A round that was opened before sets were recorded has None."""
        if record is None:
            return None
        return cls(
            float(record["alpha"]),
            bool(record["by_class"]),
            int(record["images"]),
            int(record["classes"]),
            Selection(record["selection"]),
            tuple(record["thresholds"]),
            tuple(tuple(each) for each in record["sets"]),
        )
