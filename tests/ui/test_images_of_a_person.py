"""Whose images of an open round the pages Label and Grid show, over the real service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alworkbench.core.domain import NewItem, Suggestion
from tests.store.making import NOW, import_pictures, new_round
from tests.ui.site import Site, kept_site, own, site
from ui.routes.answering import Json

__all__ = ["kept_site", "site"]

IMAGES = 8
TWICE = {n for n in range(1, IMAGES + 1) if n % 2}
BLIND = {n for n in range(1, IMAGES + 1) if n % 4 < 2}
OWL = 1


def post(site: Site, who: str, path: str, body: Json) -> tuple[int, Json]:
    reply = site.call(f"/alw/{path}", "POST", headers=own(**site.cookie(who)), json=body)
    return reply.status_code, reply.json()


def held(site: Site, who: str) -> list[dict[str, Any]]:
    """What a page of this person shows. Item and image have the same number here."""
    return list(post(site, who, "queue", {"tab": f"tab-of-{who:0<20}", "side": 256})[1]["items"])


def answer(site: Site, who: str, item: Json, event: str) -> tuple[int, Json]:
    """As both pages send it: each image with an event id of its own."""
    said = {"event_id": f"{event:0>16}", "item_id": item["item_id"], "kind": "class"}
    return post(site, who, "answer", said | {"class_id": OWL, "lease_token": item["lease_token"]})


def test_nobody_gets_an_image_of_another_and_what_comes_late_is_told(site: Site) -> None:
    """Half of the images want two people, and half are asked without the suggestion of the model."""
    store, ada, bob = site.workbench.session.store, "annotator", "reviewer"
    import_pictures(store, IMAGES)
    asked = [
        NewItem(n, None, Suggestion(OWL, 0.8), wanted=1 + (n in TWICE), blind=n in BLIND)
        for n in range(1, IMAGES + 1)
    ]
    with store.write() as writer:
        round_ = writer.rounds.open(replace(new_round([]), items=asked), NOW)
    site = site.routed_once()
    hers, his = held(site, ada), held(site, bob)
    assert {each["item_id"] for each in hers} == set(range(1, IMAGES + 1))
    assert {each["item_id"] for each in his} == TWICE
    for each in hers + his:
        assert (each["suggestion"] is None) == (each["item_id"] in BLIND)
        assert each["item_id"] not in BLIND or each["likely"] == each["likeliest"] == []

    alone = hers[1]
    status, refused = answer(site, bob, alone | {"lease_token": "of nobody"}, "b0")
    assert (status, refused["code"]) == (409, "lease_lost")
    for n, each in enumerate(hers):
        assert answer(site, ada, each, f"a{n}")[1]["late"] is None
    assert answer(site, bob, his[0], "b1")[1]["late"] is None  # the second answer that is wanted
    assert "before your answer came" in answer(site, bob, alone, "b2")[1]["late"]
    left = post(site, ada, "queue", {"tab": "tab-of-annotator000000"})[1]
    assert (left["items"], left["done"], left["progress"]["answered"]) == ([], True, IMAGES + 1)

    with store.write() as writer:
        writer.rounds.close(round_.id, NOW)
    assert held(site, bob) == []
    late = answer(site, bob, his[1], "b3")[1]["late"]
    assert late.startswith("The round of this image was closed before your answer came.")
