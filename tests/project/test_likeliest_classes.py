"""Laws of the likeliest classes that a round keeps for the digits of the labelling screen."""

from __future__ import annotations

import pytest

from alworkbench.acquisition.acquisition_settings import DEFAULT_SETTINGS
from alworkbench.core.domain import Answer, AnswerKind
from alworkbench.project.opened_batch import open_ranked
from alworkbench.project.ranked_batch import MEMORY, Wish
from tests.project.test_class_sets import items_and_hashes, predicted

WISH = Wish(None, None, None, None, MEMORY, DEFAULT_SETTINGS, None, frozenset())


@pytest.fixture
def two_digits(monkeypatch):
    """The project has four classes, so it has more than digits."""
    monkeypatch.setattr("alworkbench.core.domain.class_list.DIGITS", "12")


def test_a_round_keeps_the_classes_of_each_image_by_probability(workbench, two_digits):
    opened = workbench.rounds.propose(sets=None)
    items, hashes = items_and_hashes(workbench, opened)
    ids = [c.id for c in workbench.classes.current().classes]
    for item, p in zip(items, predicted(workbench, hashes).tolist(), strict=True):
        likeliest = opened.likeliest(item.position)
        assert likeliest == tuple(sorted(ids, key=lambda each: -p[ids.index(each)]))
        assert likeliest[0] == item.suggestion.class_id
    assert opened.likeliest(len(items)) == ()


def test_images_that_were_answered_meanwhile_take_their_classes_along(workbench, two_digits):
    ranked = workbench.rounds.ranking.rank(WISH)
    dropped = ranked.round.items[1]
    gone = Answer("0" * 16, dropped.image_id, AnswerKind.SKIP, "ana")
    workbench.labels.record(gone)
    with workbench.session.store.write() as writer:
        opened = open_ranked(writer, ranked, workbench.session.now(), by="ana")
    kept = list(ranked.round.settings["likeliest"])
    of_image = dict(zip([i.image_id for i in ranked.round.items], map(tuple, kept), strict=True))
    items = workbench.rounds.items(opened.id)
    assert len(items) == len(kept) - 1
    assert [opened.likeliest(i.position) for i in items] == [of_image[i.image_id] for i in items]


def test_a_round_of_few_classes_or_of_the_audit_set_keeps_none(workbench, answers, monkeypatch):
    opened = workbench.rounds.propose()
    assert "likeliest" not in opened.settings
    assert opened.likeliest(0) == ()
    answers(workbench, 5)
    workbench.rounds.close()
    monkeypatch.setattr("alworkbench.core.domain.class_list.DIGITS", "12")
    assert workbench.audit.draw(10).likeliest(0) == ()
