"""The routes of the map over the real service: the points, their tag, one image, and the job."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest

from alworkbench.core.domain import PersonRole
from alworkbench.project import umap_layout
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing, copied
from tests.project.gallery_making import all_images, answer_at_random
from tests.ui.event_loop import run
from tests.ui.test_gallery_routes import BASE, Manager


@pytest.fixture(scope="module")
def workbench(
    tmp_path_factory: pytest.TempPathFactory, kept_project: Project
) -> Iterator[Workbench]:
    """One project for all; tests may only add answers."""
    project = copied(kept_project, tmp_path_factory.mktemp("routes") / "project")
    with closing(project.open()) as real:
        real.people.add("mia", PersonRole.MANAGER)
        yield real


@pytest.fixture
def manager(workbench: Workbench) -> Manager:
    return Manager(workbench)


def get(manager: Manager, path: str, **headers: str) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app=manager.app)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            return await client.get(manager.state.routes + path, headers=manager.headers | headers)

    return run(send())


def test_each_image_is_given_once_and_again_only_after_a_change(
    manager: Manager, workbench: Workbench
) -> None:
    reply = get(manager, "/map?layout=pca")
    assert reply.status_code == 200
    size = int.from_bytes(reply.content[:4], "little")
    head = json.loads(reply.content[4 : 4 + size])
    (place,) = (each for each in head["columns"] if each["name"] == "image")
    given = np.frombuffer(reply.content, place["type"], place["length"], 4 + size + place["at"])
    assert given.tolist() == all_images(workbench)
    tag = reply.headers["etag"]
    same = get(manager, "/map?layout=pca", **{"If-None-Match": tag})
    assert (same.status_code, same.content) == (304, b"")
    answer_at_random(workbench, 3, 5)
    after = get(manager, "/map?layout=pca", **{"If-None-Match": tag})
    assert after.status_code == 200
    assert after.headers["etag"] != tag


def test_one_image_is_said_as_in_the_gallery(manager: Manager, workbench: Workbench) -> None:
    image = all_images(workbench)[7]
    reply = get(manager, f"/map/images/{image}")
    assert reply.status_code == 200
    (own,) = workbench.gallery.images([image])
    assert (reply.json()["id"], reply.json()["hash"]) == (own.id, own.hash)
    for wrong in ("0", "x", "999999", "-1"):
        assert get(manager, f"/map/images/{wrong}").status_code == 404


def test_other_layouts_are_refused_or_said_to_be_missing(
    manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert get(manager, "/map").json()["code"] == "layout"
    assert get(manager, "/map?layout=sphere").status_code == 422
    missing = get(manager, "/map?layout=umap")
    assert (missing.status_code, missing.json()["code"]) == (409, "not_computed")
    assert get(manager, "/map/state").json() == {
        "umap": False, "missing": "", "job": None, "failed": "",
    }  # fmt: skip
    assert manager.post("/map/cancel", {}) == (200, {"cancelled": False})
    assert manager.post("/map/compute", {"more": 1})[0] == 422
    monkeypatch.setattr(umap_layout, "find_spec", lambda name: None)
    assert "pip install" in get(manager, "/map/state").json()["missing"]
    status, refused = manager.post("/map/compute", {})
    assert status == 409
    assert "pip install" in refused["reason"]
