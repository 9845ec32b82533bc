"""Which classes of a list are in use: classes are retired, merged into others, and restored.

A class that is no longer in use keeps its id, and its labels stay what they were. Each function takes the
present list and returns the changed one. Classes in use stay in the order in which they joined, so a class
that is restored gives the list of before.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from alworkbench.core.domain.class_changes import named
from alworkbench.core.domain.class_list import ClassList, LabelClass
from alworkbench.core.errors import InvalidClassList, UnknownClass
from alworkbench.core.names import tidy_name


def retired(present: ClassList, name: str) -> ClassList:
    """The class `name` is no longer in use, and its labels count for no class. Raises UnknownClass.

    Raises InvalidClassList where fewer than 2 classes would be left.
    """
    return _without(present, [named(present, name)], None)


def merged(present: ClassList, names: Sequence[str], into: str) -> ClassList:
    """The classes `names` are no longer in use, and their labels count for the class `into`.

    A retired class can be merged too. Raises UnknownClass for a name that the list does not have, and
    InvalidClassList for a class that is named twice or merged into itself, or where fewer than 2 classes
    would be left.
    """
    target = named(present, into)
    sources = [_retired_or_named(present, name) for name in names]
    if len({c.id for c in sources} | {target.id}) < len(sources) + 1:
        raise InvalidClassList(
            f"A merge names each class once, and the class {target.name!r} cannot be merged into itself. "
            f"Name only the other classes before `--into`. Nothing was changed."
        )
    return _without(present, sources, target.id)


def restored(present: ClassList, name: str) -> ClassList:
    """The class `name`, which was retired or merged, is in use again, and its labels count for it.

    Raises UnknownClass. Nothing changes for a class in use. A key that another class has by now is given up.
    """
    found = present.former_with_name(name) or present.former_with_name(tidy_name(name))
    if found is None:
        if (present.with_name(name) or present.with_name(tidy_name(name))) is not None:
            return present
        known = [*present.names, *(c.name for c in present.former)]
        raise UnknownClass(name, known, "The change")
    taken = found.key is not None and any(c.key == found.key for c in present.classes)
    back = replace(found, into=None, key=None if taken else found.key)
    former = tuple(c for c in present.former if c is not found)
    return replace(present, classes=_in_order([*present.classes, back]), former=former)


def _without(present: ClassList, sources: Sequence[LabelClass], into: int | None) -> ClassList:
    """The list without these classes in use; `into` is the id of the class that their labels count for."""
    kept = tuple(c for c in present.classes if c not in sources)
    if len(kept) < 2:
        raise InvalidClassList(
            f"Only {len(kept)} class would be left in use, and a class list needs at least 2. Add another "
            f"class first (`alworkbench classes add`). Nothing was changed."
        )
    others = [c for c in present.former if c not in sources]
    former = _in_order([*others, *(replace(c, into=into) for c in sources)])
    return replace(present, classes=kept, former=former)


def _retired_or_named(present: ClassList, name: str) -> LabelClass:
    former = present.former_with_name(name) or present.former_with_name(tidy_name(name))
    return former if former is not None and former.into is None else named(present, name)


def _in_order(classes: Iterable[LabelClass]) -> tuple[LabelClass, ...]:
    """In the order in which they joined the project, which is the order of their ids."""
    return tuple(sorted(classes, key=lambda c: c.id or 0))
