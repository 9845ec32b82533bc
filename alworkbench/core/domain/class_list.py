"""The ordered classes of a project, their prompts and their keys."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

from alworkbench.core.errors import InvalidClassList
from alworkbench.core.names import composed, fault_of_name, shown, twin_key

DEFAULT_TEMPLATES = ("a photo of a {}.",)
MOST_CHARACTERS = 200
"""Of a class name."""


# One key per class in reading order; c and r belong to Streamlit, the rest to the labelling page.
RESERVED_KEYS = frozenset("crsuz")


CLASS_KEYS = "1234567890" + "".join(k for k in string.ascii_lowercase if k not in RESERVED_KEYS)


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: what people call it and how the model is asked about it."""

    name: str
    templates: tuple[str, ...] = DEFAULT_TEMPLATES
    """Prompt templates; `{}` stands for the name."""
    id: int | None = None
    """Stable over versions of the class list; given by the store."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The templates with the name put in."""
        return tuple(template.replace("{}", self.name) for template in self.templates)


@dataclass(frozen=True, slots=True)
class ClassList:
    """The ordered classes of a project. Versioned: adding a class changes every score."""

    classes: tuple[LabelClass, ...]
    id: int | None = None
    """The version; given by the store."""

    def __post_init__(self) -> None:
        names = [c.name for c in self.classes]
        if len(names) < 2:
            raise InvalidClassList(
                f"A class list needs at least 2 classes, found {len(names)}. "
                f"Name each class with `--class`."
            )
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InvalidClassList(
                f"The class list repeats these names: {', '.join(sorted(repeated))}."
            )
        for c in self.classes:
            if (fault := fault_of_class_name(c.name)) is not None:
                raise InvalidClassList(
                    f"'{shown(c.name[:200])}' is not a valid class name: it {fault}. A name has 1 to "
                    f"{MOST_CHARACTERS} characters and no control characters."
                )
            if not c.templates or any("{}" not in template for template in c.templates):
                raise InvalidClassList(
                    f"The templates of the class {c.name!r} must contain {{}} for the name, such as "
                    f"{DEFAULT_TEMPLATES[0]!r}; found {list(c.templates)}."
                )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(c.name for c in self.classes)

    def key_of(self, position: int) -> str | None:
        """The key that answers with this class, or None past the last key."""
        return CLASS_KEYS[position] if position < len(CLASS_KEYS) else None

    def index_of_id(self, class_id: int) -> int | None:
        """Position of the class with this id; None for an unknown id."""
        return next((i for i, c in enumerate(self.classes) if c.id == class_id), None)

    def with_name(self, name: str) -> LabelClass | None:
        """The class with this name, however its characters are written; None for an unknown name."""
        wanted = composed(name)
        return next((c for c in self.classes if composed(c.name) == wanted), None)


def fault_of_class_name(name: str) -> str | None:
    """Why no class can have this name, in words that follow "it"; None for a name that can be used."""
    if not name.strip():
        return "is empty"
    if len(name) > MOST_CHARACTERS:
        return f"has {len(name):,} characters"
    return fault_of_name(name)


def refuse_twins(names: Sequence[str], known: Sequence[str] = ()) -> None:
    """Raises InvalidClassList where a name differs from another only in case, blanks or Unicode form.

    `names` are compared with each other and with the `known` names. A project that has such classes
    already can still be opened.
    """
    seen = {twin_key(name): name for name in known}
    for name in names:
        twin = seen.setdefault(twin_key(name), name)
        if twin != name:
            raise InvalidClassList(
                f"The class names {twin!r} and {name!r} differ only in upper and lower case, in blanks or "
                f"in how their characters are written. Many models read them as the same name. Give one "
                f"of them another name, or leave it out."
            )
