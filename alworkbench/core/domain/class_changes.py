"""Changes of a class list between two versions: another name, another order, other prompts, examples.

Each function takes the present list and returns the changed one, or the present one where nothing
changes. Ids stay, so every label keeps its class; positions stay, so every learner keeps its columns.
Which classes are in use is changed in `classes_in_use`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from alworkbench.core.domain.class_list import ClassList, LabelClass, refuse_twins
from alworkbench.core.errors import ClassNotInUse, InvalidClassList, UnknownClass
from alworkbench.core.names import tidy_name


def added(present: ClassList, new: LabelClass) -> ClassList:
    """With one more class. Raises InvalidClassList, ClassNotInUse."""
    new = replace(new, name=tidy_name(new.name))
    refuse_former(present, new.name)
    refuse_twins([new.name], [c.name for c in (*present.classes, *present.former)])
    return replace(present, classes=(*present.classes, new))


def renamed(present: ClassList, old: str, new: str) -> ClassList:
    """The class `old` has the name `new`. Raises UnknownClass, InvalidClassList."""
    changed, name = named(present, old), tidy_name(new)
    refuse_former(present, name)
    others = (*present.classes, *present.former)
    refuse_twins([name], [c.name for c in others if c is not changed])
    return _with(present, changed, replace(changed, name=name))


def reordered(present: ClassList, first: Sequence[str]) -> ClassList:
    """On the labelling screen, the classes `first` come first, in this order; the others follow as before.

    Raises UnknownClass, and InvalidClassList for a class that is named twice.
    """
    wanted = [named(present, name) for name in first]
    if len({c.id for c in wanted}) < len(wanted):
        raise InvalidClassList("The order names a class twice. Name each class once.")
    before = [present.classes[position] for position in present.shown_order]
    after = [*wanted, *(c for c in before if c not in wanted)]
    if after == before:
        return present
    place_of = {c.name: place for place, c in enumerate(after)}
    return replace(
        present, classes=tuple(replace(c, place=place_of[c.name]) for c in present.classes)
    )


def shown_as(
    present: ClassList,
    name: str,
    *,
    key: str | None = None,
    colour: str | None = None,
    description: str | None = None,
) -> ClassList:
    """The class `name` has this key, colour and description on the labelling screen.

    None leaves what is there; an empty text removes it. Raises UnknownClass, InvalidClassList.
    """
    changed = named(present, name)
    after = replace(
        changed,
        key=changed.key if key is None else key.strip().lower() or None,
        colour=changed.colour if colour is None else colour.strip().lower() or None,
        description=changed.description if description is None else description.strip(),
    )
    return _with(present, changed, after)


def prompted(present: ClassList, name: str | None, templates: Sequence[str]) -> ClassList:
    """The class `name` has these prompt templates; without a name every class in use has them.

    Raises UnknownClass, InvalidClassList.
    """
    changed = present.classes if name is None else (named(present, name),)
    fresh = {id(c): replace(c, templates=tuple(templates)) for c in changed}
    after = tuple(fresh.get(id(c), c) for c in present.classes)
    return present if after == present.classes else replace(present, classes=after)


def with_examples(
    present: ClassList, name: str, added: Sequence[str] = (), removed: Sequence[str] = ()
) -> ClassList:
    """The class `name` has these images as further examples, and those removed no longer.

    Images are content hashes. Raises UnknownClass, and InvalidClassList for too many examples or for an
    image to remove that is none.
    """
    changed = named(present, name)
    if missing := [each for each in removed if each not in changed.examples]:
        raise InvalidClassList(
            f"The class {changed.name!r} does not have the image {missing[0][:12]}... as an example. "
            f"`alworkbench classes list --json` lists its examples."
        )
    kept = [each for each in changed.examples if each not in removed]
    examples = tuple(dict.fromkeys([*kept, *added]))
    return _with(present, changed, replace(changed, examples=examples))


def named(classes: ClassList, name: str) -> LabelClass:
    """The class with this name. Raises UnknownClass."""
    found = classes.with_name(name) or classes.with_name(tidy_name(name))
    if found is None:
        refuse_former(classes, name)
        raise UnknownClass(name, classes.names, "The change")
    return found


def refuse_former(classes: ClassList, name: str) -> None:
    """Raises ClassNotInUse where a class with this name was retired or merged."""
    found = classes.former_with_name(name) or classes.former_with_name(tidy_name(name))
    if found is not None:
        raise ClassNotInUse(found.name, classes.given_names.get(found.into) if found.into else None)


def _with(present: ClassList, before: LabelClass, after: LabelClass) -> ClassList:
    if after == before:
        return present
    return replace(present, classes=tuple(after if c is before else c for c in present.classes))
