"""Laws of notes and flags: they are only ever added, an event is recorded once, the newest flag holds."""

import pytest
from sqlalchemy.exc import DatabaseError

from alworkbench.core.domain import NewFlag, NewNote, NotesMoment
from tests.store.making import MINUTE, NOW


def flag(event, image, *, raised=True, person="ann", reason=None):
    return NewFlag(event, image, person, raised, reason)


def test_a_note_is_kept_with_its_person_and_time_and_recorded_once(store):
    text = "a cat? \u202eאבג <b>"
    with store.write() as writer:
        writer.notes.add([NewNote("e", 2, "ann", text), NewNote("f", 1, "bob", "two")], NOW)
        writer.notes.add([NewNote("e", 3, "bob", "other")], NOW + MINUTE)
    with store.read() as reader:
        found = [(n.event_id, n.image_id, n.person, n.text) for n in reader.notes.of()]
        assert found == [("e", 2, "ann", text), ("f", 1, "bob", "two")]
        assert {note.recorded_at for note in reader.notes.of()} == {NOW}
        assert [note.event_id for note in reader.notes.of([1, 3])] == ["f"]
        assert reader.notes.noted() == [1, 2]


def test_the_newest_change_of_a_flag_holds_now_and_at_every_earlier_moment(store):
    changes = [
        flag("a", 2),
        flag("b", 4, reason="blurred"),
        flag("c", 2, raised=False, person="bob"),
        flag("d", 2),
        flag("a", 5),  # the event is known
    ]
    expected, moments = [], []
    with store.write() as writer:
        for change, now in zip(changes, ([2], [2, 4], [4], [2, 4], [2, 4]), strict=True):
            writer.notes.add_flags([change], NOW)
            expected.append(now)
            moments.append(writer.notes.moment())
    with store.read() as reader:
        assert [reader.notes.flagged(moment) for moment in moments] == expected
        assert reader.notes.flagged() == [2, 4]
        assert [c.raised for c in reader.notes.flags_of([2])] == [True, False, True]
        assert [(c.person, c.reason) for c in reader.notes.flags_of([4])] == [("ann", "blurred")]
        assert reader.notes.moment() == NotesMoment(0, moments[-1].flag)


@pytest.mark.parametrize("table", ["note", "flag_change"])
@pytest.mark.parametrize("act", ["DELETE FROM {}", "UPDATE {} SET person = 'eve'"])
def test_the_database_refuses_to_change_or_remove_a_note_or_a_flag(store, table, act):
    with store.write() as writer:
        writer.notes.add([NewNote("e", 1, "ann", "one")], NOW)
        writer.notes.add_flags([flag("f", 1)], NOW)
    with pytest.raises(DatabaseError, match="only ever added"), store._database.writing() as raw:
        raw.exec_driver_sql(act.format(table))
    with store.read() as reader:
        assert len(reader.notes.of()) == len(reader.notes.flags_of()) == 1
