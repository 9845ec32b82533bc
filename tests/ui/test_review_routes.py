"""Laws of the routes of a reviewer: an event acts once, on the case as it was seen, and blind means blind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    FoundImage,
    NewReview,
    PersonRole,
    ReviewReason,
    Role,
)
from tests.ui.site import BASE, NOW, Site, kept_site, site

__all__ = ["kept_site", "site"]

OWL, JAY = 1, 2


@dataclass
class Reviewer:
    """The page of a person, as a browser speaks for it."""

    site: Site
    name: str = "reviewer"

    def send(self, path: str, **body: Any) -> httpx.Response:
        headers = self.site.cookie(self.name) | {"Origin": BASE}
        return self.site.call(f"/alw/reviews/{path}", "POST", headers=headers, json=body)

    def queue(self, reason: str | None = None, later: tuple[int, ...] = ()) -> dict[str, Any]:
        return self.send("queue", reason=reason, later=list(later)).json()

    def order(self, *more: Any) -> list[int]:
        return [each["case_id"] for each in self.queue(*more)["cases"]]

    def look(self, case: int, **more: Any) -> httpx.Response:
        return self.send(
            "look", **{"case_id": case, "blind": True, "answered": True, "class_id": OWL, **more}
        )

    def act(self, case: int, act: str, n: int = 0, **more: Any) -> httpx.Response:
        version = more.pop("version", None) or self.look(case).json()["version"]
        body = {"event_id": f"event-00000000000{n}", "class_id": OWL, "note": None, **more}
        return self.send("act", case_id=case, version=version, act=act, **body)


def answer(site: Site, image: int, who: str, class_id: int, event: str) -> None:
    with site.workbench.session.store.write() as writer:
        given = Answer(event, image, AnswerKind.CLASS, who, class_id=class_id)
        writer.labels.add(given, NOW)


def stored(site: Site) -> Any:
    """Everything that an act could change."""
    with site.workbench.session.store.read() as reader:
        return reader.reviews.all(), reader.labels.all()


@pytest.fixture
def reviewer(site: Site) -> Reviewer:
    """Three images to which ann and bob gave different classes; the label of the first is doubtful, too."""
    found = [FoundImage(f"{n:064x}", f"{n} *x*.png", n, 8, 8) for n in (1, 2, 3)]
    with site.workbench.session.store.write() as writer:
        writer.images.add(found, [], root="images", role=Role.POOL)
    for image in (1, 2, 3):
        answer(site, image, "ann", OWL, f"a{image}")
        answer(site, image, "bob *b*", JAY, f"b{image}")
    doubt = NewReview(1, ReviewReason.LABEL_ERROR, 2, 0.02, JAY, 0.9)
    site.workbench.team.reviews.open_disagreements()
    with site.workbench.session.store.write() as writer:
        before = writer.reviews.count_open()
        assert writer.reviews.open([doubt], NOW) == 1
        assert writer.reviews.count_open() == before + 1
    return Reviewer(site.routed_once())


def test_nothing_that_others_said_is_sent_before_the_own_answer(reviewer: Reviewer) -> None:
    reply = reviewer.send("queue", reason=None, later=[])
    assert reply.json()["total"] == 4
    for hidden in ("ann", "bob", "owl", "jay", "0.02", "A model that did not learn", "version"):
        assert hidden not in reply.text
    refused = reviewer.look(4, answered=False)
    assert (refused.status_code, refused.json()["code"]) == (422, "blind")
    assert "ann" not in refused.text
    seen = reviewer.look(4).json()
    assert seen["said"] == [
        "ann: owl (2026-03-01 09:00 UTC)",
        "bob *b*: jay (2026-03-01 09:00 UTC)",
    ]
    assert "45 times as much" in seen["model"]
    assert reviewer.look(4, blind=False, answered=False).json() == seen


def test_a_decision_is_durable_and_closes_every_case_of_its_image(reviewer: Reviewer) -> None:
    reply = reviewer.act(1, "decide", class_id=JAY, note=" ears ", duration_ms=2500).json()
    assert reply == {
        "stored": True,
        "event_id": "event-000000000000",
        "said": "Case 1 is resolved: jay.",
    }
    assert reviewer.order() == [2, 3]
    cases, labels = stored(reviewer.site)
    assert [each.closed_by for each in cases if each.image_id == 1] == ["reviewer"] * 2
    given = labels[-1]
    assert (given.annotator, given.class_id, given.duration_ms) == ("reviewer", JAY, 2500)
    row = reviewer.send("closed", before=None).json()["rows"][0]
    assert (row["Outcome"], row["Note"]) == ("decided: jay", "ears")


@pytest.mark.parametrize("act", ["decide", "keep", "pass_on", "withdraw"])
def test_the_same_event_acts_once(reviewer: Reviewer, act: str) -> None:
    version = reviewer.look(2).json()["version"]
    first = reviewer.act(2, act, version=version)
    after = stored(reviewer.site)
    again = reviewer.act(2, act, version=version)
    assert (first.status_code, again.json()) == (200, first.json())
    other = reviewer.act(3, act)  # the event of the case before
    of_other = Reviewer(reviewer.site, "manager").act(2, act, version=version)
    for refused in (other, of_other):
        assert (refused.status_code, refused.json()["refused"]) == (409, True)
    assert stored(reviewer.site) == after


@pytest.mark.parametrize("act", ["decide", "keep", "pass_on", "withdraw"])
def test_a_case_that_changed_after_it_was_seen_is_refused(reviewer: Reviewer, act: str) -> None:
    version = reviewer.look(2).json()["version"]
    answer(reviewer.site, 2, "joe", JAY, "late")
    before = stored(reviewer.site)
    refused = reviewer.act(2, act, version=version)
    assert (refused.status_code, refused.json()["refused"]) == (409, True)
    assert "has changed since you saw it" in refused.json()["reason"]
    assert stored(reviewer.site) == before
    assert "joe: jay" in reviewer.look(2).text
    assert reviewer.act(2, act).status_code == 200


def test_a_kind_of_case_can_be_chosen_and_a_case_put_off(reviewer: Reviewer) -> None:
    assert reviewer.order() == [1, 2, 3, 4]
    assert reviewer.order(None, (1, 2)) == [3, 4, 1, 2]
    assert reviewer.order("label_error") == [4]
    nothing = reviewer.queue("second_opinion")
    assert (nothing["cases"], nothing["total"]) == ([], 0)
    assert nothing["counts"] == {"disagreement": 3, "label_error": 1, "second_opinion": 0}
    reviewer.act(1, "keep")
    assert reviewer.order("disagreement") == [2, 3]


def test_a_second_opinion_shows_the_first_and_is_given_by_another(reviewer: Reviewer) -> None:
    reviewer.act(1, "pass_on", note="blurry")
    assert reviewer.order() == [2, 3, 5]  # the own question comes last
    asker = reviewer.queue()["cases"][-1]
    assert asker["own"]
    own = reviewer.look(5, answered=False).json()
    refused = reviewer.act(5, "decide", n=1, version=own["version"])
    assert "another reviewer decides it" in refused.json()["reason"]
    other = Reviewer(reviewer.site, "manager")
    first = other.queue()["cases"][0]
    assert (first["case_id"], first["own"]) == (5, False)
    assert first["why"] == "reviewer asks for a second opinion"
    assert "blurry" not in str(first)
    trail = other.look(5).json()["trail"]
    assert [each.endswith("UTC): blurry") for each in trail] == [True, True]
    assert trail[0].startswith("reviewer saw owl, and asked a second person (")
    assert other.act(5, "decide", n=2).status_code == 200


def test_the_asker_can_withdraw_and_closed_cases_are_listed(reviewer: Reviewer) -> None:
    assert reviewer.send("closed", before=None).json() == {"rows": [], "before": None}
    reviewer.act(2, "pass_on")
    done = reviewer.act(5, "withdraw", n=1).json()
    assert done["said"] == "Case 5 is dismissed; the answers stay."
    rows = reviewer.send("closed", before=None).json()["rows"]
    assert [(row["Case"], row["Image"], row["Why"]) for row in rows] == [
        ("5", "images/2 *x*.png", "Second opinions"),
        ("2", "images/2 *x*.png", "Disagreements"),
    ]
    assert "asked a second person" in rows[1]["Outcome"]
    late = reviewer.send("closed", before="2026-03-01T08:00:00+00:00").json()
    assert late["rows"] == []


def test_a_closed_case_is_refused_with_who_closed_it(reviewer: Reviewer) -> None:
    version = reviewer.look(2).json()["version"]
    Reviewer(reviewer.site, "manager").act(2, "keep", n=1)
    for refused in (reviewer.look(2), reviewer.act(2, "decide", version=version)):
        assert (refused.status_code, refused.json()["refused"]) == (409, True)
        assert "dismissed by 'manager'" in refused.json()["reason"]


def test_annotators_see_no_case(reviewer: Reviewer) -> None:
    annotator = Reviewer(reviewer.site, PersonRole.ANNOTATOR.value)
    for path in ("queue", "look", "act", "closed"):
        assert annotator.send(path).json()["code"] == "role"


FIELDS = {
    "queue": {"reason": None, "later": []},
    "look": {"case_id": 1, "blind": True, "answered": True, "class_id": 1},
    "act": {
        "event_id": "event-9999999999999",
        "case_id": 1,
        "version": "0" * 16,
        "act": "decide",
        "class_id": 1,
        "note": None,
        "duration_ms": 1,
    },
    "closed": {"before": None},
}
VALUES = some.one_of(
    some.none(),
    some.booleans(),
    some.integers(),
    some.floats(),
    some.text(max_size=600),
    some.lists(some.integers(), max_size=3),
    some.sampled_from(["decide", "disagreement", "0001-01-01", "9999-12-31T23:59:59-23:00"]),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    place=some.sampled_from([(path, name) for path, names in FIELDS.items() for name in names]),
    value=VALUES,
)
def test_no_value_of_a_field_is_a_server_error(reviewer: Reviewer, place: Any, value: Any) -> None:
    path, name = place
    try:
        reply = reviewer.send(path, **FIELDS[path] | {name: value})
    except (UnicodeEncodeError, ValueError):
        return  # lone surrogates and infinite numbers cannot be sent
    assert reply.status_code in (200, 404, 409, 413, 422)
