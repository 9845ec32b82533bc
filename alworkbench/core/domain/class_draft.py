"""A draft of the next version of a class list: any number of changes, stored together or not at all.

A draft has the form in which `alworkbench classes list --json` prints the list: the classes in use, the
former ones, and the version that it was made from. It may be wrong in any way; `faults_of` says where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from alworkbench.core.domain.class_list import (
    DEFAULT_TEMPLATES,
    ClassList,
    LabelClass,
    display_faults,
    fault_of_class_name,
    refuse_twins,
)
from alworkbench.core.errors import ChangedMeanwhile, InvalidClassList
from alworkbench.core.names import composed, tidy_name, twin_key

MOST_CLASSES = 20_000
"""Of a draft."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a draft."""

    place: int | None
    """Place of the class among those in use in the draft; None: the whole draft, or a former class."""
    field: str
    """`name`, `key`, `colour`, `description`, `templates`, `examples`; empty for the whole draft."""
    words: str


@dataclass(frozen=True, slots=True)
class ClassDraft:
    """Classes as somebody wants them, unchecked."""

    base: int | None
    """Version of the class list that it was made from."""
    classes: tuple[LabelClass, ...]
    """In use, in the order of the draft. A class without an id is new."""
    former: tuple[LabelClass, ...] = ()

    @classmethod
    def of(cls, classes: ClassList) -> ClassDraft:
        """The draft that changes nothing."""
        return cls(classes.id, classes.classes, classes.former)


def read_draft(record: Any) -> ClassDraft:
    """The draft of a JSON value. Raises InvalidClassList where it has another form."""
    if not isinstance(record, Mapping) or not isinstance(record.get("classes"), list):
        raise InvalidClassList(
            "A draft of a class list is an object with the list `classes`, as "
            "`alworkbench classes list --json` prints it."
        )
    former = record.get("former", [])
    if not isinstance(former, list) or len(record["classes"]) + len(former) > MOST_CLASSES:
        raise InvalidClassList(f"A draft has lists of together at most {MOST_CLASSES:,} classes.")
    base = record.get("id")
    if base is not None and not _is_id(base):
        raise InvalidClassList("The `id` of a draft is the number of a version.")
    return ClassDraft(
        base,
        tuple(_read_class(each) for each in record["classes"]),
        tuple(_read_class(each) for each in former),
    )


def drafted(present: ClassList, draft: ClassDraft) -> ClassList:
    """The list that a draft makes of the present one.

    Raises ChangedMeanwhile for a draft of another version, and InvalidClassList with the first fault.

    Classes in use stand in the order in which they joined, new ones last, so that columns of predictions
    stay. Where nothing changes, it is the present list.
    """
    if draft.base not in (None, present.id):
        raise ChangedMeanwhile("somebody else changed the class list", "alworkbench classes")
    for fault in faults_of(present, draft):
        raise InvalidClassList(fault.words)
    used = sorted((_tidied(c) for c in draft.classes), key=lambda c: (c.id is None, c.id or 0))
    after = replace(
        present,
        classes=tuple(replace(c, into=None) for c in used),
        former=tuple(sorted((_tidied(c) for c in draft.former), key=lambda c: c.id or 0)),
    )
    return present if after == present else after


def faults_of(present: ClassList, draft: ClassDraft) -> Iterator[Fault]:
    """Everything that is wrong with a draft, in the order of its classes."""
    known = {c.id for c in (*present.classes, *present.former)}
    given = [c.id for c in (*draft.classes, *draft.former) if c.id is not None]
    if set(given) != known or len(set(given)) < len(given) or None in {c.id for c in draft.former}:
        yield Fault(
            None,
            "",
            "A draft names each class of the project once, and no other class has an id. Retire a class "
            "instead of leaving it out.",
        )
        return
    if len(draft.classes) < 2:
        yield Fault(
            None,
            "",
            f"A class list needs at least 2 classes in use, and this one has {len(draft.classes)}.",
        )
    of_id = present.given_names
    same: dict[str, list[LabelClass]] = {}
    for c in (*draft.classes, *draft.former):
        same.setdefault(twin_key(c.name), []).append(c)
    for number, c in enumerate((*draft.classes, *draft.former)):
        place = number if number < len(draft.classes) else None
        name = tidy_name(c.name)
        if (fault := fault_of_class_name(name)) is not None:
            yield Fault(place, "name", f"This name cannot be used: it {fault}.")
        elif c.id is None or of_id[c.id] != name:
            yield from _name_faults(draft, c, place, same)
        if not c.templates or any("{}" not in each for each in c.templates):
            yield Fault(
                place,
                "templates",
                f"Each template must contain {{}} for the name, such as {DEFAULT_TEMPLATES[0]!r}.",
            )
        for field, words in display_faults(_tidied(c)):
            yield Fault(place, field, words)
    yield from _key_faults(draft)
    yield from _merge_faults(draft)


def _name_faults(
    draft: ClassDraft, own: LabelClass, place: int | None, same: Mapping[str, list[LabelClass]]
) -> Iterator[Fault]:
    """A new name must differ from every other name, also from those of former classes."""
    name = tidy_name(own.name)
    for other in same[twin_key(name)]:
        if other is own:
            continue
        if any(other is each for each in draft.former):
            gone = "was retired" if other.into is None else "was merged into another class"
            words = f"The class {other.name!r} {gone}. Restore it, or choose another name."
            yield Fault(place, "name", words)
        elif composed(other.name) == name:
            yield Fault(place, "name", f"Another class is called {name!r}, too.")
        else:
            try:
                refuse_twins([name], [other.name])
            except InvalidClassList as problem:
                yield Fault(place, "name", str(problem))
        return


def _key_faults(draft: ClassDraft) -> Iterator[Fault]:
    seen: dict[str, str] = {}
    for place, c in enumerate(_tidied(each) for each in draft.classes):
        if c.key is None:
            continue
        if c.key in seen:
            words = f"The class {seen[c.key]!r} has the key {c.key!r}, too. Give one another key."
            yield Fault(place, "key", words)
        seen.setdefault(c.key, c.name)


def _merge_faults(draft: ClassDraft) -> Iterator[Fault]:
    into = {c.id: c.into for c in draft.former} | {c.id: None for c in draft.classes}
    for c in draft.former:
        last: int | None = c.id
        for _ in into:
            if last not in into or (after := into[last]) is None:
                break
            last = after
        if last not in into or into[last] is not None:
            words = f"The class {c.name!r} is merged into a class that the list does not have."
            yield Fault(None, "", words)


def _tidied(c: LabelClass) -> LabelClass:
    """As it is stored: without blanks at the ends of names, keys and colours."""
    return replace(
        c,
        name=tidy_name(c.name),
        key=(c.key or "").strip().lower() or None,
        colour=(c.colour or "").strip().lower() or None,
        description=c.description.strip(),
    )


def _read_class(record: Any) -> LabelClass:
    """Raises InvalidClassList where it is no object, a field is unknown or of another type, or a class of the
    project lacks a field.
    """
    if not isinstance(record, Mapping) or (unknown := set(record) - set(_FIELDS)):
        named = ", ".join(sorted(map(str, unknown))) if isinstance(record, Mapping) else "no object"
        raise InvalidClassList(f"A class of a draft has fields that are not known: {named}.")
    given: dict[str, Any] = {}
    for field, value in record.items():
        if not _FIELDS[field](value):
            raise InvalidClassList(
                f"A class of a draft has another type of {field!r}. `alworkbench classes list --json` "
                f"shows the form."
            )
        given[field] = tuple(dict.fromkeys(value)) if isinstance(value, list) else value
    missing = [field for field in _FIELDS if field not in given]
    if given.get("id") is not None and missing:
        # What is left out would be reset: templates, and with them the learner.
        raise InvalidClassList(
            f"The class {given.get('name', '')!r} of the project leaves out {', '.join(missing)}. "
            f"`alworkbench classes list --json` shows the form."
        )
    return LabelClass(**{"name": "", **given})


def _is_id(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**53


def _is_id_or_none(value: Any) -> bool:
    return value is None or _is_id(value)


def _is_place(value: Any) -> bool:
    return value is None or value == 0 or _is_id(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


_FIELDS: dict[str, Callable[[Any], bool]] = {
    "name": _is_text,
    "templates": _are_texts,
    "id": _is_id_or_none,
    "key": _is_text_or_none,
    "colour": _is_text_or_none,
    "description": _is_text,
    "place": _is_place,
    "examples": _are_texts,
    "into": _is_id_or_none,
}
"""Fields of a class, and which JSON values they have."""
