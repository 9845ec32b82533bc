"""Collections match their cards, are reproducible, and keep their parts apart."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from functools import cache

import numpy as np
import pytest

from alworkbench.core.domain import NO_CLASS, ClassList
from alworkbench.core.errors import UnknownCollection, UnreadableSource
from alworkbench.core.progress import silent
from alworkbench.datasets.cards import imbalance_of, long_tail
from alworkbench.datasets.collections import collections, find_collection
from alworkbench.datasets.fashion_variants import COPY_NOISE, near_copy
from alworkbench.datasets.generated import draw_collection
from alworkbench.datasets.glyphs import CLASSES, FONTS, draw_glyph
from alworkbench.datasets.labelled_images import (
    CollectionImages,
    LabelledImages,
)
from alworkbench.datasets.package_images import is_test_block
from alworkbench.datasets.sample import UNKNOWN_TO_BUNDLED_MODEL
from alworkbench.datasets.shapes import KINDS, draw_shape
from alworkbench.datasets.textures import FAMILIES, draw_texture

NAMES = [collection.name for collection in collections()]
DRAWERS = {
    "glyphs": (draw_glyph, len(CLASSES)),
    "textures": (draw_texture, len(FAMILIES)),
    "shapes": (draw_shape, len(KINDS)),
}


def quick_picture(generator: np.random.Generator, label: int) -> np.ndarray:
    return generator.integers(0, 256, (4, 4), dtype=np.uint8)


@cache
def made(name: str) -> CollectionImages:
    """The collection; of those that are drawn, every count, label and order, but quick pictures.

    Thousands of real ones take half a minute and say nothing more: what a picture looks like depends
    on its class and the generator alone.
    """
    collection = find_collection(name)
    if (why_not := collection.available()) is not None:
        pytest.skip(f"{name} is not on this machine: {why_not}")
    with pytest.MonkeyPatch.context() as patch:
        if name in DRAWERS:
            draw, _ = DRAWERS[name]
            patch.setattr(sys.modules[draw.__module__], draw.__name__, quick_picture)
        return collection.make()


# ------------------------------------------------------------------------------------ the registry


def test_roles_are_fixed():
    """This test repeats the three `dev` collections on purpose."""
    roles = {collection.name: collection.role for collection in collections()}
    assert [name for name, role in roles.items() if role == "dev"] == ["sample", "digits", "glyphs"]
    assert set(roles.values()) == {"dev", "report"}
    assert len(roles) == len(collections()) == 10
    with pytest.raises(FrozenInstanceError):
        find_collection("shapes").card.role = "dev"


def test_changing_the_returned_list_changes_no_collection():
    collections().clear()
    assert [collection.name for collection in collections()] == NAMES


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(UnknownCollection, match="Did you mean 'fashion-rare'") as raised:
        find_collection("fashion-rar")
    assert all(name in str(raised.value) for name in NAMES)


def test_a_collection_without_its_source_is_refused_with_the_remedy():
    absent = replace(find_collection("digits"), missing=lambda: "install something")
    assert absent.available() == "install something"
    with pytest.raises(
        UnreadableSource, match="'digits' cannot be made on this machine: install something"
    ):
        absent.make()


def test_a_source_that_differs_from_the_card_is_refused():
    digits = find_collection("digits")
    sizes = {**digits.card.sizes, "pool": {**digits.card.sizes["pool"], "three": 134}}
    other = replace(digits, card=replace(digits.card, sizes=sizes))
    with pytest.raises(UnreadableSource, match="133 of 'three' in the pool, not 134"):
        other.make()


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_card_is_filled(name: str):
    collection = find_collection(name)
    card = collection.card
    names = ClassList(card.classes).names  # which refuses what cannot be a class list
    assert set(card.sizes["pool"]) == set(card.sizes["test"]) == set(names)
    assert min(card.sizes["pool"].values()) > 0
    assert min(card.sizes["test"].values()) > 0
    assert card.imbalance == pytest.approx(imbalance_of(card.sizes["pool"]))
    assert all((card.source, card.licence, card.purpose, collection.summary))
    assert collection.base is None or find_collection(collection.base).base is None


def test_collections_and_simulations_share_the_label_of_no_class():
    assert NO_CLASS == NO_CLASS


# ------------------------------------------------------------------------------------- the images


@pytest.mark.parametrize("name", NAMES)
def test_class_counts_match_the_card(name: str):
    card = find_collection(name).card
    names = [label.name for label in card.classes]
    for part, images in (("pool", made(name).pool), ("test", made(name).test)):
        found = Counter(names[label] for label in images.labels.tolist() if label >= 0)
        assert found == card.sizes[part]
        assert images.images.dtype == np.uint8
        outside = card.outside if part == "pool" else 0
        assert (images.labels == NO_CLASS).sum() == outside
        assert len(images) == card.images(part) + outside


@pytest.mark.parametrize("name", NAMES)
def test_no_image_occurs_twice(name: str):
    pool, test = made(name).pool.hashes(), made(name).test.hashes()
    assert len({*pool, *test}) == len(pool) + len(test)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_does_not_reveal_the_class(name: str):
    """The first tenth has its share of the largest class within four standard deviations."""
    labels = made(name).pool.labels
    biggest = np.bincount(labels[labels >= 0]).argmax()
    share, first = (labels == biggest).mean(), labels[: len(labels) // 10] == biggest
    assert abs(first.mean() - share) <= 4 * np.sqrt(share * (1 - share) / len(first))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in DRAWERS])
def test_the_same_seed_gives_the_same_bytes(name: str):
    before = made(name)  # first: it skips what is not on this machine
    again = find_collection(name).make()
    for one, other in ((again.pool, before.pool), (again.test, before.test)):
        assert one.images.tobytes() == other.images.tobytes()
        assert one.labels.tolist() == other.labels.tolist()
        assert one.copy_of.tolist() == other.copy_of.tolist()


@pytest.mark.parametrize("name", DRAWERS)
def test_the_same_seed_draws_the_same_bytes(name: str):
    draw, classes = DRAWERS[name]
    counts = [1] * classes
    one, again, other = (draw_collection(seed, counts, counts, draw, silent) for seed in (3, 3, 4))
    assert one.pool.images.tobytes() == again.pool.images.tobytes()
    assert one.test.images.tobytes() == again.test.images.tobytes()
    assert one.pool.images.tobytes() != other.pool.images.tobytes()
    assert sorted(one.pool.labels.tolist()) == list(range(classes))


def test_a_repeated_picture_is_replaced():
    """24 different pictures exist; both parts together contain each once."""

    def draw(generator: np.random.Generator, label: int) -> np.ndarray:
        return generator.integers(0, 24, (1, 1)).astype(np.uint8)

    found = draw_collection(0, [10, 2], [6, 6], draw, silent)
    pixels = np.concatenate([found.pool.images, found.test.images]).ravel()
    assert sorted(pixels.tolist()) == list(range(24))


def test_other_seeds_give_other_images():
    digits = find_collection("digits")
    assert digits.make(1).test.hashes() != digits.make(2).test.hashes()


@pytest.mark.parametrize("name", ["fashion", "fashion-rare", "fashion-duplicates"])
def test_report_collections_share_no_image_with_dev_collections(name: str):
    seen = {*made("sample").pool.hashes(), *made("sample").test.hashes()}
    assert seen.isdisjoint(made(name).pool.hashes())
    assert seen.isdisjoint(made(name).test.hashes())


# ----------------------------------------------------------------------------- what each is for


def test_every_class_of_glyphs_and_shapes_is_visible():
    """Every class is drawn as something that is not blank, in every font."""
    generator = np.random.default_rng(0)
    assert len(CLASSES) >= 50
    assert len(KINDS) >= 60
    assert sorted("".join(CLASSES.values())) == sorted(
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    )
    for draw, classes in DRAWERS.values():
        for label in range(classes):
            assert draw(generator, label).std() > 5
    assert len(FONTS) == 21


def test_long_tails_have_the_stated_imbalance():
    for name, least in (("sample", 19), ("textures", 4.8), ("shapes", 18), ("fashion-rare", 100)):
        assert find_collection(name).card.imbalance == pytest.approx(least, rel=0.1)
    assert sum(long_tail(6000, 80, 20.0)) == 6000


def test_the_unknown_classes_are_the_rare_ones():
    pool = find_collection("fashion-rare").card.sizes["pool"]
    balanced = find_collection("fashion").card.sizes["pool"]
    rare = {name for name in pool if pool[name] * 100 == balanced[name]}
    assert rare == set(UNKNOWN_TO_BUNDLED_MODEL)


def test_near_duplicates_are_near_and_counted():
    pool = made("fashion-duplicates").pool
    copies = np.flatnonzero(pool.copy_of >= 0)
    assert len(copies) == find_collection("fashion-duplicates").card.near_duplicates
    assert len(copies) / len(pool) == pytest.approx(0.3)
    originals = pool.copy_of[copies]
    assert (pool.copy_of[originals] == -1).all()
    assert len(set(originals.tolist())) == len(originals)
    assert (pool.labels[copies] == pool.labels[originals]).all()
    some, theirs = copies[:500], originals[:500]
    one = pool.images[some].astype(float)
    near = _rms_after_shift(one, pool.images[theirs].astype(float))
    assert near.max() < 2 * COPY_NOISE
    same_class = [np.flatnonzero(pool.labels == label)[7] for label in pool.labels[some]]
    other = _rms_after_shift(one, pool.images[same_class].astype(float))
    assert np.median(other) > 5 * np.median(near)


def _rms_after_shift(images: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The smallest distance, in grey levels, over shifts of one pixel; the border is left out."""
    found = []
    for y in (-1, 0, 1):
        for x in (-1, 0, 1):
            moved = np.roll(others, (y, x), axis=(1, 2))
            gap = (images - moved)[:, 1:-1, 1:-1]
            found.append(np.sqrt((gap**2).mean(axis=(1, 2))))
    return np.min(found, axis=0)


def test_a_near_duplicate_keeps_the_black_background():
    image = np.zeros((28, 28), np.uint8)
    image[10:18, 9:19] = 200
    copy = near_copy(np.random.default_rng(0), image)
    assert (copy > 0).sum() == (image > 0).sum()
    assert not np.array_equal(copy, image)


def test_a_fifth_of_the_pool_and_no_test_image_has_no_class():
    images = made("fashion-outside")
    assert images.outside / len(images.pool) == pytest.approx(0.2)
    assert (images.test.labels >= 0).all()


def test_patches_of_pool_and_test_part_do_not_overlap():
    blocks = [(r, c) for r in range(5) for c in range(8)]
    assert sum(is_test_block(*block) for block in blocks) == 10
    # Each row and each column of blocks has both kinds.
    for axis in (0, 1):
        for k in {block[axis] for block in blocks}:
            kinds = {is_test_block(*block) for block in blocks if block[axis] == k}
            assert kinds == {True, False}


# ------------------------------------------------------------------------------------- the values


def small(seed: int, count: int = 6) -> LabelledImages:
    images = np.random.default_rng(seed).integers(0, 256, (count, 4, 5), dtype=np.uint8)
    return LabelledImages.originals(images, np.arange(count) % 2)


def test_parts_that_share_images_are_refused():
    one, other = small(0), small(1)
    CollectionImages(one, other)
    shared = LabelledImages.originals(
        np.concatenate([other.images, one.images[:1]]), np.zeros(7, np.int64)
    )
    with pytest.raises(ValueError, match="share 1 images"):
        CollectionImages(one, shared)
    twice = LabelledImages.originals(np.concatenate([one.images] * 2), np.zeros(12, np.int64))
    with pytest.raises(ValueError, match="the same image twice"):
        CollectionImages(twice, other)


def test_the_content_hash_covers_pixels_and_shape():
    images = np.arange(12, dtype=np.uint8)
    flat = LabelledImages.originals(images.reshape(1, 3, 4), np.zeros(1, np.int64))
    tall = LabelledImages.originals(images.reshape(1, 4, 3), np.zeros(1, np.int64))
    assert flat.hashes() != tall.hashes()


def test_taking_rows_keeps_the_link_of_copy_and_original():
    part = replace(small(2), copy_of=np.array([-1, -1, -1, 1, -1, 0]))
    taken = part.take(np.array([5, 3, 1, 0]))
    assert taken.copy_of.tolist() == [3, 2, -1, -1]
    with pytest.raises(ValueError, match="without its original"):
        part.take(np.array([3, 4]))
