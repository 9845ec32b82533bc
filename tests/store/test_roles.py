"""Laws of roles: an image that may have been learned from is never in the audit set."""

import sqlite3
from contextlib import closing

import pytest

from alworkbench.core.domain import Role
from alworkbench.core.errors import ImageInUse, NotInProject
from tests.store.making import MINUTE, NOW, answer, new_project, open_round


def roles(store):
    with store.read() as reader:
        return {role: [i for i, _ in reader.images.ids_and_hashes(role)] for role in Role}


def test_images_that_were_never_asked_can_change_their_role(store):
    with store.write() as writer:
        writer.images.set_role([2, 5], Role.AUDIT, NOW)
    assert roles(store) == {Role.POOL: [1, 3, 4, 6], Role.AUDIT: [2, 5]}


@pytest.mark.parametrize("taken_back", [False, True])
def test_an_image_that_was_ever_answered_keeps_its_role(store, taken_back):
    """Also one whose answer was taken back: a learner may have seen it meanwhile."""
    with store.write() as writer:
        label = writer.labels.add(answer("a", 2), NOW)
        if taken_back:
            writer.labels.retract(label.id, "b", "ann", NOW)
    with pytest.raises(ImageInUse, match="was answered"), store.write() as writer:
        writer.images.set_role([1, 2], Role.AUDIT, NOW)
    assert roles(store)[Role.AUDIT] == []


def test_an_image_of_the_open_round_keeps_its_role_until_the_round_is_closed(store):
    opened = open_round(store, [3, 4])
    with pytest.raises(ImageInUse, match="open round"), store.write() as writer:
        writer.images.set_role([1, 4], Role.AUDIT, NOW)
    assert roles(store)[Role.AUDIT] == []
    with store.write() as writer:
        writer.rounds.close(opened.id, NOW)
        writer.images.set_role([4], Role.AUDIT, NOW)
    assert roles(store)[Role.AUDIT] == [4]


def test_the_role_of_an_unknown_image_cannot_be_changed(store):
    with pytest.raises(NotInProject), store.write() as writer:
        writer.images.set_role([1, 99], Role.AUDIT, NOW)
    assert roles(store)[Role.AUDIT] == []


def test_take_backs_are_listed_in_their_order(store):
    with store.write() as writer:
        first, second = (writer.labels.add(answer(f"a{n}", n), NOW) for n in (1, 2))
        writer.labels.retract(second.id, "x", "ann", NOW)
        writer.labels.retract(first.id, "y", "ann", NOW)
    with store.read() as reader:
        assert [(t.label_id, t.event_id, t.annotator) for t in reader.labels.take_backs()] == [
            (second.id, "x", "ann"),
            (first.id, "y", "ann"),
        ]


def test_a_change_on_purpose_keeps_its_record_and_every_label(store):
    opened = open_round(store, [4])
    with store.write() as writer:
        writer.labels.add(answer("a", 2), NOW)
        writer.images.set_role([1, 2, 4], Role.AUDIT, NOW, on_purpose=True)
        writer.images.set_role([2, 3], Role.AUDIT, NOW + MINUTE, on_purpose=True)
        writer.images.set_role([1], Role.POOL, NOW + MINUTE)
        assert [label.image_id for label in writer.labels.all()] == [2]
        assert len(writer.rounds.items(opened.id)) == 1
        changes = writer.images.role_changes()
    assert [(c.image_id, c.former, c.role) for c in changes] == [
        *((image, Role.POOL, Role.AUDIT) for image in (1, 2, 4, 3)),
        (1, Role.AUDIT, Role.POOL),
    ]
    assert [c.recorded_at - NOW for c in changes] == [0 * MINUTE] * 3 + [MINUTE] * 2
    assert roles(store) == {Role.POOL: [1, 5, 6], Role.AUDIT: [2, 3, 4]}


def test_the_database_itself_refuses_to_change_or_remove_the_record(path):
    with closing(new_project(path, images=2)) as store, store.write() as writer:
        writer.images.set_role([1], Role.AUDIT, NOW)
    with closing(sqlite3.connect(path)) as connection:
        for statement in ("UPDATE role_change SET role = 'pool'", "DELETE FROM role_change"):
            with pytest.raises(sqlite3.IntegrityError, match="rows are only ever added"):
                connection.execute(statement)
