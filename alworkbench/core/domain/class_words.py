"""What changed between two versions of a class list, in sentences; and the way back to an earlier one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace

from alworkbench.core.domain.class_list import ClassList, LabelClass
from alworkbench.core.words import counted

SHOWN = 3
"""Templates that a sentence names."""


def changes_between(before: ClassList, after: ClassList) -> tuple[str, ...]:
    """One sentence for each change, in the order of the classes; empty where nothing changed."""
    return tuple(_changes(before, after))


def returned(present: ClassList, earlier: ClassList) -> ClassList:
    """The earlier list as the next version. Classes that joined since are retired; merged ones stay merged.

    Ids stay, so every label names its class. The present list where nothing changes.
    """
    known = {c.id for c in (*earlier.classes, *earlier.former)}
    since = [c for c in (*present.classes, *present.former) if c.id not in known]
    former = sorted([*earlier.former, *since], key=lambda c: c.id or 0)
    after = replace(present, classes=earlier.classes, former=tuple(former))
    return present if after == present else after


def quoted(name: str) -> str:
    """The name in quotes. One that is written from right to left stands in isolates, so that the words around
    it keep their order on screens (Unicode Standard Annex 9)."""
    from_right = any(unicodedata.bidirectional(each) in ("R", "AL") for each in name)
    return f"\u2068{name!r}\u2069" if from_right else repr(name)


def _changes(before: ClassList, after: ClassList) -> Iterator[str]:
    used = {c.id: c for c in before.classes}
    former = {c.id: c for c in before.former}
    names = after.given_names
    common = _common_templates(before, after)
    for c in after.classes:
        if c.id in used:
            earlier = used[c.id]
            yield from _of_class(
                earlier if common is None else replace(earlier, templates=common), c
            )
        elif c.id in former:
            yield f"{quoted(c.name)} is in use again."
            yield from _of_class(former[c.id], c)
        else:
            yield f"{quoted(c.name)} is new."
    for c in after.former:
        was = former.get(c.id)
        if was is not None and was.into == c.into:
            continue
        if c.into is None:
            yield f"{quoted(c.name)} is retired: its labels teach nothing."
        else:
            yield f"{quoted(c.name)} is merged into {quoted(names[c.into])}: its labels count for that class."
    if common is not None:
        yield f"The prompt templates of all classes are now: {_some(common)}"
    if _order(before, after) != _order(after, before):
        yield "The labelling screen shows the classes in another order."


def _common_templates(before: ClassList, after: ClassList) -> tuple[str, ...] | None:
    """The templates that all classes have now, if more than one class had others before; else None."""
    found = {c.templates for c in after.classes}
    earlier = {c.id: c.templates for c in before.classes}
    fresh = [c for c in after.classes if earlier.get(c.id, c.templates) != c.templates]
    return found.pop() if len(found) == 1 and len(fresh) > 1 else None


def _some(templates: Sequence[str]) -> str:
    shown = ", ".join(templates[:SHOWN])
    more = len(templates) - SHOWN
    return shown if more <= 0 else f"{shown} and {more} more"


def _of_class(was: LabelClass, now: LabelClass) -> Iterator[str]:
    if was.name != now.name:
        yield f"{quoted(was.name)} is now called {quoted(now.name)}."
    if was.templates != now.templates:
        yield f"The prompt templates of {quoted(now.name)} are now: {_some(now.templates)}"
    if was.key != now.key:
        yield (
            f"{quoted(now.name)} has the key {now.key!r}."
            if now.key
            else f"{quoted(now.name)} has no key of its own."
        )
    if was.colour != now.colour:
        yield (
            f"{quoted(now.name)} has the colour {now.colour}."
            if now.colour
            else f"{quoted(now.name)} has no colour."
        )
    if was.description != now.description:
        yield f"{quoted(now.name)} has another description."
    if was.examples != now.examples:
        yield f"{quoted(now.name)} has {counted(len(now.examples), 'example image')}."


def _order(one: ClassList, other: ClassList) -> list[int | None]:
    """Ids in the order of the screen, of the classes that are in use in both lists."""
    both = {c.id for c in one.classes} & {c.id for c in other.classes} - {None}
    order = [one.classes[position].id for position in one.shown_order]
    return [each for each in order if each in both]
