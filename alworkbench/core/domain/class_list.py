"""The ordered classes of a project: their prompts, and how the labelling screen shows them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from alworkbench.core.errors import InvalidClassList
from alworkbench.core.names import composed, fault_of_name, shown, twin_key

DEFAULT_TEMPLATES = ("a photo of a {}.",)
MOST_CHARACTERS = 200
"""Of a class name."""
MOST_OF_DESCRIPTION = 500
"""Characters of a description."""
MOST_EXAMPLES = 12
"""Example images of a class."""


# c and r belong to Streamlit, the rest to the labelling page.
RESERVED_KEYS = frozenset("crsuz")


DIGITS = "1234567890"
"""One for each class, in a project that has no more classes than digits."""
CLASS_KEYS = DIGITS + "".join(k for k in string.ascii_lowercase if k not in RESERVED_KEYS)
"""What a class may have as a key of its own."""
LIKELIEST = 9
"""Of more classes than digits, how many of the most probable ones of an image the digits answer with."""

_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class LabelClass:
    """One class: what people call it, how the model is asked about it, and how the screen shows it."""

    name: str
    templates: tuple[str, ...] = DEFAULT_TEMPLATES
    """Prompt templates; `{}` stands for the name."""
    id: int | None = None
    """Stable over versions of the class list; given by the store."""
    key: str | None = None
    """The key that answers with this class; None: a key that no class chose (`ClassList.keys`)."""
    colour: str | None = None
    """On the labelling screen, such as `#c03020`."""
    description: str = ""
    """What belongs to the class, for people. The model does not read it."""
    place: int | None = None
    """Place on the labelling screen; None: after the classes that have one."""
    examples: tuple[str, ...] = ()
    """Content hashes of images that show people what belongs to the class. The model does not read them."""
    into: int | None = None
    """Of a class that was merged: the id of the class for which its labels count."""

    @property
    def prompts(self) -> tuple[str, ...]:
        """The templates with the name put in."""
        return tuple(template.replace("{}", self.name) for template in self.templates)


@dataclass(frozen=True, slots=True)
class ClassList:
    """The ordered classes of a project. Versioned: adding a class changes every score.

    `len`, names, keys and positions are those of the classes in use. Classes that were retired or merged
    are kept beside them, since labels name them.
    """

    classes: tuple[LabelClass, ...]
    id: int | None = None
    """The version; given by the store."""
    former: tuple[LabelClass, ...] = ()
    """Classes that are no longer in use: retired ones, and merged ones (`LabelClass.into`)."""

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            raise InvalidClassList(
                f"A class list needs at least 2 classes, found {len(self.classes)}. "
                f"Name each class with `--class`."
            )
        names = [c.name for c in (*self.classes, *self.former)]
        if repeated := {name for name in names if names.count(name) > 1}:
            raise InvalidClassList(
                f"The class list repeats these names: {', '.join(sorted(repeated))}."
            )
        for c in (*self.classes, *self.former):
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
            _check_display(c)
        chosen = [c.key for c in self.classes if c.key is not None]
        if twice := {key for key in chosen if chosen.count(key) > 1}:
            raise InvalidClassList(
                f"Two classes have the key {min(twice)!r}. Give one another key."
            )
        if any(c.into is not None for c in self.classes):
            raise InvalidClassList("A class in use cannot be merged into another at the same time.")
        for c in self.former:
            if self._last(c) is None:
                raise InvalidClassList(
                    f"The class {c.name!r} is merged into a class that the list does not have."
                )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in order."""
        return tuple(c.name for c in self.classes)

    @property
    def shown_order(self) -> tuple[int, ...]:
        """Positions of the classes in the order of the labelling screen.

        The position of a class never changes: columns of predictions and stored learners follow it.
        """
        last = len(self.classes)
        places = [last if c.place is None else c.place for c in self.classes]
        return tuple(sorted(range(last), key=lambda position: places[position]))

    @property
    def keys(self) -> tuple[str | None, ...]:
        """The key of each class, by position; None for a class without one.

        With no more classes than digits, each has one: its own, or the digit of its place on the screen, so
        that other keys stay when one class gets its own. Where another class chose that digit, the first
        unused digit follows. Of more classes, those have a key that were given one: the other digits answer
        with the likeliest classes of each image, and letters find a class by its name.
        """
        keys = [c.key for c in self.classes]
        if self.more_than_digits:
            return tuple(keys)
        chosen = set(keys)
        for digit, position in zip(DIGITS, self.shown_order, strict=False):
            if keys[position] is None and digit not in chosen:
                keys[position] = digit
        unused = iter([digit for digit in DIGITS if digit not in keys])
        for position in self.shown_order:
            if keys[position] is None:
                keys[position] = next(unused)
        return tuple(keys)

    @property
    def more_than_digits(self) -> bool:
        """Whether there are more classes than digits, so that a digit cannot stand for one class."""
        return len(self.classes) > len(DIGITS)

    def same_for_model(self, other: ClassList) -> bool:
        """Whether both have the same classes, names and templates by position, and count labels equally.

        Keys, colours, descriptions, examples and places are for people alone: a learner of one list is a
        learner of the other.
        """
        mine, others = (
            [(c.id, c.name, c.templates) for c in each.classes] for each in (self, other)
        )
        return mine == others and self.counted == other.counted

    def index_of_id(self, class_id: int) -> int | None:
        """Position of the class in use with this id; None for any other id."""
        return next((i for i, c in enumerate(self.classes) if c.id == class_id), None)

    @property
    def counted(self) -> dict[int, int]:
        """Class id of a label -> position of the class for which it counts.

        The label of a merged class counts for the class that it was merged into. The label of a retired
        class counts for none: its id is missing.
        """
        position_of = {c.id: position for position, c in enumerate(self.classes)}
        last = {c.id: self._last(c) for c in (*self.classes, *self.former)}
        return {
            id_: position_of[c.id]
            for id_, c in last.items()
            if id_ is not None and c is not None and c.id in position_of
        }

    @property
    def counted_names(self) -> dict[int | None, str]:
        """Class id of a label -> name under which it counts: that of the class it was merged into, if any.

        A retired class has its own name.
        """
        last = {c.id: self._last(c) for c in (*self.classes, *self.former)}
        return {id_: c.name for id_, c in last.items() if c is not None}

    @property
    def given_names(self) -> dict[int | None, str]:
        """Class id -> present name of the class itself, of every class that is or was in use."""
        return {c.id: c.name for c in (*self.classes, *self.former)}

    def _last(self, merged: LabelClass) -> LabelClass | None:
        """Where the merges of a class end; None where they run in a circle or to an unknown class."""
        if merged.into is None:
            return merged
        of_id = {c.id: c for c in (*self.classes, *self.former)}
        last: LabelClass | None = merged
        for _ in of_id:
            if last is None or last.into is None:
                return last
            last = of_id.get(last.into)
        return None

    def with_name(self, name: str) -> LabelClass | None:
        """The class in use with this name, however its characters are written; None for any other name."""
        return _with_name(self.classes, name)

    def ever_with_name(self, name: str) -> LabelClass | None:
        """The class with this name, in use or not; None for an unknown name."""
        return _with_name((*self.classes, *self.former), name)

    def former_with_name(self, name: str) -> LabelClass | None:
        """The retired or merged class with this name, however it is written; None for any other name."""
        return _with_name(self.former, name)


def _with_name(classes: Sequence[LabelClass], name: str) -> LabelClass | None:
    wanted = composed(name)
    return next((c for c in classes if composed(c.name) == wanted), None)


def _check_display(c: LabelClass) -> None:
    """Raises InvalidClassList for a key, a colour or a description that cannot be used."""
    for _, fault in display_faults(c):
        raise InvalidClassList(fault)


def display_faults(c: LabelClass) -> Iterator[tuple[str, str]]:
    """Field and sentence of everything that the screen cannot show of a class."""
    if c.key is not None and c.key not in tuple(CLASS_KEYS):
        yield (
            "key",
            f"The class {c.name!r} cannot have the key {shown(c.key[:20])!r}. Keys are the digits and the "
            f"small letters without {', '.join(sorted(RESERVED_KEYS))}, which have another meaning.",
        )
    if c.colour is not None and not _COLOUR.fullmatch(c.colour):
        yield (
            "colour",
            f"The class {c.name!r} cannot have the colour {shown(c.colour[:20])!r}. A colour is # and six "
            f"digits or letters a to f, such as #c03020.",
        )
    if len(c.examples) > MOST_EXAMPLES:
        yield (
            "examples",
            f"The class {c.name!r} would have {len(c.examples)} example images; it can have at most "
            f"{MOST_EXAMPLES}. Remove some (`alworkbench classes examples --remove`).",
        )
    if len(c.description) > MOST_OF_DESCRIPTION or fault_of_name(c.description) is not None:
        yield (
            "description",
            f"The description of the class {c.name!r} must be one line of at most "
            f"{MOST_OF_DESCRIPTION} characters.",
        )


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
