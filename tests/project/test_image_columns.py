"""Columns of images give what lists and dictionaries of Python objects would give."""

from __future__ import annotations

import hashlib
import heapq
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from alworkbench.core.domain import (
    ClassList,
    FoundImage,
    LabelClass,
    ProjectSettings,
    Role,
)
from alworkbench.core.errors import NotInProject
from alworkbench.encoders.head import Features
from alworkbench.features import table as tables
from alworkbench.features.table import FeatureTable
from alworkbench.project import image_columns
from alworkbench.project.image_columns import HASH, EncodedImages, ImageColumns
from alworkbench.project.session import some_of
from alworkbench.project.stability import sample
from store import memory_store
from store.repositories import images as stored_images

NUMBERS = st.integers(1, 1_000_000)


def content(number: int) -> str:
    return hashlib.sha256(b"%d" % number).hexdigest()


def columns(pairs: list[tuple[int, str]]) -> ImageColumns:
    ids, hashes = [image for image, _ in pairs], [each for _, each in pairs]
    return ImageColumns(np.array(ids, np.int64), np.array(hashes, HASH))


@pytest.mark.parametrize("parts", [1, 4, 100])
def test_columns_hold_the_pairs_of_each_role_by_id(parts: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stored_images, "READ_AT_ONCE", parts)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    classes = ClassList((LabelClass("ant"), LabelClass("bee")))
    store = memory_store(ProjectSettings("columns", "bundled"), classes, now)
    for role, numbers in ((Role.POOL, [3, 1, 9]), (Role.AUDIT, [7]), (Role.POOL, [2, 8])):
        found = [FoundImage(content(n), f"{n}.png", 10, 4, 4) for n in numbers]
        with store.write() as writer:
            writer.images.add(found, (), root="photos", role=role)
    with store.read() as reader:
        for role in Role:
            read, pairs = ImageColumns.read(reader, role), reader.images.ids_and_hashes(role)
            assert read.ids.tolist() == [image for image, _ in pairs]
            assert [each.decode() for each in read.hashes.tolist()] == [each for _, each in pairs]
            assert read.hashes_of(read.ids.tolist()[::-1]) == [each for _, each in pairs][::-1]
    store.close()


@given(st.sets(NUMBERS), st.lists(NUMBERS), st.data())
def test_hashes_are_found_as_by_a_dictionary(
    known: set[int], other: list[int], data: st.DataObject
):
    pairs = [(n, content(n)) for n in sorted(known)]
    hash_of, images = dict(pairs), columns(pairs)
    asked = data.draw(st.lists(st.sampled_from(sorted(known)))) if known else []
    assert images.hashes_of(asked) == [hash_of[image] for image in asked]
    hashes = {content(n) for n in (*asked, *other)}
    expected = [image for image, each in pairs if each in hashes]
    for block in (1, 3, image_columns.BLOCK):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(image_columns, "BLOCK", block)
            assert images.ids_with(hashes).tolist() == expected
    for unknown in set(other) - known:
        with pytest.raises(NotInProject, match=f"no image {unknown}"):
            images.hashes_of([*asked, unknown])


@given(st.dictionaries(NUMBERS, NUMBERS), st.lists(NUMBERS))
def test_rows_are_found_as_by_a_dictionary(of_row: dict[int, int], other: list[int]):
    image_of_row = {row: image for image, row in of_row.items()}
    row_of = {image: row for row, image in image_of_row.items()}
    ids = sorted(row_of)
    encoded = EncodedImages(
        np.array(ids, np.int64), np.array([row_of[image] for image in ids], np.int64)
    )
    asked = [*reversed(ids), *other, *ids]  # unordered, missing and repeated
    expected = [row_of.get(image, -1) for image in asked]
    assert encoded.rows_of(asked).tolist() == expected
    assert encoded.rows_of(np.array(asked, np.int64)).tolist() == expected
    rows = [*reversed(image_of_row), *image_of_row]
    assert encoded.images_of(rows) == [image_of_row[row] for row in rows]
    for row in set(other) - image_of_row.keys():
        with pytest.raises(KeyError):
            encoded.images_of([row])


@given(st.lists(NUMBERS, unique=True), st.lists(NUMBERS), st.integers(1, 5))
def test_a_table_finds_rows_block_by_block(rows: list[int], other: list[int], block: int):
    table = FeatureTable.from_features(
        [content(n) for n in rows], Features(torch.zeros(len(rows), 2))
    )
    asked = [content(n) for n in (*other, *rows[::-1], *rows)]
    row_of = {content(n): row for row, n in enumerate(rows)}
    expected = [row_of.get(each, -1) for each in asked]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tables, "FOUND_AT_ONCE", block)
        assert table.find(asked).tolist() == expected
        assert table.find(np.array(asked, HASH)).tolist() == expected


HASHES = st.builds(
    lambda start, middle: (start * 40)[:40] + middle + "0" * (24 - len(middle)),
    st.sampled_from(["0", "0f", "f0", "1"]),
    st.text("01f", max_size=24),
)
"""Hashes that agree in many digits, as no content hashes do."""


@given(st.lists(HASHES, unique=True), st.integers(0, 40), st.integers(1, 6))
def test_the_sample_holds_the_lowest_hashes(hashes: list[str], seed: int, count: int):
    pairs = list(enumerate(hashes, start=1))
    digit = seed % 32
    lowest = heapq.nsmallest(count, pairs, key=lambda image: (image[1][digit:], image[1]))
    assert sample(columns(pairs), seed, count) == lowest


@given(st.lists(NUMBERS), st.integers(0, 8), st.integers(0, 9))
def test_a_random_sample_of_an_array_is_that_of_a_list(rows: list[int], count: int, seed: int):
    found = some_of(np.array(rows, np.int64), count, seed)
    assert found == some_of(rows, count, seed)
    assert all(type(each) is int for each in found)
