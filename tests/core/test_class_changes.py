"""Laws of changes of a class list: ids and positions stay, keys are distinct and stay where they can."""

from __future__ import annotations

import random

import pytest

from alworkbench.core.domain import CLASS_KEYS, DIGITS, ClassList, LabelClass
from alworkbench.core.domain.class_changes import renamed, reordered, shown_as
from alworkbench.core.errors import InvalidClassList, UnknownClass


def listed(count: int) -> ClassList:
    return ClassList(tuple(LabelClass(f"class {k}", id=k + 1) for k in range(count)), 1)


def shown(classes: ClassList) -> list[str]:
    return [classes.names[position] for position in classes.shown_order]


@pytest.mark.parametrize("count", [2, 5, 10, 11, 40])
def test_without_chosen_keys_digits_follow_the_screen_while_they_suffice(count: int) -> None:
    classes = reordered(listed(count), ["class 1"])
    keys = [classes.keys[position] for position in classes.shown_order]
    assert keys == (list(DIGITS[:count]) if count <= len(DIGITS) else [None] * count)
    assert classes.more_than_digits == (count > len(DIGITS))


@pytest.mark.parametrize("seed", range(5))
def test_random_changes_keep_ids_positions_and_distinct_keys(seed: int) -> None:
    draw = random.Random(seed)
    first = classes = listed(draw.choice([3, 12, 40]))
    for step in range(30):
        name = draw.choice(classes.names)
        free = sorted(set(CLASS_KEYS) - {c.key for c in classes.classes})
        classes = draw.choice(
            [
                lambda c, n=name, s=step: renamed(c, n, f"renamed {s}"),
                lambda c: reordered(c, draw.sample(c.names, k=2)),
                lambda c, n=name, k=free: shown_as(c, n, key=draw.choice(["", *k])),
                lambda c, n=name: shown_as(c, n, colour="#C03020", description="grey"),
            ]
        )(classes)
        assert [c.id for c in classes.classes] == [c.id for c in first.classes]
        assert sorted(classes.shown_order) == list(range(len(classes)))
        given = [key for key in classes.keys if key is not None]
        own = sum(c.key is not None for c in classes.classes)
        assert len(set(given)) == len(given) == (own if classes.more_than_digits else len(classes))
        chosen = [(c.key, key) for c, key in zip(classes.classes, classes.keys, strict=True)]
        assert all(own is None or own == key for own, key in chosen)


def test_a_chosen_key_moves_only_the_class_that_had_it() -> None:
    before = listed(6)
    after = shown_as(before, "class 4", key="2")
    assert before.keys == tuple("123456")
    assert after.keys == ("1", "5", "3", "4", "2", "6")
    assert shown_as(before, "class 4", key="Q").keys == ("1", "2", "3", "4", "q", "6")
    assert shown_as(after, "class 4", key="") == before


def test_a_new_order_is_for_people_alone_and_its_repetition_changes_nothing() -> None:
    before = listed(4)
    after = reordered(before, ["class 2", "class 0"])
    assert shown(after) == ["class 2", "class 0", "class 1", "class 3"]
    assert after.names == before.names
    assert after.same_for_model(before)
    assert reordered(after, ["class 2"]) is after
    grown = ClassList((*after.classes, LabelClass("late", id=9)))
    assert shown(grown) == [*shown(after), "late"]
    assert not grown.same_for_model(after)


def test_a_name_back_is_the_list_of_before() -> None:
    before = listed(3)
    after = renamed(before, "class 1", " CLASS 1 ")
    assert after.names[1] == "CLASS 1"
    assert not after.same_for_model(before)
    assert renamed(after, "CLASS 1", "class 1") == before


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: renamed(c, "class 0", "Class  1"), InvalidClassList),
        (lambda c: renamed(c, "class 0", ""), InvalidClassList),
        (lambda c: renamed(c, "owl", "class 9"), UnknownClass),
        (lambda c: reordered(c, ["class 0", "class 0"]), InvalidClassList),
        (lambda c: reordered(c, ["owl"]), UnknownClass),
        (lambda c: shown_as(c, "class 0", key="s"), InvalidClassList),
        (lambda c: shown_as(c, "class 0", key="12"), InvalidClassList),
        (lambda c: shown_as(shown_as(c, "class 0", key="q"), "class 1", key="q"), InvalidClassList),
        (lambda c: shown_as(c, "class 0", colour="red"), InvalidClassList),
        (lambda c: shown_as(c, "class 0", description="a\nb"), InvalidClassList),
        (lambda c: shown_as(c, "class 0", description="a" * 501), InvalidClassList),
    ],
)
def test_what_cannot_be_is_refused(change, error) -> None:
    with pytest.raises(error):
        change(listed(3))
