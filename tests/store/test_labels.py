"""Answers are added, once each, and never changed."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from alworkbench.core.domain import Answer, AnswerKind, LabelOrigin, RecordedAnswer, Role
from alworkbench.core.errors import NotInProject, UnknownItem
from alworkbench.core.ports import Store
from store import open_store
from tests.store.making import MINUTE, NOW, answer, import_pictures, new_project, open_round


def test_an_answer_is_stored_as_it_was_given(store: Store) -> None:
    round_ = open_round(store, [4])
    with store.write() as writer:
        item = writer.rounds.items(round_.id)[0]
        given = Answer("e", 4, AnswerKind.CLASS, "ann", 2, item.id, "token", 812, 3, "oracle")
        label = writer.labels.add(given, NOW)
    for field in ("event_id", "image_id", "kind", "annotator", "class_id", "item_id"):
        assert getattr(label, field) == getattr(given, field)
    assert (label.duration_ms, label.suggested_class_id, label.source) == (812, 3, "oracle")
    assert label.recorded_at == NOW
    with store.read() as reader:
        assert reader.labels.by_event("e") == label
        assert reader.labels.by_event("f") is None
        assert reader.labels.history(4) == [label]


def test_the_same_event_id_is_recorded_once_with_any_content(store: Store) -> None:
    with store.write() as writer:
        first = writer.labels.add(answer("e", 1), NOW)
    with store.write() as writer:
        again = writer.labels.add(answer("e", 2, "bob", class_id=3), NOW + MINUTE)
    assert again == first
    with store.read() as reader:
        assert reader.labels.count() == 1


def test_many_answers_keep_their_order_and_record_each_event_once(store: Store) -> None:
    with store.write() as writer:
        known = writer.labels.add(answer("b", 2), NOW)
        given = [answer("a", 1), answer("b", 6), answer("c", 3), answer("a", 5), answer("d", 3)]
        labels = writer.labels.add_many(given, NOW)
        assert writer.labels.add_many([], NOW) == []
    assert [label.event_id for label in labels] == ["a", "b", "c", "a", "d"]
    assert [label.image_id for label in labels] == [1, 2, 3, 1, 3]
    assert labels[1] == known
    assert labels[0] == labels[3]
    assert labels[0].id < labels[2].id < labels[4].id
    with store.read() as reader:
        assert reader.labels.count() == 4
        assert reader.labels.current(Role.POOL) == {1: labels[0], 2: known, 3: labels[4]}


def test_more_answers_than_fit_into_one_statement_are_recorded(store: Store) -> None:
    given = [answer(f"e{n}", 1 + n % 6) for n in range(5_000)]
    with store.write() as writer:
        labels = writer.labels.add_many(given, NOW)
    assert [label.event_id for label in labels] == [a.event_id for a in given]
    assert len({label.id for label in labels}) == 5_000


def test_taking_a_correction_back_makes_the_older_label_count(store: Store) -> None:
    with store.write() as writer:
        first = writer.labels.add(answer("e1", 1), NOW)
        second = writer.labels.add(answer("e2", 1, class_id=2), NOW)
        assert writer.labels.current(Role.POOL) == {1: second}
        writer.labels.retract(second.id, "u1", "ann", NOW)
        assert writer.labels.current(Role.POOL) == {1: first}
        writer.labels.retract(first.id, "u2", "ann", NOW)
        assert writer.labels.current(Role.POOL) == {}
        assert writer.labels.history(1) == [first, second]
        assert writer.labels.count() == 2


def test_the_order_of_recording_counts_and_not_the_clock(store: Store) -> None:
    with store.write() as writer:
        writer.labels.add(answer("e1", 1), NOW)
        later = writer.labels.add(answer("e2", 1, class_id=2), NOW - MINUTE)
        assert writer.labels.current(Role.POOL) == {1: later}


def test_a_take_back_acts_once(store: Store) -> None:
    round_ = open_round(store, [1, 2])
    with store.write() as writer:
        items = writer.rounds.items(round_.id)
        older = writer.labels.add(answer("e1", 1, item_id=items[0].id), NOW)
        newer = writer.labels.add(answer("e2", 2, item_id=items[1].id), NOW)
        writer.labels.retract(newer.id, "u", "ann", NOW)
        writer.labels.retract(older.id, "u", "ann", NOW)  # the same press, sent again
        writer.labels.retract(newer.id, "v", "ann", NOW)  # already taken back
        assert writer.labels.newest_of("ann", round_.id) == older
        assert [item.label for item in writer.rounds.items(round_.id)] == [older, None]


def test_newest_of_looks_at_one_annotator_and_one_round(store: Store) -> None:
    round_ = open_round(store, [1, 2])
    with store.write() as writer:
        items = writer.rounds.items(round_.id)
        mine = writer.labels.add(answer("e1", 1, item_id=items[0].id), NOW)
        writer.labels.add(answer("e2", 2, "bob", item_id=items[1].id), NOW)
        writer.labels.add(answer("e3", 3), NOW)  # from a file: of no round
        writer.rounds.close(round_.id, NOW)
        assert writer.labels.newest_of("ann", round_.id) == mine
        assert writer.labels.newest_of("eve", round_.id) is None
        assert writer.labels.newest_of("ann", round_.id + 1) is None


def test_labels_of_the_audit_set_are_separate_from_the_pool(store: Store) -> None:
    with store.write() as writer:
        pooled = writer.labels.add(answer("e1", 1), NOW)
    import_pictures(store, 8, role=Role.AUDIT)  # 7 and 8 are new
    with store.write() as writer:
        audited = writer.labels.add(answer("e2", 7), NOW)
        skipped = writer.labels.add(answer("e3", 8, kind=AnswerKind.SKIP, class_id=None), NOW)
        assert writer.labels.current(Role.POOL) == {1: pooled}
        assert writer.labels.current(Role.AUDIT) == {7: audited, 8: skipped}


def test_an_answer_from_anywhere_answers_the_open_round(store: Store) -> None:
    """Without an item, as from a file, and from the page of an earlier round; also a skip."""
    earlier = open_round(store, [2, 3])
    with store.write() as writer:
        old = writer.rounds.items(earlier.id)[0]
        writer.rounds.close(earlier.id, NOW)
    current = open_round(store, [1, 2, 4])
    with store.write() as writer:
        skip = answer("e3", 4, kind=AnswerKind.SKIP, class_id=None)
        given = [answer("e1", 1), answer("e2", 2, item_id=old.id), skip, answer("e4", 3)]
        labels = writer.labels.add_many(given, NOW)
        items = writer.rounds.items(current.id)
        assert [item.label for item in items] == labels[:3]
        assert labels[3].item_id is None
        assert writer.rounds.items(earlier.id)[0].label is None
        assert writer.rounds.claim(current.id, "ann", 3, NOW, NOW + MINUTE) == []
        writer.rounds.close(current.id, NOW)
        assert writer.labels.add(answer("e5", 1), NOW).item_id is None


def test_an_answer_to_another_image_than_its_item_asks_is_refused(store: Store) -> None:
    round_ = open_round(store, [1, 2])
    with store.read() as reader:
        item = reader.rounds.items(round_.id)[0]
    with (
        pytest.raises(UnknownItem, match=f"No item {item.id} asks about image 2"),
        store.write() as w,
    ):
        w.labels.add_many([answer("good", 3), answer("e", 2, item_id=item.id)], NOW)
    with store.read() as reader:
        assert reader.labels.count() == 0


@pytest.mark.parametrize(
    ("given", "noun"),
    [
        (answer("e", 99), "image 99"),
        (answer("e", 1, class_id=88), "class 88"),
        (answer("e", 1, suggested_class_id=77), "class 77"),
    ],
)
def test_what_a_label_refers_to_must_exist(store: Store, given: Answer, noun: str) -> None:
    with pytest.raises(NotInProject, match=noun), store.write() as writer:
        writer.labels.add(given, NOW)
    with pytest.raises(NotInProject, match="label 1"), store.write() as writer:
        writer.labels.retract(1, "u", "ann", NOW)


def test_times_come_back_exact_and_in_utc(store: Store) -> None:
    there = datetime(1969, 7, 20, 22, 17, 40, 123_457, timezone(timedelta(hours=-4, minutes=30)))
    with store.write() as writer:
        writer.labels.add(answer("e", 1), there)
        label = writer.labels.by_event("e")
    assert label is not None
    assert label.recorded_at == there
    assert label.recorded_at.utcoffset() == timedelta(0)
    with pytest.raises(Exception, match="a time needs a time zone"), store.write() as writer:
        writer.labels.add(answer("f", 1), datetime(2026, 1, 1))


def test_the_database_itself_refuses_to_change_or_remove_labels(path: Path) -> None:
    with closing(new_project(path, images=2)) as store, store.write() as writer:
        label = writer.labels.add(answer("e", 1), NOW)
        writer.labels.retract(label.id, "u", "ann", NOW)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        for statement in (
            "UPDATE label SET class_id = 2",
            "DELETE FROM label",
            "UPDATE label_retraction SET label_id = 1",
            "DELETE FROM label_retraction",
            "INSERT OR REPLACE INTO label SELECT * FROM label",
            "INSERT OR REPLACE INTO label_retraction SELECT * FROM label_retraction",
        ):
            with pytest.raises(sqlite3.IntegrityError, match="rows are only ever added"):
                connection.execute(statement)


def test_reopening_loses_nothing(path: Path) -> None:
    def everything(store: Store) -> list[object]:
        with store.read() as reader:
            return [
                reader.settings(),
                reader.classes.current(),
                [reader.images.get(n) for n in range(1, 5)],
                reader.rounds.all(),
                reader.rounds.items(1),
                [reader.labels.history(n) for n in range(1, 5)],
            ]

    with closing(new_project(path, images=4)) as store:
        round_ = open_round(store, [3, 1])
        with store.write() as writer:
            item = writer.rounds.claim(round_.id, "ann", 1, NOW, NOW + MINUTE)[0]
            writer.labels.add(answer("e", item.image_id, item_id=item.id), NOW)
        before = everything(store)
    for place in (path, path.parent):
        with closing(open_store(place)) as store:
            assert everything(store) == before
    assert [p.name for p in path.parent.iterdir()] == ["project.db"]


def test_an_answer_of_another_project_keeps_its_time_and_its_origin(store: Store) -> None:
    import_pictures(store, 2)
    early = NOW - timedelta(days=40)
    asked = LabelOrigin(3, 1, "epig", 0.25, 0.5, "ʔowl", 0.9, "on nothing", 2, 7, None, "=birds")
    given = [
        RecordedAnswer(answer("b", 2, source="browser"), early, asked),
        RecordedAnswer(answer("a", 1, "bob"), NOW, LabelOrigin()),
    ]
    with store.write() as writer:
        own = writer.labels.add(answer("own", 1), NOW)
        first, second = writer.labels.add_recorded(given)
        assert writer.labels.add_recorded(given) == []
    assert (first.event_id, first.recorded_at, first.id < second.id) == ("b", early, True)
    with store.read() as reader:
        assert reader.labels.origins() == {first.id: asked, second.id: LabelOrigin()}
        assert reader.labels.all() == [own, first, second]
