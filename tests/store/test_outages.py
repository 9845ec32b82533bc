"""Full disks, clocks that jump and networks that are gone: nothing acknowledged is lost, nothing is stuck."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from alworkbench.core.domain import Item, ProjectFolder
from alworkbench.core.errors import ProjectDiskFull, ServerUnavailable
from alworkbench.core.ports import Store
from alworkbench.project.labels import Labels
from alworkbench.project.session import Session
from store import create_store, open_store
from tests.store.faulty import Network, fill, tiny_disk
from tests.store.making import (
    CLASSES,
    HOUR,
    MINUTE,
    NOW,
    SETTINGS,
    answer,
    import_pictures,
    new_project,
    open_round,
)
from tests.store.server import empty_database, own, run_on_server
from tests.store.test_faults import integrity, limit_pages

PEOPLE = ("ann", "bob", "eve")


def record(store: Store, event_id: str) -> None:
    with store.write() as writer:
        writer.labels.add(answer(event_id, 1), NOW)


def record_until_full(store: Store, acknowledged: list[str]) -> None:
    """Answers one by one until none fits; adds those that were recorded."""
    for number in range(1000):
        try:
            record(store, f"one {number}")
        except ProjectDiskFull:
            return
        acknowledged.append(f"one {number}")


def events(store: Store) -> list[str]:
    with store.read() as reader:
        return [label.event_id for label in reader.labels.all()]


# -------------------------------------------------------------------------------------- full disks
@contextmanager
def full_of_pages(folder: Path) -> Iterator[tuple[Store, object, object]]:
    """A database that may not grow, on any machine."""
    with closing(new_project(folder / "project.db", 4)) as store:
        yield (
            store,
            lambda: limit_pages(store, "PRAGMA page_count"),
            lambda: limit_pages(store, "SELECT 1000000"),
        )
    assert integrity(folder / "project.db") == "ok"


@contextmanager
def full_disk(folder: Path) -> Iterator[tuple[Store, object, object]]:
    with tiny_disk(folder, "4m") as disk:
        with closing(new_project(disk / "project.db", 4)) as store:
            yield store, lambda: fill(disk), lambda: (disk / "ballast").unlink()
        assert integrity(disk / "project.db") == "ok"


@contextmanager
def full_server(folder: Path) -> Iterator[tuple[Store, object, object]]:
    """The tables lie on a small disk of the server."""
    url, folder = sa.make_url(empty_database()), folder.resolve()
    for above in folder.parents[: len(folder.parents) - 2]:
        above.chmod(above.stat().st_mode | 0o011)  # the user of the server must get there
    with tiny_disk(folder, "4m") as disk:
        (disk / "tables").mkdir()
        own(disk / "tables")
        name = f"tiny_{url.query['options'].partition('=')[2]}"
        run_on_server(f"CREATE TABLESPACE {name} LOCATION '{disk / 'tables'}'")
        there = url.update_query_dict(
            {"options": f"{url.query['options']} -cdefault_tablespace={name}"}
        )
        try:
            made = create_store(
                folder.with_name("project"), SETTINGS, CLASSES, NOW,
                server=there.render_as_string(hide_password=False),
            )  # fmt: skip
            with closing(made) as store:
                import_pictures(store, 4)
                yield store, lambda: fill(disk), lambda: (disk / "ballast").unlink()
        finally:
            schema = url.query["options"].partition("=")[2]
            run_on_server(f"DROP SCHEMA {schema} CASCADE", f"DROP TABLESPACE {name}")


@pytest.mark.parametrize("kind", [full_of_pages, full_disk, full_server])
def test_a_full_disk_is_said_loses_nothing_and_is_over_when_there_is_space(
    kind, tmp_path: Path
) -> None:
    with kind(tmp_path / "disk") as (store, fill_up, free):
        acknowledged = ["before"]
        record(store, "before")
        fill_up()
        with pytest.raises(ProjectDiskFull, match="Free some space"):  # noqa: PT012
            for block in range(100):  # what was set aside for the tables is used up first
                many = [f"{block} {number}" for number in range(50)]
                with store.write() as writer:
                    writer.labels.add_many([answer(event, 1) for event in many], NOW)
                acknowledged += many
        record_until_full(store, acknowledged)
        waiting = "waiting"
        for _ in range(3):  # the page sends it again and again
            with pytest.raises(ProjectDiskFull):
                record(store, waiting)
            assert events(store) == acknowledged  # reading goes on
        free()
        for again in (waiting, waiting, "after"):
            record(store, again)
        assert events(store) == [*acknowledged, waiting, "after"]


def test_a_project_that_cannot_be_opened_for_want_of_space_says_so(tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "disk", "4m") as disk:
        with closing(new_project(disk / "project.db", 4)) as store:
            record(store, "before")
        ballast = fill(disk)
        with pytest.raises(ProjectDiskFull, match="Free some space"):
            open_store(disk)
        ballast.unlink()
        with closing(open_store(disk)) as store:
            assert events(store) == ["before"]


# ------------------------------------------------------------------------------- clocks that jump
class Page:
    """What a person's page holds; it renews, answers and drops what it does not hold any more."""

    def __init__(self, labels: Labels, person: str) -> None:
        self.labels, self.person = labels, person
        self.held: list[Item] = []
        self.acknowledged: list[str] = []

    def renew(self) -> None:
        self.held = self.labels.claim(self.person, 3, f"tab of {self.person}")

    def answer(self) -> None:
        """The first image that it holds, as if its person had not noticed anything."""
        item = self.held.pop(0)
        event = f"{self.person} {item.id}"
        token = item.lease.token if item.lease else None
        given = answer(event, item.image_id, self.person, item_id=item.id, lease_token=token)
        self.acknowledged.append(self.labels.record(given).event_id)


@pytest.mark.parametrize("jump", [HOUR, -HOUR, 5 * MINUTE, -5 * MINUTE])
def test_a_clock_that_jumps_while_images_are_held_loses_and_blocks_nothing(
    store: Store, jump: timedelta
) -> None:
    """Six images, three people: two hold all of them when the clock of the server is set."""
    time = NOW

    def clock() -> datetime:
        return time

    labels = Labels(Session(ProjectFolder(Path("office")), store, clock=clock))
    current = open_round(store, list(range(1, 7)))
    ann, bob, eve = pages = [Page(labels, person) for person in PEOPLE]
    ann.renew()
    bob.renew()
    assert len(ann.held) == len(bob.held) == 3
    time += jump
    eve.renew()  # a new page gets what nobody holds any more: all, or nothing
    taken = {item.id for item in eve.held}
    assert len(taken) == (3 if abs(jump) == HOUR else 0)
    ann.answer()  # of what was on screen before the clock was set
    bob.answer()
    for page in pages:
        page.renew()
    held = Counter(item.id for page in pages for item in page.held)
    assert set(held.values()) == {1}  # no image is held by two people
    for _ in range(3):  # a round of renewals and answers; nobody waits for a lease of the past
        for page in pages:
            page.renew()
            if page.held:
                page.answer()
    with store.read() as reader:
        assert reader.rounds.progress(current.id or 0).items_left == 0
        stored = reader.labels.all()
        assert [label.late for label in stored] == [None] * 6
    assert sorted(label.event_id for label in stored) == sorted(
        event for page in pages for event in page.acknowledged
    )


# ------------------------------------------------------------------------------ networks that are gone
@pytest.fixture
def network() -> Iterator[tuple[Network, str]]:
    """The way to an empty database on the server, and its URL."""
    url = sa.make_url(empty_database())
    way = Network(url.port)
    yield way, url.set(port=way.port).render_as_string(hide_password=False)
    way.close()


def test_without_the_network_each_answer_is_refused_and_all_are_stored_when_it_is_back(
    network: tuple[Network, str], tmp_path: Path
) -> None:
    """Four pages send each answer again until it is acknowledged, as browsers do."""
    way, url = network
    made = create_store(tmp_path / "project", SETTINGS, CLASSES, NOW, server=url)
    import_pictures(made, 4)
    refusals, enough = threading.Semaphore(0), threading.Event()
    acknowledged: list[str] = []

    def send(page: int) -> None:
        for number in itertools.takewhile(lambda _: not enough.is_set(), itertools.count()):
            event = f"{page}-{number}"
            while True:
                try:
                    record(made, event)
                    break
                except ServerUnavailable:
                    refusals.release()
            acknowledged.append(event)

    with closing(made):
        pages = [threading.Thread(target=send, args=(page,), daemon=True) for page in range(4)]
        for page in pages:
            page.start()
        for _ in range(2):
            way.silence()  # what is on its way arrives neither there nor here
            way.cut()
            for _ in range(8):
                assert refusals.acquire(timeout=60)  # nobody waits for ever
            way.mend()
            before = len(acknowledged)
            while len(acknowledged) < before + 8:
                assert all(page.is_alive() for page in pages)
                time.sleep(0.01)
        enough.set()
        for page in pages:
            page.join(60)
        assert sorted(events(made)) == sorted(acknowledged)


def test_an_answer_whose_acknowledgement_is_lost_on_the_way_is_stored_once(
    network: tuple[Network, str], tmp_path: Path
) -> None:
    way, url = network
    with closing(create_store(tmp_path / "project", SETTINGS, CLASSES, NOW, server=url)) as made:
        import_pictures(made, 4)
        with pytest.raises(ServerUnavailable), made.write() as writer:  # noqa: PT012
            writer.labels.add(answer("e", 1), NOW)
            way.lose_replies()
        way.mend()
        for _ in range(2):
            record(made, "e")
        assert events(made) == ["e"]
