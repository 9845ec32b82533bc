"""The routes of the gallery over the real service: what is refused, and what an act answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from alworkbench.core.domain import PersonRole, Role
from alworkbench.project.bulk_labels import MOST_IN_ACT
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing, copied
from tests.ui.event_loop import run
from ui.door.addresses import addresses_of
from ui.door.guard import Guard
from ui.door.settings import Door
from ui.projects import Projects
from ui.routes import make_routes
from ui.state import UiState

BASE = "http://127.0.0.1:8501"
ACT, UNDO = "act-0000-0000-0000", "undo-000-0000-0000"


class Manager:
    """Sends requests as a page of a manager does."""

    def __init__(self, workbench: Workbench) -> None:
        self.state = UiState(workbench)
        door = Door(Projects.of(self.state), addresses_of("127.0.0.1", 8501, ()))
        self.headers = {
            "Cookie": f"{door.cookie(door.projects.all()[0])}={workbench.people.let_in('mia')}",
            "Origin": BASE,
            "Sec-Fetch-Site": "same-origin",
        }
        self.app = Starlette(routes=make_routes(door), middleware=[Middleware(Guard, door)])

    def post(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.post(self.state.routes + path, json=body, headers=self.headers)

        reply = run(send())
        return reply.status_code, reply.json()


@pytest.fixture(scope="module")
def workbench(
    tmp_path_factory: pytest.TempPathFactory, kept_project: Project
) -> Iterator[Workbench]:
    """One project for all; each test leaves its answers as they were."""
    project = copied(kept_project, tmp_path_factory.mktemp("routes") / "project")
    with closing(project.open()) as real:
        real.people.add("mia", PersonRole.MANAGER)
        yield real


@pytest.fixture
def manager(workbench: Workbench) -> Manager:
    return Manager(workbench)


def act(images: list[int], **more: Any) -> dict[str, Any]:
    return {"act_id": ACT, "kind": "class", "class_id": 2, "images": images} | more


def test_a_list_is_read_in_parts(manager: Manager) -> None:
    status, first = manager.post("/images", {"query": {}, "limit": 10})
    assert (status, first["total"], len(first["images"])) == (200, 64, 10)
    body = {"query": {}, "cursor": first["cursor"], "start": 60, "limit": 10}
    last = manager.post("/images", body)[1]["images"]
    assert [each["id"] for each in last] == [61, 62, 63, 64]
    assert last[0]["path"].count("/") == 1  # no path of the server


def test_an_act_is_stored_told_and_taken_back(manager: Manager, workbench: Workbench) -> None:
    status, done = manager.post("/labels", act([1, 2, 64]))
    assert (status, done["labelled"], done["left_out"]) == (200, 2, 1)
    assert [each["class_name"] for each in done["images"][:2]] == ["bee", "bee"]
    assert manager.post("/labels", act([1, 2, 64]))[1]["labelled"] == 2
    assert workbench.gallery.counts()["label"]["bee"] >= 2
    undo = {"act_id": ACT, "event_id": UNDO}
    status, back = manager.post("/labels/undo", undo)
    assert (status, back["taken_back"]) == (200, 2)
    assert all(each["answer"] is None for each in back["images"])
    status, other = manager.post("/labels/undo", undo | {"act_id": "other-0000-0000-0000"})
    assert (status, other["code"]) == (409, "nothing_to_undo")


def test_a_whole_list_is_labelled_only_as_it_was_seen(manager: Manager) -> None:
    query = {"filter": {"role": "pool", "answered": "no"}}
    seen = manager.post("/images", {"query": query})[1]
    whole = {"query": query, "cursor": seen["cursor"], "total": seen["total"]}
    body = {name: value for name, value in act([]).items() if name != "images"} | whole
    status, refused = manager.post("/labels", body | {"total": seen["total"] + 1})
    assert (status, refused["code"]) == (409, "list_changed")
    body["act_id"] = "act-1111-1111-1111"
    assert manager.post("/labels", body)[1]["labelled"] == seen["total"] == 40
    manager.post("/labels/undo", {"act_id": body["act_id"], "event_id": "undo-111-1111-1111"})


def test_images_are_moved_and_what_changes_learning_needs_a_second_word(
    manager: Manager, workbench: Workbench
) -> None:
    """Image 1 is of the pool, image 64 of the audit set."""
    first, last = (workbench.images.get(n).hash for n in (1, 64))

    def move(role: str, *, confirmed: bool = False, images: tuple[str, ...] = (first,)) -> Any:
        body = {"images": list(images), "role": role, "confirmed": confirmed}
        return manager.post("/roles", body)

    taught = {"act_id": "act-2222-2222-2222"}
    assert manager.post("/labels", act([1], **taught))[1]["labelled"] == 1
    status, done = move("audit", images=(first, last))
    assert (status, done["moved"]) == (200, 1)
    assert "1 image is for the audit set" in done["words"]
    assert move("audit")[1]["moved"] == 0  # sent twice
    status, refused = move("pool")
    assert (status, refused["code"]) == (409, "unconfirmed")
    assert "learns from the labels of 1 of them" in refused["reason"]
    assert workbench.images.get(1).role is Role.AUDIT
    assert move("pool", confirmed=True)[1]["moved"] == 1
    assert [workbench.images.get(n).role for n in (1, 64)] == [Role.POOL, Role.AUDIT]
    manager.post("/labels/undo", taught | {"event_id": "undo-222-2222-2222"})


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/images", {}, "fields"),
        ("/images", {"query": []}, "query"),
        ("/images", {"query": {}, "limit": 0}, "limit"),
        ("/images", {"query": {}, "start": -1}, "start"),
        ("/images", {"query": {}, "cursor": 5}, "cursor"),
        ("/images", {"query": {"order": "beauty"}}, "refused"),
        ("/images", {"query": {"order": "margin"}}, "not_computed"),
        ("/images", {"query": {}, "more": 1}, "fields"),
        ("/images/compute", {"what": "everything"}, "what"),
        ("/labels", act([]), "images"),
        ("/labels", act([True]), "images"),
        ("/labels", act(list(range(MOST_IN_ACT + 1))), "images"),
        ("/labels", act([1], act_id="short"), "act_id"),
        ("/labels", act([1], class_id=99), "class_id"),
        ("/labels", act([9999]), "item"),
        ("/labels", act([1], kind="skip"), "class_id"),
        ("/labels/undo", {"act_id": ACT}, "fields"),
        ("/roles", {"images": ["f" * 64], "role": "audit", "confirmed": False}, "image"),
        ("/roles", {"images": ["f" * 64], "role": "train", "confirmed": False}, "role"),
        ("/roles", {"images": ["f" * 64], "role": "pool", "confirmed": 1}, "confirmed"),
    ],
)
def test_what_is_not_understood_is_refused_and_changes_nothing(
    manager: Manager, workbench: Workbench, path: str, body: dict[str, Any], code: str
) -> None:
    before = workbench.gallery.page().cursor
    status, reply = manager.post(path, body)
    assert (status >= 400, reply["refused"], reply["code"]) == (True, True, code)
    assert workbench.gallery.page().cursor == before


def test_the_state_says_what_is_computed(manager: Manager, workbench: Workbench) -> None:
    assert manager.post("/images/state", {})[1]["predicted"] is False
    workbench.gallery.score()
    state = manager.post("/images/state", {})[1]
    assert (state["predicted"], state["older"], state["jobs"], state["failed"]) == (
        True,
        False,
        [],
        "",
    )
