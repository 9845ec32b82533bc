"""The routes of the class list over the real service: only storing writes, and it equals the service."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import pytest

from alworkbench.core.domain import JobKind, JobState, LabelClass, PersonRole, Role
from alworkbench.core.domain.class_changes import added, renamed, reordered, shown_as
from alworkbench.core.domain.class_draft import drafted, read_draft
from alworkbench.core.domain.class_words import quoted
from alworkbench.core.domain.classes_in_use import merged, retired
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing
from tests.ui.test_gallery_routes import Manager
from tests.ui.test_map_routes import get
from ui.routes.classes import plain_draft

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "![x](http://evil.example/p.png)",
    "بومة" * 40 + "١",
    "ת" * 199,
)


@pytest.fixture
def workbench(project: Project, answers: Callable) -> Iterator[Workbench]:
    with closing(project.open()) as real:
        real.people.add("mia", PersonRole.MANAGER)
        real.rounds.propose("random")
        answers(real, 5)
        yield real


@pytest.fixture
def manager(workbench: Workbench) -> Manager:
    return Manager(workbench)


def draft_of(manager: Manager) -> dict[str, Any]:
    found: dict[str, Any] = get(manager, "/classes").json()["draft"]
    return found


def sent(classes: Any) -> dict[str, Any]:
    return json.loads(json.dumps(plain_draft(classes)))


def test_the_draft_of_the_server_changes_nothing(manager: Manager, workbench: Workbench) -> None:
    workbench.classes.reorder(["dog", "ant"])
    present = workbench.classes.current()
    draft = draft_of(manager)
    assert [c["name"] for c in draft["classes"]] == ["dog", "ant", "bee", "cat"]
    assert drafted(present, read_draft(draft)) == present
    status, reply = manager.post("/classes/apply", {"draft": draft})
    assert (status, reply) == (200, {"stored": present.id})
    assert workbench.classes.current() == present


def test_what_is_typed_is_previewed_and_nothing_is_written(
    manager: Manager, workbench: Workbench
) -> None:
    present = workbench.classes.current()
    jobs = workbench.jobs.newest()
    draft = sent(reordered(retired(present, "bee"), ["dog"]))
    status, reply = manager.post("/classes/preview", {"draft": draft, "turn": 0})
    assert status == 200
    assert reply["faults"] == []
    assert "'bee' is retired: its labels teach nothing." in reply["changes"]
    found = workbench.classes.previews.of(retired(present, "bee"))
    names = [c["name"] for c in draft["classes"]]
    said = [[[names[place], share] for place, share in each["top"]] for each in reply["images"]]
    wanted = [
        [[("ant", "cat", "dog")[place], share] for place, share in each.top]
        for each in found.images
    ]
    assert said == wanted
    assert reply["accuracy"][0]["images"] == found.accuracy[0].images
    draft["classes"][0]["name"] = "hound"
    _, reply = manager.post("/classes/preview", {"draft": draft, "turn": 0})
    assert "came from a file" in reply["reason"]  # no encoder can read another name
    draft["classes"][0]["name"] = "Cat"
    draft["classes"][1]["key"] = "z"
    _, reply = manager.post("/classes/preview", {"draft": draft, "turn": 0})
    assert [(each["place"], each["field"]) for each in reply["faults"]] == [(0, "name"), (1, "key")]
    assert manager.post("/classes/faults", {"draft": draft}) == (200, {"faults": reply["faults"]})
    draft["classes"][0]["name"] = "hound"
    del draft["classes"][1]["key"]
    draft["classes"][1]["key"] = None
    assert manager.post("/classes/faults", {"draft": draft}) == (200, {"faults": []})
    assert workbench.classes.current() == present
    assert workbench.jobs.newest() == jobs


def test_an_open_round_is_said_before_anything_is_stored(
    manager: Manager, workbench: Workbench
) -> None:
    present = workbench.classes.current()
    gone = sent(merged(present, ["bee"], "cat"))
    status, reply = manager.post("/classes/effect", {"draft": gone})
    assert (status, reply["open_round"]) == (200, 1)
    status, reply = manager.post("/classes/apply", {"draft": gone})
    assert (status, reply["refused"]) == (409, True)
    shown = shown_as(present, "ant", key="q", description="small")
    _, reply = manager.post("/classes/effect", {"draft": sent(shown)})
    assert reply["open_round"] is None
    assert reply["effect"]["labels"] == 0
    status, reply = manager.post("/classes/apply", {"draft": sent(shown)})
    assert (status, reply) == (200, {"stored": 2})
    assert workbench.classes.current().classes == shown.classes


def test_storing_for_the_model_is_a_job_that_equals_the_service(
    manager: Manager, workbench: Workbench
) -> None:
    workbench.rounds.close()
    present = workbench.classes.current()
    wanted = merged(present, ["bee"], "cat")
    _, reply = manager.post("/classes/effect", {"draft": sent(wanted)})
    assert reply["effect"] == json.loads(json.dumps(asdict(workbench.classes.effect(wanted))))
    status, reply = manager.post("/classes/apply", {"draft": sent(wanted)})
    assert (status, reply) == (200, {"started": True})
    manager.state.jobs.wait(60)
    job = workbench.jobs.newest()[0]
    assert (job.kind, job.state, job.asked_by) == (JobKind.LEARN, JobState.DONE, "mia")
    assert workbench.classes.current().classes == wanted.classes
    status, reply = manager.post("/classes/apply", {"draft": sent(wanted)})
    assert status == 409  # it was made from the version before
    back = get(manager, "/classes/versions/1").json()["draft"]
    assert drafted(workbench.classes.current(), read_draft(back)).classes == present.classes


def test_a_preview_takes_names_that_are_written_in_parts(
    manager: Manager, workbench: Workbench
) -> None:
    """As other systems write accents: letter and mark apart."""
    draft = sent(added(workbench.classes.current(), LabelClass("owl")))
    draft["classes"][-1]["name"] = " e\u0301clair"
    status, reply = manager.post("/classes/preview", {"draft": draft, "turn": 0})
    assert (status, reply["faults"]) == (200, [])


@pytest.mark.parametrize("name", HOSTILE)
def test_names_come_back_as_they_are(manager: Manager, workbench: Workbench, name: str) -> None:
    draft = sent(added(workbench.classes.current(), LabelClass(name)))
    _, reply = manager.post("/classes/effect", {"draft": draft})
    assert reply["faults"] == []
    assert reply["changes"] == [f"{quoted(name)} is new."]
    assert repr(name) in reply["changes"][0]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("preview", {"draft": [], "turn": 0}),
        ("preview", {"draft": {"classes": []}, "turn": -1}),
        ("preview", {"turn": 0}),
        ("effect", {"draft": {"classes": [{"name": 1}]}}),
        ("apply", {"draft": {"classes": []}, "more": 1}),
    ],
)
def test_other_bodies_are_refused(manager: Manager, path: str, body: dict[str, Any]) -> None:
    status, reply = manager.post(f"/classes/{path}", body)
    assert status in (409, 422)
    assert reply["refused"] is True


def test_a_rename_in_a_draft_is_the_rename_of_the_service(workbench: Workbench) -> None:
    present = workbench.classes.current()
    wanted = renamed(present, "cat", "kitten")
    assert drafted(present, read_draft(sent(wanted))) == wanted


def test_a_draft_of_a_file_is_read_as_the_command_reads_it(
    manager: Manager, workbench: Workbench
) -> None:
    """A new class may name nothing but its name; an older version and another form are refused."""
    given = {**sent(workbench.classes.current()), "id": None, "keys": {}}
    given["classes"].append({"name": "owl"})
    status, reply = manager.post("/classes/read", {"draft": given})
    assert status == 200
    assert read_draft(reply["draft"]).classes == read_draft(given).classes
    assert reply["draft"]["id"] == workbench.classes.current().id
    workbench.classes.reorder(["dog"])
    assert manager.post("/classes/read", {"draft": given | {"id": 1}})[0] == 409
    status, reply = manager.post("/classes/read", {"draft": {"classes": [{"name": 1}]}})
    assert (status, reply["refused"]) == (409, True)


def test_examples_are_offered_among_labels_and_found_by_name(
    manager: Manager, workbench: Workbench
) -> None:
    with workbench.session.store.read() as reader:
        classes = {c.id: c.name for c in reader.classes.current().classes}
        given = list(reader.labels.current(Role.POOL).values())
        hash_of = dict(reader.images.ids_and_hashes(Role.POOL))
        path_of = dict(reader.images.hashes_and_paths(Role.POOL))
    for number in classes:
        _, reply = manager.post("/classes/images", {"class": number})
        wanted = {hash_of[each.image_id] for each in given if each.class_id == number}
        pool = {each["hash"] for each in reply["images"]} & set(path_of)
        assert pool == wanted
    content, path = next(iter(path_of.items()))
    for name in (content, path, path.rpartition("/")[2]):
        _, reply = manager.post("/classes/images", {"name": name})
        assert [each["hash"] for each in reply["images"]] == [content]
    for wrong in ({"name": "no such"}, {"name": ""}, {"class": 9999}, {}):
        assert manager.post("/classes/images", wrong)[0] in (404, 409, 422)
