"""Versions of the class list compared: which are the same for the model, and what a change concerns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from alworkbench.core.domain import ClassDraft, ClassList, Fault, LabelClass, Role
from alworkbench.core.domain.class_words import changes_between
from alworkbench.core.errors import InvalidClassList
from alworkbench.core.names import twin_key
from alworkbench.core.ports import Reader
from alworkbench.project.session import stored_id


@dataclass(frozen=True, slots=True)
class ChangeEffect:
    """What a change of the class list concerns. Stored labels, rounds and learners stay as they are."""

    labels: int
    """Answers, but for those taken back, that name a class which the model will know otherwise."""
    rounds: int
    """Rounds with such an answer."""
    learners: int
    """Stored learners of the present list, if the model learns again. Curves leave them out from then on."""
    learns_again: bool
    """Whether the model learns again from all labels."""
    measured_again: bool = False
    """Whether the accuracy is measured again on the audit set, with the changed list."""
    by_class: tuple[ClassLabels, ...] = ()
    """Classes with such answers, and what becomes of them."""


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """Answers that name a class which the model will know otherwise."""

    name: str
    """Present name of the class."""
    labels: int
    counts_for: str | None
    """Name of the class for which they will count; None: they will teach nothing."""


@dataclass(frozen=True, slots=True)
class ClassVersion:
    """A stored version of the class list."""

    number: int
    stored_at: datetime
    classes: int
    """In use."""
    changes: tuple[str, ...]
    """What differs from the version before, in sentences; empty for the first."""


def versions(reader: Reader) -> list[ClassList]:
    """Every version of the class list, oldest first."""
    newest = stored_id(reader.classes.current().id)
    return [reader.classes.get(number) for number in range(1, newest + 1)]


def history(reader: Reader) -> list[ClassVersion]:
    """Every version with what changed, oldest first."""
    stored_at, before, found = reader.classes.stored_at(), None, []
    for each in versions(reader):
        number = stored_id(each.id)
        changes = () if before is None else changes_between(before, each)
        found.append(ClassVersion(number, stored_at[number], len(each), changes))
        before = each
    return found


def same_versions(reader: Reader, classes: ClassList) -> frozenset[int]:
    """Versions that are the same for the model as this list; see `ClassList.same_for_model`."""
    return frozenset(stored_id(v.id) for v in versions(reader) if v.same_for_model(classes))


def refuse_earlier_names(reader: Reader, changed: ClassList) -> None:
    """Raises InvalidClassList where a class has a name that was the name of another class.

    So a name means one class in all files and records of the project.
    """
    for _, words in _earlier_names(reader, changed.classes):
        raise InvalidClassList(words)


def earlier_name_faults(reader: Reader, draft: ClassDraft) -> list[Fault]:
    """A fault for each class of a draft that has the earlier name of another class."""
    return [Fault(place, "name", words) for place, words in _earlier_names(reader, draft.classes)]


def _earlier_names(reader: Reader, classes: Sequence[LabelClass]) -> Iterator[tuple[int, str]]:
    """Place and sentence of each class that has a name which was the name of another class."""
    earlier = {
        twin_key(c.name): c
        for version in versions(reader)
        for c in (*version.classes, *version.former)
    }
    now = reader.classes.current().given_names
    for place, c in enumerate(classes):
        other = earlier.get(twin_key(c.name))
        if now.get(c.id) == c.name or other is None or other.id == c.id:
            continue
        if other.id in now:
            yield (
                place,
                f"{c.name!r} was a name of the class that is now {now[other.id]!r}, and "
                f"records and exported files use it for that class. Choose another name.",
            )


def effect_of(reader: Reader, changed: ClassList) -> ChangeEffect:
    """What happens if the newest version is followed by this one."""
    present = reader.classes.current()
    if changed.same_for_model(present):
        return ChangeEffect(0, 0, 0, learns_again=False)
    before, after = _meanings(present), _meanings(changed)
    concerned = {id_ for id_ in before | after if before.get(id_) != after.get(id_)}
    taken_back = {each.label_id for each in reader.labels.take_backs()}
    labels = [
        each
        for each in reader.labels.all()
        if each.class_id in concerned and each.id not in taken_back
    ]
    asked = {each.item_id for each in labels}
    rounds = [
        each
        for each in reader.rounds.all()
        if any(item.id in asked for item in reader.rounds.items(each.id))
    ]
    same = same_versions(reader, present)
    learners = [each for each in reader.computed.learners() if each.class_list_id in same]
    learns_again = reader.computed.learner() is not None
    was_measured = any(each.learner_id is None for each in reader.computed.metrics())
    measured_again = was_measured or (learns_again and bool(reader.labels.current(Role.AUDIT)))
    counted = changed.counted
    names = {c.id: c.name for c in (*present.classes, *present.former)}
    by_class = tuple(
        ClassLabels(
            names[class_id],
            count,
            changed.names[counted[class_id]] if class_id in counted else None,
        )
        for class_id, count in sorted(Counter(each.class_id for each in labels).items())
        if class_id is not None
    )
    return ChangeEffect(
        len(labels), len(rounds), len(learners), learns_again, measured_again, by_class
    )


def _meanings(classes: ClassList) -> dict[int, tuple[str, tuple[str, ...]] | None]:
    """Class id -> name and templates of the class for which its labels count; None: they count for none."""
    read = [(c.name, c.templates) for c in classes.classes]
    counted = classes.counted
    return {
        stored_id(c.id): read[counted[stored_id(c.id)]] if c.id in counted else None
        for c in (*classes.classes, *classes.former)
        if c.id is not None
    }
