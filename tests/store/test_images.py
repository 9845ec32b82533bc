"""Pictures are known by content; every file is accounted for."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import FoundImage, QuarantinedFile, Role
from alworkbench.core.errors import NotInProject
from alworkbench.core.ports import Store
from store import memory_store
from tests.store.making import CLASSES, NOW, SETTINGS, content, found, refused


def add(
    store: Store,
    pictures: list[FoundImage],
    quarantined: list[QuarantinedFile] | None = None,
    root: str = "photos",
    role: Role = Role.POOL,
):
    with store.write() as writer:
        return writer.images.add(pictures, quarantined or [], root=root, role=role)


def test_adding_the_same_files_again_changes_nothing(store: Store) -> None:
    with store.read() as reader:
        before = [reader.images.get(n) for n in range(1, 7)]
    summary = add(store, [found(n) for n in range(1, 7)])
    assert (summary.files, summary.known, summary.new) == (6, 6, 0)
    with store.read() as reader:
        assert [reader.images.get(n) for n in range(1, 7)] == before


def test_a_duplicate_is_one_image_with_all_its_paths(store: Store) -> None:
    files = [found(1, "copy.png"), found(9), found(8), found(9, "b/9.png")]
    summary = add(store, files)
    assert (summary.new, summary.known, summary.duplicates) == (2, 0, 2)
    with store.read() as reader:
        assert reader.images.get(1).paths == ("photos/1.png", "photos/copy.png")
        twice = reader.images.by_hash(content(9))
        assert twice is not None
        assert twice.paths == ("photos/9.png", "photos/b/9.png")
        assert twice.id == 7  # numbered in the order in which they were met
        assert reader.images.count(Role.POOL) == 8


def test_known_content_keeps_its_id_and_role_and_gains_a_path(store: Store) -> None:
    summary = add(store, [found(2, "x.png"), found(20)], root="/elsewhere", role=Role.AUDIT)
    assert (summary.new, summary.duplicates) == (1, 1)
    with store.read() as reader:
        image = reader.images.get(2)
        assert (image.role, image.paths) == (Role.POOL, ("photos/2.png", "/elsewhere/x.png"))
        assert reader.images.ids_and_hashes(Role.AUDIT) == [(7, content(20))]


@pytest.mark.parametrize(
    ("root", "path"),
    [("photos/", "1.png"), ("./photos", "1.png"), (".", "photos/1.png"), ("", "./photos/1.png")],
)
def test_a_file_has_one_path_from_whichever_folder_it_is_imported(
    store: Store, root: str, path: str
) -> None:
    assert add(store, [found(1, path)], root=root).known == 1
    with store.read() as reader:
        assert reader.images.get(1).paths == ("photos/1.png",)


def test_a_folder_inside_an_imported_folder_holds_the_same_files(store: Store) -> None:
    add(store, [found(11, "a/b/11.png")], root="/data")
    assert add(store, [found(11, "b/11.png")], root="/data/a").known == 1
    assert add(store, [found(11, "data/a/b/11.png")], root="/").known == 1
    with store.read() as reader:
        image = reader.images.by_hash(content(11))
        assert image is not None
        assert image.paths == ("/data/a/b/11.png",)


def test_roots_with_a_common_prefix_are_different(store: Store) -> None:
    add(store, [found(11, "x.png")], root="/data")
    assert add(store, [found(11, "x.png")], root="/data2").duplicates == 1
    assert add(store, [found(11, "data/x.png")], root=".").duplicates == 1


def test_the_path_of_a_changed_file_gives_its_current_content(store: Store) -> None:
    assert add(store, [found(30, "1.png")]).new == 1
    with store.read() as reader:
        now = reader.images.by_path("photos/1.png")
        assert now is not None
        assert now.hash == content(30)
        assert reader.images.get(1).paths == ("photos/1.png",)  # it was found there
    assert add(store, [found(1, "1.png")]).known == 1  # and changed back
    with store.read() as reader:
        back = reader.images.by_path("photos/1.png")
        assert back is not None
        assert back.id == 1


def test_by_path_takes_a_whole_path_or_a_unique_end(store: Store) -> None:
    add(store, [found(41, "a/x.png"), found(42, "b/x.png"), found(43, "x.png")], root="/d")
    with store.read() as reader:

        def at(path: str) -> str | None:
            image = reader.images.by_path(path)
            return None if image is None else image.hash

        assert at("/d/a/x.png") == at("a/x.png") == at("./a/x.png") == content(41)
        assert at("/d/x.png") == content(43)
        assert at("x.png") is None  # three files end so
        assert at("d/x.png") == content(43)
        assert at("1.png") == content(1)
        assert at(".png") is None  # parts of names do not count
        assert at("") is None


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
@pytest.mark.parametrize("asked", ["NFC", "NFD"])
def test_by_path_compares_unicode_forms_as_equal(store: Store, stored: str, asked: str) -> None:
    path = "\u00e9t\u00e9/\u00fc.png"
    add(store, [found(30, unicodedata.normalize(stored, path))])
    with store.read() as reader:
        for wanted in (f"photos/{path}", path, "\u00fc.png"):
            image = reader.images.by_path(unicodedata.normalize(asked, wanted))
            assert image is not None
            assert image.hash == content(30)


def test_by_path_is_not_ambiguous_between_files_of_one_picture(store: Store) -> None:
    add(store, [found(41, "a/x.png"), found(41, "b/x.png")])
    with store.read() as reader:
        image = reader.images.by_path("x.png")
        assert image is not None
        assert image.hash == content(41)


def test_quarantined_files_are_remembered_once_and_leave_when_readable(store: Store) -> None:
    for _ in range(2):
        summary = add(store, [], [refused("bad/1.png"), refused("bad/2.png")])
        assert summary.files == 2
        assert summary.quarantined == (refused("bad/1.png"), refused("bad/2.png"))
    with store.read() as reader:
        assert [q.path for q in reader.images.quarantined()] == [
            "photos/bad/1.png",
            "photos/bad/2.png",
        ]
    add(store, [found(50, "bad/1.png")])
    with store.read() as reader:
        assert reader.images.quarantined() == [refused("photos/bad/2.png")]


def test_a_reader_may_fill_the_quarantine_while_it_yields_pictures(store: Store) -> None:
    met: list[QuarantinedFile] = []

    def walk() -> Iterator[FoundImage]:
        for n in range(100, 5_100):
            if n % 100:
                yield found(n)
            else:
                met.append(refused(f"{n}.png"))

    with store.write() as writer:
        summary = writer.images.add(walk(), met, root="many", role=Role.AUDIT)
    assert (summary.files, summary.new, len(summary.quarantined)) == (5_000, 4_950, 50)
    with store.read() as reader:
        pairs = reader.images.ids_and_hashes(Role.AUDIT)
    assert pairs == sorted(pairs)
    assert [hash_ for _, hash_ in pairs] == [content(n) for n in range(100, 5_100) if n % 100]
    assert {type(pair) for pair in pairs} == {tuple}


@given(
    imports=st.lists(
        st.tuples(
            st.sampled_from(["p", "p/a", "/p", "."]),
            st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["a/1", "1", "2"])), max_size=6),
            st.lists(st.sampled_from(["1", "a/2"]), max_size=2),
        ),
        max_size=4,
    )
)
@settings(deadline=None, derandomize=True, max_examples=40)
def test_new_and_known_and_duplicates_and_quarantined_are_all_the_files(
    imports: list[tuple[str, list[tuple[int, str]], list[str]]],
) -> None:
    store = memory_store(SETTINGS, CLASSES, NOW)
    seen: set[int] = set()
    for root, pictures, bad in imports:
        summary = add(store, [found(n, p) for n, p in pictures], [refused(p) for p in bad], root)
        assert summary.files == len(pictures) + len(bad)
        assert summary.files == summary.new + summary.known + summary.duplicates + len(bad)
        fresh = {n for n, _ in pictures} - seen
        assert summary.new == len(fresh)
        seen |= fresh
    with store.read() as reader:
        assert reader.images.count(Role.POOL) == len(seen)
        for id_, _ in reader.images.ids_and_hashes(Role.POOL):
            paths = reader.images.get(id_).paths
            assert len(set(paths)) == len(paths) >= 1
    store.close()


def test_an_unknown_id_is_named(store: Store) -> None:
    with store.read() as reader:
        with pytest.raises(NotInProject, match="image 99"):
            reader.images.get(99)
        assert reader.images.by_hash(content(99)) is None
