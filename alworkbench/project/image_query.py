"""What a gallery asks for: which images, and in which order. Loads no tensors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

from alworkbench.core.domain import Role
from alworkbench.core.errors import InvalidImageQuery

MOST_ALIKE = 1000
"""Images whose mean direction may be searched for at once."""
LAYOUTS = ("pca", "umap")
"""Of the map."""
MOST_CORNERS = 400
"""Of a region of the map."""
MOST_OF_TEXT = 500
"""Characters of a text that is searched for."""


class Answered(StrEnum):
    """What kind of answer an image has."""

    NO = "no"
    """No answer that counts."""
    YES = "yes"
    CLASS = "class"
    SKIP = "skip"
    """None of the classes: the image was skipped."""
    CANNOT_TELL = "cannot_tell"


class Against(StrEnum):
    """Whether what a model said is the class of the answer."""

    DIFFERS = "differs"
    AGREES = "agrees"


class EvidenceSet(StrEnum):
    """Labelled images whose label the model did not learn before it predicted them (see `evidence`)."""

    AUDIT = "audit"
    """The audit set. It measures the pool."""
    LEFT_OUT = "left-out"
    """Labels of the pool, each left out when its image is predicted. They were chosen, so they do not
    measure the pool."""


class Order(StrEnum):
    """By what images are sorted; each has the direction that is looked at most often."""

    IMPORTED = "imported"
    """Oldest first."""
    ANSWERED = "answered"
    """Newest answer first, images without an answer last."""
    UNCERTAINTY = "uncertainty"
    """Entropy of the prediction, largest first."""
    EPISTEMIC = "epistemic"
    """The part of the uncertainty that labels can remove, largest first."""
    MARGIN = "margin"
    """Probability of the likeliest class less that of the second, smallest first."""
    PROBABILITY = "probability"
    """Of the class `of`, largest first."""
    SIMILARITY = "similarity"
    """To the text or to the images of the query, most similar first."""
    NEAR = "near"
    """Cosine with the most similar other image, largest first: near-copies stand together."""


@dataclass(frozen=True, slots=True)
class MapRegion:
    """A part of the map that somebody drew (see `map_regions`)."""

    layout: str
    of: str
    """The mark of the map on which it was drawn."""
    points: tuple[tuple[int, int], ...]
    """Corners of the closed line, in steps of the grid."""


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Which images; an image meets all conditions that are given."""

    role: Role | None = None
    answered: Answered | None = None
    classes: tuple[str, ...] = ()
    """Names of classes for which the label that counts counts; any of them."""
    round: int | None = None
    """Number of a round that asked about the image."""
    person: str | None = None
    """Who gave an answer that counts."""
    predicted: tuple[str, ...] = ()
    """Names of likeliest classes; any of them."""
    suggestion: Against | None = None
    """What was suggested when the label was given, against the label."""
    prediction: Against | None = None
    """The likeliest class now, against the label."""
    least_uncertainty: float | None = None
    """Entropy of the prediction in nats."""
    most_uncertainty: float | None = None
    disagreement: bool = False
    """Whether people gave different classes."""
    near: float | None = None
    """Least cosine with the most similar other image (see `image_groups`)."""
    cluster: int | None = None
    region: MapRegion | None = None
    flagged: bool = False
    noted: bool = False
    """Whether somebody wrote a note about the image."""
    targets: str | None = None
    """Name of a kept target set that holds the image."""
    evidence: EvidenceSet | None = None
    """Only images of this set; `classes`, `predicted` and `prediction` then mean what it says of them."""

    @property
    def asks_predictions(self) -> bool:
        """Whether it needs stored predictions."""
        said = bool(self.predicted) or self.prediction is not None
        return (said and self.evidence is None) or (
            self.least_uncertainty is not None or self.most_uncertainty is not None
        )

    @property
    def asks_groups(self) -> bool:
        """Whether it needs images that were compared with each other."""
        return self.near is not None or self.cluster is not None


@dataclass(frozen=True, slots=True)
class ImageQuery:
    """Which images of a project, and in which order."""

    filter: ImageFilter = field(default_factory=ImageFilter)
    order: Order = Order.IMPORTED
    of: str | None = None
    """The class whose probability sorts."""
    reverse: bool = False
    text: str | None = None
    """What images are searched for."""
    like: tuple[str, ...] = ()
    """Content hashes of images whose like is searched for; their mean direction, if several."""

    def __post_init__(self) -> None:
        if self.order is Order.PROBABILITY and not self.of:
            raise InvalidImageQuery("a sort by probability needs the name of a class (`of`)")
        if self.order is Order.SIMILARITY and bool(self.text) == bool(self.like):
            raise InvalidImageQuery(
                "a sort by similarity needs either a text or images whose like is searched for"
            )

    @property
    def asks_predictions(self) -> bool:
        """Whether it needs stored predictions."""
        by = (Order.UNCERTAINTY, Order.EPISTEMIC, Order.MARGIN, Order.PROBABILITY)
        return self.filter.asks_predictions or self.order in by

    @property
    def asks_groups(self) -> bool:
        """Whether it needs images that were compared with each other."""
        return self.filter.asks_groups or self.order is Order.NEAR


def read_query(given: Mapping[str, Any]) -> ImageQuery:
    """A query from plain values, such as JSON. Raises InvalidImageQuery."""
    _refuse_unknown(given, {"filter", "order", "of", "reverse", "text", "like"}, "query")
    plain = {} if given.get("filter") is None else given["filter"]
    if not isinstance(plain, Mapping):
        raise InvalidImageQuery("`filter` must be an object")
    _refuse_unknown(plain, {each.name for each in fields(ImageFilter)}, "filter")
    like = _texts(given, "like")
    if len(like) > MOST_ALIKE or not all(re.fullmatch("[0-9a-f]{64}", each) for each in like):
        raise InvalidImageQuery(f"`like` must be at most {MOST_ALIKE:,} content hashes")
    text = _text(given, "text")
    if text is not None and len(text) > MOST_OF_TEXT:
        raise InvalidImageQuery(f"`text` has more than {MOST_OF_TEXT} characters")
    chosen = ImageFilter(
        role=_word(plain, "role", Role),
        answered=_word(plain, "answered", Answered),
        classes=_texts(plain, "classes"),
        round=_whole(plain, "round"),
        person=_text(plain, "person"),
        predicted=_texts(plain, "predicted"),
        suggestion=_word(plain, "suggestion", Against),
        prediction=_word(plain, "prediction", Against),
        least_uncertainty=_number(plain, "least_uncertainty"),
        most_uncertainty=_number(plain, "most_uncertainty"),
        disagreement=_flag(plain, "disagreement"),
        near=_number(plain, "near"),
        cluster=_whole(plain, "cluster"),
        region=_region(plain.get("region")),
        flagged=_flag(plain, "flagged"),
        noted=_flag(plain, "noted"),
        targets=_text(plain, "targets"),
        evidence=_word(plain, "evidence", EvidenceSet),
    )
    return ImageQuery(
        chosen,
        _word(given, "order", Order) or Order.IMPORTED,
        _text(given, "of"),
        _flag(given, "reverse"),
        text,
        like,
    )


def _region(given: Any) -> MapRegion | None:
    if given is None:
        return None
    if not isinstance(given, Mapping):
        raise InvalidImageQuery("`region` must be an object")
    _refuse_unknown(given, {"layout", "of", "points"}, "region")
    layout, mark, points = given.get("layout"), given.get("of"), given.get("points")
    if layout not in LAYOUTS or not isinstance(mark, str):
        raise InvalidImageQuery(f"a region needs `layout` ({' or '.join(LAYOUTS)}) and `of`")
    if not isinstance(points, list) or not 3 <= len(points) <= MOST_CORNERS:
        raise InvalidImageQuery(f"a region has 3 to {MOST_CORNERS} points")
    if not all(isinstance(each, list) and len(each) == 2 for each in points) or not all(
        type(value) is int and abs(value) < 2**31 for each in points for value in each
    ):
        raise InvalidImageQuery("each point of a region is two whole numbers")
    return MapRegion(layout, mark, tuple((x, y) for x, y in points))


def _refuse_unknown(given: Mapping[str, Any], known: set[str], what: str) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidImageQuery(
            f"the {what} has no part {unknown[0][:40]!r}; it has {', '.join(sorted(known))}"
        )


def _word(given: Mapping[str, Any], name: str, kind: type[StrEnum]) -> Any:
    value = given.get(name)
    if value is None or value == "":
        return None
    words = [each.value for each in kind]
    if value not in words:
        raise InvalidImageQuery(f"`{name}` must be one of {', '.join(words)}")
    return kind(value)


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidImageQuery(f"`{name}` must be a text")
    return (value or "").strip() or None


def _texts(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = given.get(name) or []
    if not isinstance(value, list | tuple) or not all(isinstance(each, str) for each in value):
        raise InvalidImageQuery(f"`{name}` must be a list of texts")
    return tuple(value)


def _whole(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise InvalidImageQuery(f"`{name}` must be a whole number, 0 or more")
    return value


def _number(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise InvalidImageQuery(f"`{name}` must be a number")
    return float(value)


def _flag(given: Mapping[str, Any], name: str) -> bool:
    value = given.get(name)
    if value is not None and not isinstance(value, bool):
        raise InvalidImageQuery(f"`{name}` must be true or false")
    return bool(value)
