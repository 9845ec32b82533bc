"""Laws of classes that are retired, merged and restored: ids stay, and labels count where they should."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from alworkbench.core.domain import AnswerKind, ClassList, Label, LabelClass, deciding_label
from alworkbench.core.domain.class_changes import prompted, renamed, shown_as, with_examples
from alworkbench.core.domain.classes_in_use import merged, restored, retired
from alworkbench.core.errors import ClassNotInUse, InvalidClassList, UnknownClass


def listed(count: int) -> ClassList:
    return ClassList(tuple(LabelClass(f"class {k}", id=k + 1) for k in range(count)), 1)


def said(number: int, class_id: int) -> Label:
    now = datetime(2024, 1, 1, tzinfo=UTC)
    return Label(
        number, str(number), 1, AnswerKind.CLASS, class_id, "ada", None, now, None, None, "csv"
    )


def last(name: str | None, into: dict[str, str | None]) -> str | None:
    """Where a chain of merges ends; None for a retired class."""
    while name in into:
        name = into[name]
    return name


@pytest.mark.parametrize("seed", range(10))
def test_random_changes_keep_every_class_and_count_each_label_for_one_class_in_use(seed: int):
    draw = random.Random(seed)
    first = classes = listed(9)
    group = {c.id: c.name for c in first.classes}  # name for which the label counts; None: for none
    into: dict[str, str | None] = {}
    for _ in range(40):
        used, former = list(classes.names), [c.name for c in classes.former]
        what = draw.choice(["retire", "merge", "restore"])
        if what == "restore" and former:
            name = draw.choice(former)
            classes = restored(classes, name)
            del into[name]
        elif what == "retire" and len(used) > 2:
            name = draw.choice(used)
            classes = retired(classes, name)
            into[name] = None
        elif what == "merge" and len(used) > 3:
            one, two, target = draw.sample(used, k=3)
            classes = merged(classes, [one, two], target)
            into |= {one: target, two: target}
        expected = {id_: last(name, into) for id_, name in group.items()}
        found = {id_: classes.names[at] for id_, at in classes.counted.items()}
        assert found == {id_: name for id_, name in expected.items() if name is not None}
        assert sorted(c.id for c in (*classes.classes, *classes.former)) == list(range(1, 10))
        assert list(classes.names) == sorted(classes.names)
    for name in [c.name for c in classes.former]:
        classes = restored(classes, name)
    assert classes == first


def test_a_merge_is_another_model_and_its_undo_the_same_one() -> None:
    before = listed(4)
    gone = retired(before, "class 3")
    after = merged(gone, ["class 3"], "class 0")
    assert not after.same_for_model(gone)  # the same classes, but the labels of class 3 count
    assert after.counted == {1: 0, 2: 1, 3: 2, 4: 0}
    assert restored(after, "class 3") == before
    assert restored(before, "class 3") is before


def test_a_restored_class_gives_up_a_key_that_another_class_has() -> None:
    before = retired(shown_as(listed(3), "class 0", key="q"), "class 0")
    assert restored(before, "class 0").classes[0].key == "q"
    taken = shown_as(before, "class 1", key="q")
    assert [c.key for c in restored(taken, "class 0").classes] == [None, "q", None]


def test_the_vote_of_several_people_is_counted_after_the_merge() -> None:
    answers = [said(1, 1), said(2, 2), said(3, 3), said(4, 3), said(5, 1)]
    assert deciding_label(answers).class_id == 1
    together = merged(listed(4), ["class 1"], "class 2")
    assert deciding_label(answers, together.counted).id == 4
    gone = retired(listed(4), "class 0")
    assert deciding_label(answers, gone.counted).class_id == 3
    assert (
        deciding_label(answers[:1], gone.counted).id == 1
    )  # it keeps its name, and teaches nothing


def test_prompts_of_one_class_and_of_all_classes() -> None:
    before = listed(3)
    one = prompted(before, "class 1", ["a sketch of a {}."])
    assert [c.templates == ("a sketch of a {}.",) for c in one.classes] == [False, True, False]
    assert prompted(one, "class 1", ["a sketch of a {}."]) is one
    every = prompted(one, None, ["a {}."])
    assert {c.templates for c in every.classes} == {("a {}.",)}


def test_examples_are_for_people_alone_and_are_listed_once() -> None:
    before = listed(3)
    after = with_examples(before, "class 1", ["a" * 64, "b" * 64, "a" * 64])
    assert after.classes[1].examples == ("a" * 64, "b" * 64)
    assert after.same_for_model(before)
    assert with_examples(after, "class 1", ["a" * 64]) is after
    assert with_examples(after, "class 1", [], ["b" * 64, "a" * 64]) == before


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda c: retired(retired(c, "class 0"), "class 1"), InvalidClassList),
        (lambda c: merged(c, ["class 0"], "class 0"), InvalidClassList),
        (lambda c: merged(c, ["class 0", "class 0"], "class 1"), InvalidClassList),
        (lambda c: merged(c, ["class 0", "class 1"], "class 2"), InvalidClassList),
        (lambda c: merged(c, ["class 0"], "owl"), UnknownClass),
        (lambda c: retired(c, "owl"), UnknownClass),
        (lambda c: restored(c, "owl"), UnknownClass),
        (lambda c: retired(retired(c, "class 0"), "class 0"), ClassNotInUse),
        (lambda c: renamed(retired(c, "class 0"), "class 1", "class 0"), ClassNotInUse),
        (lambda c: renamed(retired(c, "class 0"), "class 1", "Class 0"), InvalidClassList),
        (lambda c: merged(retired(c, "class 0"), ["class 1"], "class 0"), ClassNotInUse),
        (lambda c: prompted(c, None, ["no name"]), InvalidClassList),
        (lambda c: with_examples(c, "class 0", [], ["a" * 64]), InvalidClassList),
        (lambda c: with_examples(c, "class 0", [f"{k:064}" for k in range(13)]), InvalidClassList),
    ],
)
def test_what_cannot_be_is_refused(change, error) -> None:
    with pytest.raises(error):
        change(listed(3))


@pytest.mark.parametrize(("into", "other"), [(9, None), (1, 2), (2, None)])
def test_a_damaged_list_with_a_merge_into_nothing_or_in_a_circle_is_refused(into, other) -> None:
    former = (LabelClass("c", id=2, into=into), LabelClass("d", id=1, into=other))
    with pytest.raises(InvalidClassList, match="merged into"):
        ClassList((LabelClass("a", id=5), LabelClass("b", id=6)), 1, former)
