"""The images of a project, filtered, sorted and searched, page by page.

All pages of a list are as of the moment of its first page: whoever answers meanwhile, each image that is in
the list is on one page, once. What a page says of an image (its answer, for one) is of now.

Predictions are not shown of an image of the audit set before it has an answer: it must be answered without
a suggestion.

Dimensions used in this file
    N  images of the project
    M  images of a list
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int

from alworkbench.core.domain import Role
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.project.computed_for_lists import computed_for, groups_of
from alworkbench.project.gallery_page import (
    GalleryImage,
    GalleryPage,
    GalleryState,
    counted,
    describe,
)
from alworkbench.project.gallery_place import Place
from alworkbench.project.image_facts import FactsInMemory, FactsMoment, ImageFacts
from alworkbench.project.image_groups import ImageGroups, group_images
from alworkbench.project.image_matching import marked, matching, shown_rows, sort_key, values_of
from alworkbench.project.image_query import ImageQuery, Order
from alworkbench.project.image_scores import ImageScores, score_images, stored_scores
from alworkbench.project.map_regions import in_region
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from alworkbench.engines.engine import Engine
    from alworkbench.project.evidence import Evidence
    from alworkbench.project.evidence_images import EvidenceImages
    from alworkbench.project.feature_map import FeatureMap
    from alworkbench.project.image_similarity import Similarity
    from alworkbench.project.predictions import Predictions

PAGE = 96
"""Images of a page unless somebody says otherwise."""
MOST_OF_PAGE = 500
_LISTS = 8
"""Lists whose order is kept in memory, so that their further pages cost nothing."""


@dataclass(frozen=True, slots=True)
class _Listed:
    """A list: the images that match, in order."""

    facts: ImageFacts
    order: Int[np.ndarray, "M"]
    """Positions of the facts."""
    similarity: Float[np.ndarray, "N"] | None
    place: Place
    scores: ImageScores | None
    groups: ImageGroups | None


class Gallery:
    """Lists images. Plain filters read no features and load no tensors."""

    def __init__(
        self,
        session: Session,
        predictions: Callable[[], Predictions],
        evidence: Callable[[], Evidence],
    ) -> None:
        """Both are functions, so that lists without predictions load no model."""
        self._session = session
        self._predictions = predictions
        self._evidence = evidence
        self.facts = FactsInMemory()
        self._lists: OrderedDict[tuple[object, ...], _Listed] = OrderedDict()

    @cached_property
    def similarity(self) -> Similarity:
        """The search by text and by image."""
        from alworkbench.project.image_similarity import Similarity

        return Similarity(self._session)

    @cached_property
    def map(self) -> FeatureMap:
        """Where each image lies on a map of the features."""
        from alworkbench.project.feature_map import FeatureMap

        return FeatureMap(self._session)

    def page(
        self,
        query: ImageQuery | None = None,
        cursor: str | None = None,
        *,
        start: int | None = None,
        limit: int = PAGE,
        person: str | None = None,
    ) -> GalleryPage:
        """Up to `limit` images of a list, from its beginning or from where a cursor of it says.

        `start` is another place of the same list, counted from 0. Flags and notes are those that the `person`
        may see (None: a script, which sees all; see `notes`). Raises InvalidImageQuery, UnknownClass,
        UnknownRound, NotComputed, GalleryChanged where what the cursor was made with is gone, and for a
        search FeaturesMissing and UnknownEncoder.
        """
        with self._reading(query or ImageQuery(), cursor, person) as (reader, listed):
            first = listed.place.start if start is None else max(0, start)
            at = listed.order[first : first + max(1, min(limit, MOST_OF_PAGE))]
            now, _ = self.facts.read(reader)
            images = describe(
                reader, now, listed.facts.ids[at].tolist(), listed.scores, listed.groups, person
            )
        if listed.similarity is not None:
            images = [
                replace(image, similarity=float(value))
                for image, value in zip(images, listed.similarity[at].tolist(), strict=True)
            ]
        after, total = first + len(at), len(listed.order)
        return GalleryPage(
            images=tuple(images),
            start=first,
            total=total,
            cursor=str(replace(listed.place, start=first)),
            next=str(replace(listed.place, start=after)) if after < total else None,
        )

    def selected(
        self, query: ImageQuery, cursor: str | None = None, person: str | None = None
    ) -> list[int]:
        """Ids of all images of a list, in its order; raises what `page` raises."""
        with self._reading(query, cursor, person) as (_, listed):
            return [int(each) for each in listed.facts.ids[listed.order].tolist()]

    def images(self, ids: Sequence[int], person: str | None = None) -> list[GalleryImage]:
        """The images with these ids as they are now, in this order. Raises NotInProject."""
        with self._session.store.read() as reader:
            facts, _ = self.facts.read(reader)
            scores = stored_scores(self._session.folder, reader.classes.current())
            return describe(reader, facts, ids, scores, self._groups(reader), person)

    def people(self) -> list[str]:
        """Names of all people whose answers count, sorted."""
        with self._session.store.read() as reader:
            facts, _ = self.facts.read(reader)
        return sorted(frozenset().union(*facts.people.values()))

    def predicted(self, ids: Sequence[int]) -> dict[int, int]:
        """Of these images, the class that lists show as the prediction: image id -> class id."""
        with self._session.store.read() as reader:
            facts, _ = self.facts.read(reader)
            scores = stored_scores(self._session.folder, reader.classes.current())
        if scores is None:
            return {}
        some = facts.at(facts.positions(ids))
        found = values_of(scores.likeliest(), shown_rows(some, scores), 0).astype(np.int64)
        pairs = zip(some.ids.tolist(), found.tolist(), strict=True)
        return {int(image): int(class_id) for image, class_id in pairs if class_id}

    def counts(
        self, query: ImageQuery | None = None, person: str | None = None
    ) -> dict[str, dict[str, int]]:
        """How many images of a list have each class as label, as prediction, and are in each cluster.

        The parts are `label`, `predicted` and `cluster`; the two last are empty where nothing was computed.
        """
        with self._reading(query or ImageQuery(), None, person) as (reader, listed):
            classes = reader.classes.current()
            groups = listed.groups or self._groups(reader)
            scores = listed.scores or stored_scores(self._session.folder, classes)
        return counted(listed.facts, listed.order, classes, scores, groups)

    def state(self) -> GalleryState:
        """What was computed for the images, and whether it is of the newest labels."""
        with self._session.store.read() as reader:
            classes, newest = reader.classes.current(), reader.computed.learner()
            scores = stored_scores(self._session.folder, classes)
            groups = self._groups(reader)
            encoder = reader.computed.encoder()
            images = sum(reader.images.count(role) for role in Role)
        texts = encoder is not None and not encoder.from_file
        return GalleryState.of(images, scores, groups, newest, encoder, texts)

    def columns(self, reader: Reader) -> tuple[ImageFacts, FactsMoment, ImageScores | None]:
        """What answers say of all images now, as of which moment, and the newest predictions."""
        facts, moment = self.facts.read(reader)
        return facts, moment, stored_scores(self._session.folder, reader.classes.current())

    def score(self, progress: Progress = silent, *, parts: bool = False) -> ImageScores:
        """Predict all images and store it; see `image_scores.score_images`."""
        return score_images(self._session, self._predictions(), progress, parts=parts)

    def group(self, progress: Progress = silent, *, engine: Engine | None = None) -> ImageGroups:
        """Compare all images with each other and store it; see `image_groups.group_images`."""
        return group_images(self._session, progress, engine=engine)

    # ------------------------------------------------------------------------------------ the list
    @contextmanager
    def _reading(
        self, query: ImageQuery, cursor: str | None, person: str | None
    ) -> Iterator[tuple[Reader, _Listed]]:
        """A list and the reader that sees it. What a model says is computed before: it takes long."""
        place = None if cursor is None else Place.read(cursor)
        source = query.filter.evidence
        evidence = None if source is None else self._evidence().images(source)
        with self._session.store.read() as reader:
            yield reader, self._listed(reader, query, place, evidence, person)

    def _listed(
        self,
        reader: Reader,
        query: ImageQuery,
        place: Place | None,
        evidence: EvidenceImages | None,
        person: str | None,
    ) -> _Listed:
        facts, moment = self.facts.read(reader, place.moment if place else None)
        classes = reader.classes.current()
        scores, groups = computed_for(self._session.folder, reader, query, place, classes)
        place = Place(
            moment,
            scores.number if scores else 0,
            groups.number if groups else 0,
            place.start if place else 0,
            place.notes if place else reader.notes.moment(),
        )
        key: tuple[object, ...] = (
            query,
            replace(place, start=0),
            classes.id,
            reader.images.mark(),
            evidence,
        )
        if query.filter.flagged or query.filter.noted:  # which of them the person sees
            asking = reader.rounds.current()
            key = (*key, person, asking.id if asking else None)
        known = self._lists.get(key)
        if known is not None:
            self._lists.move_to_end(key)
            return replace(known, place=place)
        fits = matching(reader, facts, query.filter, classes, scores, groups, evidence)
        fits &= marked(reader, facts, query.filter, place.notes, self._session.folder, person)
        if query.filter.region is not None:
            fits &= in_region(self.map, facts, query.filter.region)
        chosen = np.flatnonzero(fits)
        similarity = self._similarity(reader, facts, query)
        if similarity is not None and query.order is Order.SIMILARITY:
            chosen = chosen[~np.isnan(similarity[chosen])]  # without features
        by = sort_key(facts, query, classes, scores, groups, similarity)
        order = chosen if by is None else chosen[np.lexsort((chosen, by[chosen]))]
        if by is None and query.reverse:
            order = order[::-1]
        listed = self._lists[key] = _Listed(facts, order, similarity, place, scores, groups)
        while len(self._lists) > _LISTS:
            self._lists.popitem(last=False)
        return listed

    def _groups(self, reader: Reader) -> ImageGroups | None:
        return groups_of(self._session.folder, reader)

    def _similarity(
        self, reader: Reader, facts: ImageFacts, query: ImageQuery
    ) -> Float[np.ndarray, "N"] | None:
        """Of each image with what is searched for; NaN without features."""
        if query.text is None and not query.like:
            return None
        search = self.similarity
        found = search.to_text(query.text) if query.text else search.to_images(query.like)
        return values_of(found, search.rows(facts.keys), np.nan)
