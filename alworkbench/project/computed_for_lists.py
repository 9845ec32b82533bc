"""What was computed for the images of a project and what of it a list of the gallery uses."""

from __future__ import annotations

from alworkbench.core.domain import ClassList, ProjectFolder
from alworkbench.core.errors import GalleryChanged, NotComputed
from alworkbench.core.ports import Reader
from alworkbench.project.gallery_place import Place
from alworkbench.project.image_groups import ImageGroups, stored_groups
from alworkbench.project.image_query import ImageQuery, Order
from alworkbench.project.image_scores import ImageScores, stored_scores

PREDICTIONS = ("stored predictions of all images", "score")
PARTS = ("the parts of the uncertainty of all images", "score --uncertainty")
COMPARISON = ("a comparison of all images", "group")


def computed_for(
    folder: ProjectFolder,
    reader: Reader,
    query: ImageQuery,
    place: Place | None,
    classes: ClassList,
) -> tuple[ImageScores | None, ImageGroups | None]:
    """The predictions and the comparison that a list uses: the newest, or those of its first page.

    Raises NotComputed where the list needs what was never computed, and GalleryChanged where it needs what
    its first page was made with and what is gone.
    """
    scores = stored_scores(folder, classes, (place and place.scores) or None)
    groups = groups_of(folder, reader, (place and place.groups) or None)
    if place and place.scores and scores is None:
        if query.asks_predictions:
            raise GalleryChanged
        scores = stored_scores(folder, classes)  # they are shown, and sort nothing
    if place and place.groups and groups is None:
        if query.asks_groups:
            raise GalleryChanged
        groups = groups_of(folder, reader)
    if query.asks_predictions and scores is None:
        raise NotComputed(*PREDICTIONS)
    if query.order is Order.EPISTEMIC and not (scores and scores.has_parts):
        raise NotComputed(*PARTS)
    if query.asks_groups and groups is None:
        raise NotComputed(*COMPARISON)
    return scores, groups


def groups_of(
    folder: ProjectFolder, reader: Reader, number: int | None = None
) -> ImageGroups | None:
    """The comparison of the images with this number, or the newest one; None where there is none."""
    encoder = reader.computed.encoder()
    return stored_groups(folder, encoder.id, number) if encoder else None
