"""What the labelling page asks of the database costs the same in a project of any size.

Cost is counted in the steps that SQLite takes, which are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.ports import Store
from alworkbench.project.labels import Labels
from alworkbench.project.session import Session
from tests.store.making import NOW, answer, new_project, open_round

ITEMS = 40
FEW, MANY = 100, 2_000


def grown(path: Path, images: int) -> Store:
    """All images but those of the open round were answered before, by ann, whose page is open again."""
    store = new_project(path, images)
    earlier = open_round(store, list(range(1, images - ITEMS + 1)))
    given = [answer(f"e{n}", n, duration_ms=900) for n in range(1, images - ITEMS + 1)]
    with store.write() as writer:
        writer.labels.add_many(given, NOW)
        writer.rounds.close(earlier.id or 0, NOW)
    open_round(store, list(range(images - ITEMS + 1, images + 1)))
    return store


def steps(store: Store, action: Callable[[], object]) -> int:
    """How many steps SQLite takes for an action, in tens."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    database = store._database  # type: ignore[attr-defined]
    for engine in (database._writer, database._readers):
        with engine.connect() as connection:
            connection.connection.driver_connection.set_progress_handler(count, 10)
    action()
    return taken


def costs(path: Path, images: int) -> dict[str, int]:
    with closing(grown(path, images)) as store:
        labels = Labels(Session(ProjectFolder(path.parent), store, clock=lambda: NOW))
        held = labels.claim("ann", 24, "tab")
        first, second = (
            answer(f"new {n}", item.image_id, item_id=item.id, lease_token=item.lease.token)
            for n, item in enumerate(held[:2])
        )

        def count_round() -> None:
            with store.read() as reader:
                reader.rounds.progress(reader.rounds.current().id)

        return {
            what: steps(store, action)
            for what, action in (
                ("lease", lambda: labels.claim("ann", 24, "tab")),
                ("record", lambda: labels.record_many([first, second])),
                ("count", count_round),
                ("undo", lambda: labels.undo("ann", "back", "new 0")),
                ("undo the newest", lambda: labels.undo("ann", "again")),
            )
        }


def test_what_a_page_asks_costs_the_same_with_many_images_and_answers(tmp_path: Path) -> None:
    few = costs(tmp_path / "few" / "project.db", FEW)
    many = costs(tmp_path / "many" / "project.db", MANY)
    assert all(few.values())
    assert {what: n for what, n in many.items() if n > 1.5 * few[what]} == {}, (few, many)
