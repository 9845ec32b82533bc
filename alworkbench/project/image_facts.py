"""What answers say about each image, as columns: kept in memory, and brought up to date by what is new.

Answers are only ever added, so the columns of an earlier moment are those of now with the images that were
answered since as they were. A gallery therefore shows all of its pages as of one moment, whoever answers.

Dimensions used in this file
    N  images of the project, by id
    M  images asked for
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int

from alworkbench.core.domain import AnswerKind as Kind
from alworkbench.core.domain import (
    ClassList,
    Label,
    LabelMoment,
    Role,
    counting_opinions,
    deciding_label,
)
from alworkbench.core.ports import Reader
from alworkbench.project.image_columns import ImageColumns

NONE, SKIP, CANNOT_TELL = 0, -1, -2
"""Stand in the column `answer` for images without a class; classes have their ids, from 1."""
ROLES = tuple(Role)
KEY_DIGITS = 15
_DIGITS = np.zeros(256, np.int64)
"""The value of each hexadecimal digit, by its byte."""
_DIGITS[list(b"0123456789abcdef")] = np.arange(16)
"""Hexadecimal digits of a content hash (60 bits) that name an image in files beside the database."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One entry of each column belongs to one image."""

    ids: Int[np.ndarray, "N"]
    """Increasing: the order of import."""
    keys: Int[np.ndarray, "N"]
    """The first KEY_DIGITS of the content hash as a number."""
    role: Int[np.ndarray, "N"]
    """Position in ROLES."""
    answer: Int[np.ndarray, "N"]
    """Id of the class for which the deciding label counts, that of a retired class too; or NONE, SKIP,
    CANNOT_TELL."""
    newest: Int[np.ndarray, "N"]
    """Id of the newest label that counts, by which images are sorted by time; 0 without one."""
    differ: Bool[np.ndarray, "N"]
    """Whether people gave different classes that count."""
    suggested: Int[np.ndarray, "N"]
    """Id of the class that was suggested to the person whose label decides; 0 for none."""
    people: Mapping[int, frozenset[str]]
    """Position -> whose answers count, of each image that has any."""

    def __len__(self) -> int:
        return len(self.ids)

    def at(self, positions: Int[np.ndarray, "M"] | slice) -> ImageFacts:
        """The facts of the images that stand there, without the people."""
        return ImageFacts(
            ids=self.ids[positions],
            keys=self.keys[positions],
            role=self.role[positions],
            answer=self.answer[positions],
            newest=self.newest[positions],
            differ=self.differ[positions],
            suggested=self.suggested[positions],
            people={},
        )

    def positions(self, images: Iterable[int]) -> Int[np.ndarray, "M"]:
        """Where these image ids stand; ids that are not there are left out."""
        wanted = np.fromiter(images, np.int64)
        at = np.searchsorted(self.ids, wanted)
        known = at < len(self.ids)
        known[known] = self.ids[at[known]] == wanted[known]
        return at[known]


@dataclass(frozen=True, slots=True)
class FactsMoment:
    """The state of a project that pages of a gallery show."""

    labels: LabelMoment
    image: int
    """Id of the newest image."""


class FactsInMemory:
    """The facts of a project. Threads share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._mark: tuple[int, int] | None = None
        self._moment = LabelMoment()
        self._classes: ClassList | None = None
        self._facts: ImageFacts | None = None
        self._opinions: dict[int, list[Label]] = {}

    def read(
        self, reader: Reader, moment: FactsMoment | None = None
    ) -> tuple[ImageFacts, FactsMoment]:
        """The facts now, or of an earlier moment; and their moment.

        Roles, class names and merges are those of now.
        """
        with self._lock:
            facts = self._up_to_date(reader)
            now = FactsMoment(self._moment, int(facts.ids[-1]) if len(facts) else 0)
            if moment is None or moment == now:
                return facts, now
            touched = reader.labels.touched(moment.labels)
            former = reader.labels.opinions_of(touched, moment.labels)
            of = {image: former.get(image, []) for image in touched}
            facts = _with_opinions(facts, of, reader.classes.current())
        return _until(facts, moment.image), moment

    def _up_to_date(self, reader: Reader) -> ImageFacts:
        """The facts of now: all anew where images or roles changed, else the images that were answered."""
        mark, classes, moment = (
            reader.images.mark(),
            reader.classes.current(),
            reader.labels.moment(),
        )
        facts = self._facts
        if facts is None or mark != self._mark:
            facts = _without_answers(reader)
            self._opinions = {
                image: each for role in Role for image, each in reader.labels.opinions(role).items()
            }
            facts = _with_opinions(facts, self._opinions, classes)
        elif self._classes is None or not classes.same_for_model(self._classes):
            facts = _with_opinions(facts, self._opinions, classes)
        if mark == self._mark and moment != self._moment:
            touched = reader.labels.touched(self._moment)
            fresh = reader.labels.opinions_of(touched)
            for image in touched:
                if image in fresh:
                    self._opinions[image] = fresh[image]
                else:
                    self._opinions.pop(image, None)
            facts = _with_opinions(facts, {i: fresh.get(i, []) for i in touched}, classes)
        self._mark, self._classes, self._moment, self._facts = mark, classes, moment, facts
        return facts


def key_of(content_hash: str) -> int:
    """The number that stands for a content hash in files beside the database."""
    return int(content_hash[:KEY_DIGITS], 16)


def keys_of(hashes: np.ndarray) -> Int[np.ndarray, "N"]:
    """`key_of` each content hash of an array of ASCII bytes, 64 a hash.

    A million Python texts and numbers would take twenty times the memory of their keys.
    """
    width = hashes.dtype.itemsize
    digits = np.ascontiguousarray(hashes).view(np.uint8).reshape(len(hashes), width)
    found = np.zeros(len(hashes), np.int64)
    for column in range(KEY_DIGITS):
        found = 16 * found + _DIGITS[digits[:, column]]
    return found


def _without_answers(reader: Reader) -> ImageFacts:
    columns = []
    for at, each in enumerate(ROLES):
        images = ImageColumns.read(reader, each)
        columns.append((images.ids, keys_of(images.hashes), np.full(len(images), at)))
    ids, keys, role = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    order = np.argsort(ids, kind="stable")
    ids, keys, role = ids[order], keys[order], role[order]
    zero = np.zeros(len(ids), np.int64)
    return ImageFacts(ids, keys, role, zero, zero, zero.astype(bool), zero, {})


def _with_opinions(
    facts: ImageFacts, opinions: Mapping[int, Sequence[Label]], classes: ClassList
) -> ImageFacts:
    """The facts with what these opinions say of their images; an image without opinions has no answer."""
    if not opinions:
        return facts
    names = classes.counted_names
    id_of = {c.name: c.id for c in (*classes.classes, *classes.former)}
    counts_for = {given: id_of[name] for given, name in names.items()}
    answer, newest, suggested = facts.answer.copy(), facts.newest.copy(), facts.suggested.copy()
    differ, people = facts.differ.copy(), dict(facts.people)
    counted = classes.counted
    images = [i for i in opinions if facts.ids.size]
    for at, image in zip(facts.positions(images).tolist(), _known(facts, images), strict=True):
        counting = counting_opinions(opinions[image])
        if not counting:
            answer[at], newest[at], suggested[at], differ[at] = NONE, 0, 0, False
            people.pop(at, None)
            continue
        label = deciding_label(counting, counted)
        answer[at] = _answer_of(label, counts_for)
        newest[at] = max(each.id for each in counting)
        suggested[at] = counts_for.get(label.suggested_class_id) or 0
        differ[at] = len({counted[c] for each in counting if (c := each.class_id) in counted}) > 1
        people[at] = frozenset(each.annotator for each in counting)
    return replace(
        facts, answer=answer, newest=newest, suggested=suggested, differ=differ, people=people
    )


def _known(facts: ImageFacts, images: Sequence[int]) -> list[int]:
    return facts.ids[facts.positions(images)].tolist()


def _answer_of(label: Label, counts_for: Mapping[int | None, int | None]) -> int:
    if label.kind is Kind.CLASS:
        return counts_for.get(label.class_id) or NONE
    return SKIP if label.kind is Kind.SKIP else CANNOT_TELL


def _until(facts: ImageFacts, image: int) -> ImageFacts:
    """The facts without images that were imported later."""
    kept = int(np.searchsorted(facts.ids, image, side="right"))
    if kept == len(facts):
        return facts
    people = {at: who for at, who in facts.people.items() if at < kept}
    return replace(facts.at(slice(kept)), people=people)
