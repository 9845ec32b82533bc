"""Notes and flags: kept for good, seen as answers are seen, in lists, exports and backups."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from alworkbench.api import open_project, restore
from alworkbench.core.domain import MOST_OF_NOTE, Answer, AnswerKind
from alworkbench.core.errors import ImageNotFound, InvalidNote, InvalidTargets, SelectionTooLarge
from alworkbench.project.image_query import ImageFilter, ImageQuery, read_query
from alworkbench.project.kept_targets import TargetSet, digest_of, save_targets
from alworkbench.project.notes import MOST_IN_ACT
from alworkbench.project.workbench import Workbench
from tests.making_project import Project, closing
from tests.project.gallery_making import all_images


@pytest.fixture
def workbench(project: Project) -> Iterator[Workbench]:
    with closing(project.open()) as found:
        yield found


def hashes(workbench: Workbench) -> list[str]:
    with workbench.session.store.read() as reader:
        return [image.hash for image in reader.images.some(all_images(workbench))]


def listed(workbench: Workbench, person: str | None = None, **chosen: bool | str) -> list[str]:
    query = ImageQuery(ImageFilter(**chosen))  # type: ignore[arg-type]
    found = [each.hash for each in workbench.gallery.page(query, limit=500, person=person).images]
    with workbench.session.store.read() as reader:
        ids = [reader.images.by_hash(content).id for content in found]  # type: ignore[union-attr]
    assert workbench.gallery.selected(query, person=person) == ids
    return found


def acts(images: list[str], number: int) -> Iterator[tuple[str, list[str], str]]:
    """(note, on or off; images; person), drawn at random."""
    chance = random.Random(7)
    for _ in range(number):
        what = chance.choice(["note", "on", "on", "off"])
        yield what, chance.choices(images, k=3), chance.choice(["ada", "bob \u202eبوب"])


def test_lists_cards_and_exports_say_what_a_plain_record_of_the_acts_says(
    workbench: Workbench,
) -> None:
    images = hashes(workbench)
    notes: dict[str, list[tuple[str, str]]] = {}
    flags: dict[str, list[tuple[str, bool]]] = {}
    for number, (what, chosen, person) in enumerate(acts(images[:8], 24)):
        for _ in range(2):  # what is sent twice is recorded once
            if what == "note":
                workbench.notes.write(chosen, person, f" say {number} ", event_id=f"e{number}")
            else:
                workbench.notes.flag(chosen, person, raised=what == "on", event_id=f"e{number}")
        for content in dict.fromkeys(chosen):
            if what == "note":
                notes.setdefault(content, []).append((person, f"say {number}"))
            else:
                flags.setdefault(content, []).append((person, what == "on"))
        flagged = [c for c in images if c in flags and flags[c][-1][1]]
        assert listed(workbench, flagged=True) == flagged
        assert listed(workbench, noted=True) == [c for c in images if c in notes]
    assert [each.hash for each in workbench.notes.listed(flagged=True)] == flagged
    assert {each.hash for each in workbench.notes.listed()} == notes.keys() | flags.keys()
    for content in images[:9]:
        card = workbench.cards.of(content).notes
        assert card == workbench.notes.of(content)
        assert [(n.person, n.text) for n in card.notes] == notes.get(content, [])
        assert [(c.person, c.raised) for c in card.flags] == flags.get(content, [])
        assert card.flagged == (content in flagged)
    for each in workbench.gallery.page(limit=500).images:
        assert each.flagged == (each.hash in flagged)
        assert each.notes == len(notes.get(each.hash, []))
    for image in all_images(workbench)[:9]:
        workbench.labels.record(Answer(f"a{image}", image, AnswerKind.SKIP, "ada"))
    for row in workbench.tables.labels().to_dict("records"):
        assert row["flagged"] == (row["hash"] in flagged)
        assert row["note"] == (notes.get(row["hash"]) or [("", "")])[-1][1]


def test_pages_of_a_list_are_as_of_the_moment_of_its_first_page(workbench: Workbench) -> None:
    images = hashes(workbench)
    workbench.notes.flag(images[:4], "ada")
    query = ImageQuery(ImageFilter(flagged=True))
    first = workbench.gallery.page(query, limit=2)
    workbench.notes.flag(images[:3], "ada", raised=False)
    workbench.notes.flag(images[5:6], "ada")
    second = workbench.gallery.page(query, first.next, limit=2)
    assert [each.hash for each in (*first.images, *second.images)] == images[:4]
    assert [each.flagged for each in second.images] == [False, True]  # what is said is of now
    assert listed(workbench, flagged=True) == [images[3], images[5]]
    chosen = (*sorted(images[2:5]), "f" * 64)  # a target set may hold images of the project
    name = f"shop-{digest_of(chosen)}"
    save_targets(workbench.session.folder, TargetSet(name, chosen))
    assert set(listed(workbench, targets=name)) == set(images[2:5])
    assert listed(workbench, targets=name, flagged=True) == [images[3]]
    with pytest.raises(InvalidTargets):
        listed(workbench, targets="../shop")
    assert read_query({"filter": {"flagged": True, "noted": True}}).filter.noted


def test_notes_and_flags_of_others_are_hidden_as_their_answers_are(workbench: Workbench) -> None:
    with workbench.session.store.write() as writer:
        writer.save_settings(replace(writer.settings(), overlap=2))
    workbench.rounds.propose("random", 4)
    item = workbench.labels.claim("ada", 1)[0]
    image = workbench.images.get(item.image_id)
    for person in ("ada", "bob"):
        workbench.notes.write([image.hash], person, f"of {person}")
    workbench.notes.flag([image.hash], "bob", reason="a dog")
    for found in (
        workbench.notes.of(image.hash, "ada"),
        workbench.notes.of_each([image], "ada")[0],
        workbench.cards.of(image.hash, "ada").notes,
    ):
        assert ([n.text for n in found.notes], found.flags, found.flagged) == (
            ["of ada"],
            (),
            False,
        )
    assert len(workbench.notes.of(image.hash).notes) == 2  # a script sees all
    (in_gallery,) = workbench.gallery.images([image.id], "ada")
    assert (in_gallery.flagged, in_gallery.notes) == (False, 1)
    for person, flagged in (("ada", []), ("bob", [image.hash]), (None, [image.hash])):
        assert listed(workbench, person, flagged=True) == flagged
        assert listed(workbench, person, noted=True) == [image.hash]
    workbench.notes.flag([image.hash], "ada")
    assert listed(workbench, "ada", flagged=True) == [image.hash]  # the own one
    workbench.notes.flag([image.hash], "ada", raised=False)
    workbench.notes.flag([image.hash], "bob", reason="a dog")
    workbench.labels.record(
        Answer("x", image.id, AnswerKind.SKIP, "ada", item_id=item.id, lease_token=item.lease.token)
    )
    found = workbench.cards.of(image.hash, "ada").notes
    assert [n.text for n in found.notes] == ["of ada", "of bob"]
    assert (found.flagged, found.flags[0].reason) == (True, "a dog")
    assert listed(workbench, "ada", flagged=True) == [image.hash]


def test_what_cannot_be_shown_is_refused_and_a_backup_holds_the_rest(
    workbench: Workbench, tmp_path: Path
) -> None:
    images = hashes(workbench)
    for text in ("", "  ", "two\nlines", "a\x00", "\x1b[31m", "\ud800", "x" * (MOST_OF_NOTE + 1)):
        with pytest.raises(InvalidNote, match="Nothing was recorded"):
            workbench.notes.write(images[:1], "ada", text)
        if text.strip():
            with pytest.raises(InvalidNote):
                workbench.notes.flag(images[:1], "ada", reason=text)
    with pytest.raises(ImageNotFound):
        workbench.notes.write([images[0], "f" * 64], "ada", "fine")
    with pytest.raises(SelectionTooLarge, match="marks at most"):
        workbench.notes.flag([f"{n:064x}" for n in range(MOST_IN_ACT + 1)], "ada")
    assert workbench.notes.listed() == []

    workbench.notes.write(images[:2], "ada", "«ملاحظة» <b>*")
    workbench.notes.flag(images[1:3], "bob", reason="blurred")
    workbench.backup(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "again")
    with open_project(tmp_path / "again") as again:
        assert again.notes.listed() == workbench.notes.listed()
        with again.session.store.read() as reader:
            assert reader.faults() == []
