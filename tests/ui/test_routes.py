"""Laws of the routes: durable before acknowledged, once per event, and only for our own pages."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from starlette.applications import Starlette
from starlette.middleware import Middleware

from alworkbench.core.domain import ClassSets, Selection
from alworkbench.core.errors import LeaseLost, ProjectDiskFull
from alworkbench.inputs.rendition import SIDES
from alworkbench.project.renditions import Rendition
from tests.ui.event_loop import run
from tests.ui.fake_people import TOKEN
from tests.ui.fake_workbench import FakeWorkbench
from tests.ui.site import of_project
from ui.components.labeller import RoundProgress, component_data
from ui.door.addresses import addresses_of
from ui.door.guard import Guard
from ui.door.settings import Door
from ui.messages import MAX_BODY
from ui.projects import Projects
from ui.routes import make_routes
from ui.state import UiState

BASE = "http://127.0.0.1:8501"


TAB = "tab-0000000000000"


class Browser:
    """A page of ours: sends the cookie and the origin unless told otherwise."""

    def __init__(self, state: UiState) -> None:
        self.state = state
        self.door = Door(Projects.of(state), addresses_of("127.0.0.1", 8501, ()))
        self.app = Starlette(
            routes=make_routes(self.door), middleware=[Middleware(Guard, self.door)]
        )

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return run(self.send(method, path, **options))

    async def send(
        self, method: str, path: str, headers: dict[str, str | None] | None = None, **options: Any
    ) -> httpx.Response:
        sent: dict[str, str | None] = {
            "Cookie": f"{self.door.cookie(self.door.projects.all()[0])}={TOKEN}",
            "Origin": BASE,
            "Sec-Fetch-Site": "same-origin",
            **(headers or {}),
        }
        given_headers = {name: value for name, value in sent.items() if value is not None}
        path = of_project(path, self.state)
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.request(method, path, headers=given_headers, **options)

    def queue(self) -> dict[str, Any]:
        return self.call("POST", "/alw/queue", json={"tab": TAB}).json()

    def answer(self, item: dict[str, Any], **changes: Any) -> httpx.Response:
        return self.call("POST", "/alw/answer", json=answer_to(item, **changes))


def answer_to(item: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "event_id": f"0000000000000000-{item['item_id']}",
        "item_id": item["item_id"],
        "lease_token": item["lease_token"],
        "kind": "class",
        "class_id": 103,
        "duration_ms": 900,
        "suggested_class_id": 101,
        **changes,
    }


@pytest.fixture
def browser(state: UiState) -> Browser:
    return Browser(state)


def test_the_queue_holds_everything_that_the_page_needs(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    queue = browser.queue()
    assert queue["progress"] == {"round_id": 1, "round": 1, "answered": 0, "total": 10}
    assert [item["position"] for item in queue["items"]] == list(range(10))
    assert 0 < queue["lease_seconds"] <= 600
    first = queue["items"][0]
    assert first["suggestion"]["name"] in workbench.classes.current().names
    assert (first["width"], first["height"]) == (28, 28)
    assert (
        browser.call("POST", "/alw/queue", json={"tab": TAB}).headers["cache-control"] == "no-store"
    )


def test_items_hold_the_likely_classes_unless_these_are_all(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    assert all(item["likely"] == [] for item in browser.queue()["items"])
    ids = tuple(c.id for c in workbench.classes.current().classes if c.id is not None)
    found = tuple(ids[: 1 + n % len(ids)] for n in range(10))
    sets = ClassSets(0.1, False, 100, len(ids), Selection.CHOSEN, (0.5,), found)
    opened = replace(workbench.rounds.current(), settings={"class_sets": sets.as_record()})
    workbench._rounds[0] = opened
    items = browser.queue()["items"]
    assert [item["likely"] for item in items] == [*map(list, found[:9]), []]
    data = component_data(
        browser.state,
        workbench.people.all()[0],
        opened,
        RoundProgress(0, 10),
        workbench.classes.current(),
    )
    assert data["round"]["likely"] == {"level": sets.level, "words": sets.words}


def test_an_answer_is_acknowledged_with_its_event_and_the_progress(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    item = browser.queue()["items"][0]
    reply = browser.answer(item)
    assert reply.status_code == 200
    assert reply.json()["stored"] is True
    assert reply.json()["people"] == 1
    name, _, milliseconds = reply.headers["server-timing"].partition(";dur=")
    assert name == "route"
    assert float(milliseconds) >= 0
    assert reply.json()["progress"]["answered"] == 1
    assert workbench.recorded() == [
        (f"0000000000000000-{item['item_id']}", item["item_id"], "class", 103)
    ]
    (label,) = workbench._labels
    assert (label.annotator, label.duration_ms, label.suggested_class_id) == ("annotator", 900, 101)


def test_sending_an_answer_again_records_it_once_even_when_the_round_is_closed(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    item = browser.queue()["items"][0]
    for _ in range(2):
        assert browser.answer(item).status_code == 200
    workbench.rounds.close()
    reply = browser.answer(item)
    assert reply.json() | {"progress": None} == {
        "stored": True,
        "event_id": answer_to(item)["event_id"],
        "late": None,
        "people": 1,
        "progress": None,
    }
    assert len(workbench.recorded()) == 1


def test_a_take_back_opens_the_image_again_and_acts_once(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    first, second = browser.queue()["items"][:2]
    browser.answer(first)
    browser.answer(second)
    for _ in range(2):
        reply = browser.call(
            "POST", "/alw/undo", json={"event_id": "take-back-0000001", "tab": TAB}
        ).json()
        assert reply["item_id"] == second["item_id"]
        assert reply["item"]["lease_token"] == second["lease_token"]
        assert reply["progress"]["answered"] == 1
    assert [row[1] for row in workbench.recorded()] == [first["item_id"]]


def test_a_take_back_names_its_answer(browser: Browser, workbench: FakeWorkbench) -> None:
    first, second = browser.queue()["items"][:2]
    browser.answer(first)
    browser.answer(second)
    body = {"event_id": "take-back-0000001", "tab": TAB, "answer": answer_to(first)["event_id"]}
    assert browser.call("POST", "/alw/undo", json=body).json()["item_id"] == first["item_id"]
    assert [row[1] for row in workbench.recorded()] == [second["item_id"]]


def test_the_last_answers_are_listed_and_answered_anew(
    browser: Browser, workbench: FakeWorkbench
) -> None:
    first, second = browser.queue()["items"][:2]
    for item in (first, second):
        browser.answer(item)

    def listed() -> list[tuple[int, str, int | None]]:
        found = browser.call("GET", "/alw/answered").json()["answers"]
        return [(each["item_id"], each["kind"], each["class_id"]) for each in found]

    assert listed() == [(second["item_id"], "class", 103), (first["item_id"], "class", 103)]
    body = {
        "event_id": "new-answer-00000001",
        "answer": answer_to(first)["event_id"],
        "kind": "skip",
        "class_id": None,
        "duration_ms": 40,
    }
    for _ in range(2):
        reply = browser.call("POST", "/alw/relabel", json=body)
        assert reply.json() == {"stored": True, "event_id": "new-answer-00000001"}
    assert listed() == [(first["item_id"], "skip", None), (second["item_id"], "class", 103)]
    assert len(workbench.recorded()) == 3
    for wrong, status, code in (
        ({"answer": "0" * 16, "event_id": "new-answer-00000002"}, 409, "nothing_to_correct"),
        ({"answer": ""}, 422, "answer"),
        ({"answer": "x" * 201}, 422, "answer"),
        ({"kind": "class", "class_id": 999}, 422, "class_id"),
        ({"annotator": "bo"}, 422, "fields"),
    ):
        refused = browser.call("POST", "/alw/relabel", json=body | wrong)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.json()["refused"] is True


def test_a_closed_tab_gives_its_images_back(browser: Browser, workbench: FakeWorkbench) -> None:
    reply = browser.call("POST", "/alw/release", json={"tab": TAB, "items": [1000, 1001]})
    assert reply.status_code == 200
    assert workbench.released == ("annotator", TAB, [1000, 1001])
    for body in (
        {"tab": "x", "items": []},
        {"tab": TAB, "items": 3},
        {"tab": TAB, "items": [True]},
        {"tab": TAB, "items": list(range(101))},
    ):
        assert browser.call("POST", "/alw/release", json=body).status_code == 422


def test_nothing_to_take_back_is_a_final_refusal(browser: Browser) -> None:
    reply = browser.call("POST", "/alw/undo", json={"event_id": "take-back-0000001", "tab": TAB})
    assert reply.status_code == 409
    assert reply.json()["refused"] is True


ITEM = {"item_id": 1000, "lease_token": "lease-1000"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"event_id": "short"}, "event_id"),
        ({"event_id": 17}, "event_id"),
        ({"event_id": "x" * 65}, "event_id"),
        ({"event_id": "spaces are not allowed"}, "event_id"),
        ({"item_id": "1000"}, "item_id"),
        ({"item_id": True}, "item_id"),
        ({"item_id": 1000.0}, "item_id"),
        ({"item_id": 2**63}, "item_id"),
        ({"lease_token": ""}, "lease_token"),
        ({"lease_token": "x" * 201}, "lease_token"),
        ({"lease_token": None}, "lease_token"),
        ({"kind": "maybe"}, "kind"),
        ({"kind": ["class"]}, "kind"),
        ({"kind": "skip"}, "class_id"),
        ({"class_id": None}, "class_id"),
        ({"class_id": 999}, "class_id"),
        ({"duration_ms": -1}, "duration_ms"),
        ({"duration_ms": 1e3}, "duration_ms"),
        ({"suggested_class_id": "x"}, "suggested_class_id"),
        ({"annotator": "someone else"}, "fields"),
        ({"tab": TAB}, "fields"),
    ],
)
def test_a_wrong_field_is_refused_with_its_name(
    browser: Browser, workbench: FakeWorkbench, changes: dict[str, Any], field: str
) -> None:
    reply = browser.answer(ITEM, **changes)
    assert reply.status_code == 422
    assert reply.json()["code"] == field
    assert workbench.recorded() == []


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b'"text"', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b"[" * 3000, "application/json", 400),
        (b"{}", "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"a=1", "application/x-www-form-urlencoded", 415),
        (b" " * (MAX_BODY + 1), "application/json", 413),
    ],
)
def test_a_wrong_body_is_refused(browser: Browser, content: bytes, kind: str, status: int) -> None:
    headers: dict[str, str | None] = {"Content-Type": kind}
    for path in ("/alw/answer", "/alw/undo", "/alw/queue", "/alw/release"):
        reply = browser.call("POST", path, headers=headers, content=content)
        assert reply.status_code == status


json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats(allow_nan=False) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(
    deadline=None,
    derandomize=True,
    max_examples=120,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(field=some.sampled_from(sorted(answer_to(ITEM))), value=json_values)
def test_no_value_of_a_field_is_a_server_error(browser: Browser, field: str, value: object) -> None:
    try:
        reply = browser.answer(ITEM, **{field: value})
    except UnicodeEncodeError:
        return  # lone surrogates cannot be sent
    assert reply.status_code in (200, 400, 404, 409, 413, 422)


def test_an_unknown_item_and_a_lost_lease_are_final(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    unknown = browser.answer({"item_id": 5, "lease_token": "lease-5"})
    assert (unknown.status_code, unknown.json()["refused"]) == (404, True)

    def lose(_answer: object) -> None:
        raise LeaseLost("Another annotator has it.")

    monkeypatch.setattr(workbench.labels, "record", lose)
    lost = browser.answer(ITEM)
    assert lost.status_code == 409
    assert lost.json() == {
        "refused": True, "code": "lease_lost", "reason": "Another annotator has it.",
    }  # fmt: skip


def test_a_full_disk_is_named_and_may_be_tried_again(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill(_answer: object) -> None:
        raise ProjectDiskFull("/data")

    monkeypatch.setattr(workbench.labels, "record", fill)
    reply = browser.answer(ITEM)
    assert reply.status_code == 503
    assert reply.json()["refused"] is False
    assert "disk" in reply.json()["reason"]


def test_an_unexpected_error_of_a_route_hides_its_details_and_names_the_trace(
    browser: Browser,
    workbench: FakeWorkbench,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(_answer: object) -> None:
        raise RuntimeError("secret path /home/someone")

    monkeypatch.setattr(workbench.labels, "record", fail)
    reply = browser.answer(ITEM)
    assert reply.status_code == 500
    assert reply.json()["refused"] is False
    assert "secret" not in reply.text
    assert "secret path" in caplog.text
    (trace,) = (workbench.session.folder.path / "logs").iterdir()
    assert str(trace) in reply.json()["reason"]
    assert "secret path" in trace.read_text()


def test_images_are_served_by_content_hash_and_cached(browser: Browser) -> None:
    url = browser.queue()["items"][0]["image_url"]
    reply = browser.call("GET", url, headers={"Origin": None})
    assert reply.content.startswith(b"\x89PNG")
    assert reply.headers["content-type"] == "image/png"
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"] == "default-src 'none'; sandbox"


def test_a_picture_is_kept_for_good_only_under_the_version_that_counts(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = browser.queue()["items"][0]["image_url"]
    tags = set()
    for side in (*(f"&side={side}" for side in SIDES), ""):
        reply = browser.call("GET", url + side)
        assert "immutable" in reply.headers["cache-control"]
        tags.add(reply.headers["etag"])
    assert len(tags) == len(SIDES) + 1
    old = reply.headers["etag"]
    again = browser.call("GET", url, headers={"If-None-Match": old})
    assert (again.status_code, again.content) == (304, b"")
    # The white point was changed: the old address gives the new pixels, and no browser keeps them.
    monkeypatch.setattr(
        workbench.images, "rendition", lambda *_: Rendition("image/png", b"other", "1-4095")
    )
    for address in (url, url.partition("?")[0]):
        reply = browser.call("GET", address, headers={"If-None-Match": old})
        assert (reply.status_code, reply.content) == (200, b"other")
        assert reply.headers["cache-control"] == "private, no-cache"
        assert reply.headers["etag"] not in tags


@pytest.mark.parametrize("side", ["", "0", "-1", "255", "1e3", " 256", "0256", "٢٥٦", "9" * 500])
def test_a_side_that_is_not_offered_is_refused(
    browser: Browser, workbench: FakeWorkbench, side: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workbench.images, "rendition", None)  # nothing is decoded
    url = browser.queue()["items"][0]["image_url"].partition("?")[0]
    reply = browser.call("GET", url, params={"side": side})
    assert (reply.status_code, reply.json()["code"]) == (422, "side")


@pytest.mark.parametrize("side", [0, -1, 255, 4096, 10**30, True, "256", [256]])
def test_a_queue_for_a_side_that_is_not_offered_is_refused(
    browser: Browser, workbench: FakeWorkbench, side: object
) -> None:
    before = workbench.writes
    reply = browser.call("POST", "/alw/queue", json={"tab": TAB, "side": side})
    assert (reply.status_code, reply.json()["code"]) == (422, "side")
    assert workbench.writes == before


def test_the_pictures_of_a_queue_are_made_before_they_are_asked_for(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[tuple[str, int | None]] = []
    monkeypatch.setattr(browser.state.pictures, "_make", lambda *wish: made.append(wish))
    items = browser.call("POST", "/alw/queue", json={"tab": TAB, "side": 1024}).json()["items"]
    assert browser.state.pictures.wait(20)
    assert made == [
        (item["image_url"].partition("?")[0].rpartition("/")[2], 1024) for item in items
    ]
    browser.state.pictures.stop(20)
    browser.call("POST", "/alw/queue", json={"tab": TAB, "side": 256})
    assert len(made) == len(items)


@pytest.mark.parametrize(
    "name", ["0" * 64, "A" * 64, "short", "..%2F..%2Fetc%2Fpasswd", "0" * 63 + "\n", "0" * 5000]
)
def test_an_unknown_image_is_not_found(browser: Browser, name: str) -> None:
    reply = browser.call("GET", "/alw/image/" + name.replace("\n", "%0A"))
    assert reply.status_code in (400, 404, 414)
    assert reply.json()["refused"] is True


def test_a_picture_that_could_hold_script_is_not_served(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        workbench.images, "rendition", lambda *_: Rendition("image/svg+xml", b"<svg/>", "1")
    )
    assert browser.call("GET", browser.queue()["items"][0]["image_url"]).status_code == 404


def test_no_open_round_is_an_empty_queue(browser: Browser, workbench: FakeWorkbench) -> None:
    workbench.rounds.close()
    assert browser.queue() == {
        "progress": None,
        "items": [],
        "limit": 0,
        "people": 1,
        "done": False,
        "in_other_tab": False,
        "lease_seconds": None,
    }


def test_a_slow_write_does_not_block_other_requests(
    browser: Browser, workbench: FakeWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an answer waits for the disk, other requests are served."""
    record, may_go = workbench.labels.record, threading.Event()

    def slow(answer: Any) -> Any:
        assert may_go.wait(10)
        return record(answer)

    monkeypatch.setattr(workbench.labels, "record", slow)

    async def both() -> tuple[httpx.Response, httpx.Response]:
        answer = asyncio.create_task(browser.send("POST", "/alw/answer", json=answer_to(ITEM)))
        queue = await asyncio.wait_for(
            browser.send("POST", "/alw/queue", json={"tab": TAB}), timeout=5
        )
        assert not answer.done()
        may_go.set()
        return await answer, queue

    answer, queue = run(both())
    assert answer.json()["stored"] is True
    assert len(queue.json()["items"]) == 10
