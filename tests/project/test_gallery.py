"""Lists of images: filters against a plain twin, order, pages as of one moment, searches, what is hidden."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import normalize

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    Image,
    Label,
    Role,
    counting_opinions,
    deciding_label,
)
from alworkbench.core.errors import (
    GalleryChanged,
    InvalidImageQuery,
    NotComputed,
    UnknownClass,
    UnknownEncoder,
    UnknownRound,
)
from alworkbench.project import most_similar as comparison
from alworkbench.project.gallery import Gallery
from alworkbench.project.gallery_files import numbers, path_of
from alworkbench.project.gallery_page import GalleryImage
from alworkbench.project.image_facts import FactsInMemory
from alworkbench.project.image_query import (
    Against,
    Answered,
    ImageFilter,
    ImageQuery,
    Order,
    read_query,
)
from alworkbench.project.image_scores import stored_scores
from alworkbench.project.most_similar import most_similar
from alworkbench.project.workbench import Workbench
from tests.engines.inline_engine import InlineEngine
from tests.making_project import NAMES, Project, closing, copied
from tests.project.gallery_making import all_images, answer_at_random


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory, kept_project: Project) -> Iterator[Workbench]:
    """With a closed round, many answers, predictions and comparisons. Tests may only add answers."""
    project = copied(kept_project, tmp_path_factory.mktemp("gallery") / "project")
    with closing(project.open()) as workbench:
        workbench.rounds.propose("random", 6)
        with workbench.session.store.write() as writer:
            given = [la for la in writer.labels.all() if la.annotator == "manifest"]
            backs = {label.id: f"back-{label.id}" for label in given[::2]}
            writer.labels.retract_many(backs, "manifest", workbench.session.now())
        answer_at_random(workbench, 60, 1)
        workbench.rounds.close(force=True)
        workbench.gallery.score(parts=True)
        workbench.gallery.group()
        yield workbench


ORDERS = [each for each in Order if each is not Order.SIMILARITY]
MAYBE = st.one_of
FILTERS = st.fixed_dictionaries(
    {
        "role": MAYBE(st.none(), st.sampled_from(Role)),
        "answered": MAYBE(st.none(), st.sampled_from(Answered)),
        "classes": st.sampled_from([(), (), (NAMES[0],), NAMES[1:3]]),
        "round": st.sampled_from([None, None, 1]),
        "person": st.sampled_from([None, None, "ada", "nobody"]),
        "predicted": st.sampled_from([(), (), (NAMES[0],), NAMES[2:]]),
        "suggestion": MAYBE(st.none(), st.sampled_from(Against)),
        "prediction": MAYBE(st.none(), st.sampled_from(Against)),
        "least_uncertainty": st.sampled_from([None, None, 0.5]),
        "most_uncertainty": st.sampled_from([None, None, 1.0]),
        "disagreement": st.sampled_from([False, False, True]),
        "near": st.sampled_from([None, None, 0.8]),
        "cluster": st.sampled_from([None, None, 1, 2]),
    }
)


def query_of(wanted: ImageFilter, order: Order, reverse: bool = False) -> ImageQuery:
    return ImageQuery(wanted, order, NAMES[0] if order is Order.PROBABILITY else None, reverse)


def whole(gallery: Gallery, query: ImageQuery, limit: int = 500) -> list[GalleryImage]:
    """All images of a list, page after page."""
    found, cursor = [], None
    while True:
        page = gallery.page(query, cursor, limit=limit)
        assert page.start == len(found)
        found.extend(page.images)
        cursor = page.next
        if cursor is None:
            assert len(found) == page.total
            return found


def meets(
    wanted: ImageFilter, image: Image, opinions: list[Label], shown: GalleryImage, asked: set[int]
) -> bool:
    """The plain twin: one image, its opinions, and what its page says of predictions and comparisons."""
    counting = counting_opinions(opinions)
    label = deciding_label(counting) if counting else None
    name_of = {i + 1: name for i, name in enumerate(NAMES)}
    own = name_of.get(label.class_id) if label and label.class_id else None
    conditions = [
        wanted.role in (None, image.role),
        wanted.answered in (None, Answered.NO) if label is None else wanted.answered in (
            None, Answered.YES, Answered(label.kind.value)
        ),
        not wanted.classes or own in wanted.classes,
        wanted.round is None or image.id in asked,
        wanted.person is None or wanted.person in {each.annotator for each in counting},
        not wanted.disagreement
        or len({each.class_id for each in counting if each.class_id is not None}) > 1,
        not wanted.predicted or shown.predicted_name in wanted.predicted,
        wanted.near is None or (shown.near or -1) >= wanted.near,
        wanted.cluster in (None, shown.cluster),
        wanted.least_uncertainty is None
        or (shown.entropy is not None and shown.entropy >= wanted.least_uncertainty),
        wanted.most_uncertainty is None
        or (shown.entropy is not None and shown.entropy <= wanted.most_uncertainty),
    ]  # fmt: skip
    for against, said in (
        (wanted.suggestion, name_of.get(label.suggested_class_id or 0) if label else None),
        (wanted.prediction, shown.predicted_name),
    ):
        if against is not None:
            both = said is not None and own is not None
            conditions.append(both and ((said == own) is (against is Against.AGREES)))
    return all(conditions)


@settings(max_examples=40)
@given(values=FILTERS, order=st.sampled_from(ORDERS), reverse=st.booleans())
def test_a_list_has_the_images_that_meet_all_conditions(
    full: Workbench, values: dict[str, Any], order: Order, reverse: bool
) -> None:
    wanted = ImageFilter(**values)
    everything = {image.id: image for image in whole(full.gallery, ImageQuery())}
    with full.session.store.read() as reader:
        images = reader.images.some(all_images(full))
        opinions = reader.labels.opinions_of([image.id for image in images])
        asked = set(reader.rounds.images(reader.rounds.all()[0].id))
    expected = {
        image.id
        for image in images
        if meets(wanted, image, opinions.get(image.id, []), everything[image.id], asked)
    }
    found = [image.id for image in whole(full.gallery, query_of(wanted, order, reverse), 30)]
    assert len(found) == len(set(found))
    assert set(found) == expected


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("order", ORDERS)
def test_a_list_is_in_order_and_images_without_a_value_are_last(
    full: Workbench, order: Order, reverse: bool
) -> None:
    scores = stored_scores(full.session.folder, full.classes.current())
    assert scores is not None
    found = whole(full.gallery, query_of(ImageFilter(), order, reverse))
    with full.session.store.read() as reader:
        newest = {
            image: max(each.id for each in counting_opinions(labels))
            for image, labels in reader.labels.opinions_of([each.id for each in found]).items()
        }
        facts, _ = FactsInMemory().read(reader)
    row = dict(zip(facts.ids.tolist(), scores.rows(facts.keys).tolist(), strict=True))

    def value(image: GalleryImage) -> float:
        if order is Order.IMPORTED:
            return image.id
        if order is Order.ANSWERED:
            return -newest[image.id] if image.id in newest else math.nan
        if order is Order.NEAR:
            return -(image.near or 0.0)
        if image.predicted_id is None:
            return math.nan
        if order is Order.PROBABILITY:
            return -float(scores.probability(1)[row[image.id]])
        name = "entropy" if order is Order.UNCERTAINTY else order.value
        sign = 1 if order is Order.MARGIN else -1
        return sign * float(scores.column(name)[row[image.id]])

    values = [(-1 if reverse else 1) * value(image) for image in found]
    there = [each for each in values if not math.isnan(each)]
    assert there == sorted(there)
    assert all(math.isnan(each) for each in values[len(there) :])


@settings(max_examples=6)
@given(order=st.sampled_from(ORDERS), values=FILTERS, seed=st.integers(0, 99))
def test_pages_are_as_of_their_first_whoever_answers_meanwhile(
    full: Workbench, order: Order, values: dict[str, Any], seed: int
) -> None:
    gallery, query = full.gallery, query_of(ImageFilter(**values), order)
    expected = [image.id for image in whole(gallery, query)]
    page, found = gallery.page(query, limit=16), []
    while True:
        found += [image.id for image in page.images]
        answer_at_random(full, 3, seed)
        if page.next is None:
            break
        # Another server, or one that was started again, goes on with the same list.
        gallery = Gallery(full.session, lambda: full.predictions, lambda: full.audit.evidence)
        page = gallery.page(query, page.next, limit=16)
    assert found == expected


def test_any_part_of_a_list_can_be_read_from_its_cursor(full: Workbench) -> None:
    query = query_of(ImageFilter(), Order.UNCERTAINTY)
    first = full.gallery.page(query, limit=3)
    all_of_them = whole(full.gallery, query)
    answer_at_random(full, 5, 7)
    later = full.gallery.page(query, first.cursor, start=20, limit=4)
    assert [each.id for each in later.images] == [each.id for each in all_of_them[20:24]]
    assert full.gallery.page(query, first.cursor, start=10_000).images == ()


def test_facts_kept_up_to_date_are_those_read_anew(full: Workbench) -> None:
    kept = FactsInMemory()
    for seed in range(5):
        with full.session.store.read() as reader:
            one, other = kept.read(reader), FactsInMemory().read(reader)
        assert one[1] == other[1]
        for name in ("ids", "keys", "role", "answer", "newest", "differ", "suggested"):
            assert (getattr(one[0], name) == getattr(other[0], name)).all()
        assert one[0].people == other[0].people
        answer_at_random(full, 10, seed)


def test_an_unanswered_image_of_the_audit_set_shows_no_prediction(full: Workbench) -> None:
    images = whole(full.gallery, ImageQuery())
    hidden = [each for each in images if each.role is Role.AUDIT and each.answer is None]
    assert hidden
    assert all(each.predicted_id is None and each.entropy is None for each in hidden)
    assert all(each.predicted_id is not None for each in images if each not in hidden)
    by_class = whole(full.gallery, query_of(ImageFilter(predicted=NAMES), Order.IMPORTED))
    assert {each.id for each in hidden}.isdisjoint(each.id for each in by_class)


def test_a_page_says_what_counts_now(full: Workbench) -> None:
    page = full.gallery.page(limit=1)
    image = page.images[0]
    for person in (*image.people, "dan"):
        full.labels.record(Answer(f"now-{person}", image.id, AnswerKind.CLASS, person, class_id=2))
    again = full.gallery.page(ImageQuery(), page.cursor, limit=1).images[0]
    assert (again.class_name, again.differ) == (NAMES[1], False)
    assert again.people == tuple(sorted({*image.people, "dan"}))


def test_images_like_one_are_those_of_the_largest_cosine(full: Workbench) -> None:
    some = full.gallery.page(limit=2).images
    engine = full.session.engine()
    table = engine.table()
    embedded = normalize(engine.head.embed_images(table.gather(torch.arange(len(table)))), dim=-1)
    for like in ((some[0].hash,), (some[0].hash, some[1].hash)):
        query = ImageQuery(order=Order.SIMILARITY, like=like)
        found = whole(full.gallery, query)
        wanted = normalize(embedded[table.rows_of(list(like))].mean(dim=0), dim=-1)
        exact = (embedded @ wanted)[table.rows_of([each.hash for each in found])]
        given_ = torch.tensor([each.similarity for each in found])
        assert torch.allclose(given_, exact, atol=2e-3)
        assert (given_.diff() <= 0).all()
    assert found[0].similarity is not None


def test_a_project_from_a_features_file_says_that_it_reads_no_texts(full: Workbench) -> None:
    assert not full.gallery.state().texts
    with pytest.raises(UnknownEncoder, match="no model can encode a text"):
        full.gallery.page(ImageQuery(order=Order.SIMILARITY, text="an ant"))


def test_the_nearest_image_is_that_of_the_largest_whitened_cosine(full: Workbench) -> None:
    table = full.session.engine().table()
    rows = torch.arange(len(table))
    near, nearest = most_similar(table, rows)
    from alworkbench.features.whitening import Whitening

    whitened = torch.cat(list(Whitening.of(table, rows).directions(table, rows)))
    cosines = whitened @ whitened.T
    cosines.fill_diagonal_(-2)
    assert np.allclose(near, cosines.max(dim=1).values.numpy(), atol=1e-5)
    assert (nearest == cosines.argmax(dim=1).numpy()).all()
    assert most_similar(table, rows[:1])[0].tolist() == [0]


def test_workers_find_the_same_nearest_images(
    full: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same bits, from runs of blocks; no features are sent."""
    monkeypatch.setattr(comparison, "_BLOCK", 5)
    monkeypatch.setattr("alworkbench.features.whitening.PART_ROWS", 24)
    threads, engine = torch.get_num_threads(), InlineEngine()
    torch.set_num_threads(1)
    table = full.session.engine().table()
    rows = torch.arange(len(table)).flip(0)
    kept = most_similar(table, rows)
    monkeypatch.setattr(comparison, "_KEPT_NUMBERS", 0)
    for found in (most_similar(table, rows), most_similar(table, rows, engine=engine)):
        assert [(one == other).all() for one, other in zip(found, kept, strict=True)] == [True] * 2
    assert engine.groups == -(-len(rows) // 24) + -(-len(rows) // 5)
    assert engine.sent / engine.groups < 300
    monkeypatch.setattr(comparison, "_GROUPS", 4)  # groups of several blocks
    for chosen in (None, engine):
        larger = most_similar(table, rows, engine=chosen)
        assert all((one == other).all() for one, other in zip(larger, kept, strict=True))
    torch.set_num_threads(threads)


def test_clusters_are_numbered_by_size_and_found_again(full: Workbench) -> None:
    first = full.gallery.counts()["cluster"]
    assert sum(first.values()) == len(all_images(full))
    assert list(first.values()) == sorted(first.values(), reverse=True)
    full.gallery.group()
    assert full.gallery.counts()["cluster"] == first


def test_what_was_not_computed_says_how_to_get_it(workbench: Workbench) -> None:
    for order in (Order.UNCERTAINTY, Order.MARGIN):
        with pytest.raises(NotComputed, match="alworkbench gallery score"):
            workbench.gallery.page(query_of(ImageFilter(), order))
    with pytest.raises(NotComputed, match="alworkbench gallery group"):
        workbench.gallery.page(ImageQuery(ImageFilter(near=0.9)))
    workbench.gallery.score()
    assert workbench.gallery.page(query_of(ImageFilter(), Order.MARGIN)).total == 64
    with pytest.raises(NotComputed, match="score --uncertainty"):
        workbench.gallery.page(query_of(ImageFilter(), Order.EPISTEMIC))


def test_a_list_goes_on_until_its_predictions_are_gone(workbench: Workbench) -> None:
    gallery = workbench.gallery
    gallery.score()
    query = query_of(ImageFilter(), Order.MARGIN)
    page = gallery.page(query, limit=5)
    gallery.score()
    assert gallery.page(query, page.next, limit=5).images  # the former predictions are kept
    gallery.score()
    assert len(numbers(workbench.session.folder, "scores")) == 2
    with pytest.raises(GalleryChanged):
        gallery.page(query, page.next)
    plain = gallery.page(limit=5)
    for _ in range(2):
        gallery.score()
    assert gallery.page(ImageQuery(), plain.next).images  # they sorted nothing


def test_a_damaged_file_counts_as_not_computed(workbench: Workbench) -> None:
    workbench.gallery.score()
    path_of(workbench.session.folder, "scores", 1).write_bytes(b"damaged")
    assert not workbench.gallery.state().predicted
    with pytest.raises(NotComputed):
        workbench.gallery.page(query_of(ImageFilter(), Order.MARGIN))
    assert workbench.gallery.score().number == 2


def test_names_that_the_project_does_not_have_are_refused(full: Workbench) -> None:
    with pytest.raises(UnknownClass, match="'owl'"):
        full.gallery.page(ImageQuery(ImageFilter(classes=("owl",))))
    with pytest.raises(UnknownClass, match="'owl'"):
        full.gallery.page(ImageQuery(order=Order.PROBABILITY, of="owl"))
    with pytest.raises(UnknownRound):
        full.gallery.page(ImageQuery(ImageFilter(round=9)))


@pytest.mark.parametrize(
    "given_",
    [
        {"filter": {"colour": "red"}},
        {"filter": []},
        {"filter": {"role": "test"}},
        {"filter": {"near": "much"}},
        {"filter": {"near": float("nan")}},
        {"filter": {"cluster": True}},
        {"filter": {"classes": "ant"}},
        {"order": "beauty"},
        {"order": "probability"},
        {"order": "similarity"},
        {"order": "similarity", "text": "a", "like": ["0" * 64]},
        {"like": ["short"]},
        {"text": "x" * 501},
        {"reverse": "yes"},
        {"limit": 5},
    ],
)
def test_a_query_that_is_not_understood_is_refused(given_: dict[str, object]) -> None:
    with pytest.raises(InvalidImageQuery, match="cannot be listed so"):
        read_query(given_)


@pytest.mark.parametrize("cursor", ["", "1", "1.2.3.4.5", "a.b.c.d.e@f", "1.2.3.4.5@-1", "9" * 500])
def test_a_cursor_that_no_page_gave_is_refused(full: Workbench, cursor: str) -> None:
    with pytest.raises(InvalidImageQuery):
        full.gallery.page(ImageQuery(), cursor)
