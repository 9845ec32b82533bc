"""Thumbnails of the images that a simulation asked, loaded from the origin of its data."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import PIL.Image

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import DataError, LoopError, WorkbenchError
from alworkbench.datasets.collections import find_collection
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes, read_image
from alworkbench.project.workbench import Workbench
from alworkbench.report.page import Thumbnails
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.image_data import folder_of_images
from alworkbench.simulation.load.origin import (
    COLLECTION,
    FEATURES,
    IMAGES,
    PROJECT,
    Origin,
    opened_project,
    read_origin,
)
from alworkbench.simulation.results import SimulationResult

SIDE = 112
"""Pixels a side. The page shows half as many, for screens with two pixels to one."""


@contextmanager
def thumbnails_of(
    result: SimulationResult, project: Path, context: LoadContext
) -> Iterator[Thumbnails | str]:
    """PNG by content hash, or a sentence that says why there is none.

    A result inside the folder `project` is of its images, even if the project was moved since.
    """
    origin = read_origin(result)
    folder = ProjectFolder(project)
    inside = result.folder.resolve().is_relative_to(folder.simulations.resolve())
    if inside and folder.holds_project:
        origin = Origin(PROJECT, str(project))
    if origin is None:
        yield "No images are shown: the result does not name the origin of its data."
        return
    try:
        if origin.kind == COLLECTION:
            yield _of_collection(origin.place, context)
            return
        if origin.kind == FEATURES:
            yield _of_features(Path(origin.place))
            return
        if origin.kind == IMAGES:
            place = folder_of_images(
                Path(origin.place),
                None if origin.test is None else Path(origin.test),
                origin.encoder or "bundled",
                context.cache,
            )
            if not place.holds_project:
                yield (
                    f"No images are shown: {origin.place} was changed since, or the simulation ran with "
                    f"another cache (--cache)."
                )
                return
            origin = replace(origin, place=str(place.path))
        elif not ProjectFolder(Path(origin.place)).holds_project:
            yield f"No images are shown: the project {origin.place} does not exist any more."
            return
    except WorkbenchError as error:
        yield f"No images are shown. {error}"
        return
    with opened_project(origin, context) as workbench:
        yield lambda content: of_project(workbench, content)


def png_of(picture: PIL.Image.Image) -> bytes:
    """PNG with at most SIDE pixels a side. Small pictures are enlarged without smoothing, to keep their
    pixels."""
    largest = max(picture.size)
    if largest > SIDE:
        picture.thumbnail((SIDE, SIDE))
    elif (times := SIDE // largest) > 1:
        size = (picture.width * times, picture.height * times)
        picture = picture.resize(size, PIL.Image.Resampling.NEAREST)
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def of_project(workbench: Workbench, content: str) -> bytes | None:
    """Thumbnail of an image of a project; None if its file does not exist any more."""
    try:
        return png_of(read_image(workbench.images.display(content).data))
    except (DataError, LoopError):
        return None


def _of_collection(name: str, context: LoadContext) -> Thumbnails:
    """Thumbnails of a collection. Raises UnknownCollection, and UnreadableSource if it cannot be made."""
    pool = find_collection(name).make(progress=context.progress).pool
    row_of = {content: row for row, content in enumerate(pool.hashes())}

    def picture(content: str) -> bytes | None:
        row = row_of.get(content)
        return None if row is None else png_of(PIL.Image.fromarray(pool.images[row]))

    return picture


def _of_features(path: Path) -> Thumbnails | str:
    """Thumbnails from the paths in a features file, relative to it. Raises InvalidFeatureFile."""
    file = read_feature_file(path)
    if file.paths is None:
        return f"No images are shown: {path.name} holds features without paths of images."
    names = file.hashes or file.paths
    # A simulation identifies rows by the digest of their name.
    found = {
        hashlib.sha256(name.encode()).hexdigest(): (
            path.parent / place,
            name if file.hashes else None,
        )
        for name, place in zip(names, file.paths, strict=True)
    }

    def picture(content: str) -> bytes | None:
        place, promised = found.get(content, (None, None))
        if place is None:
            return None
        try:
            data = read_bytes(place)
            if promised is not None and content_hash(data) != promised:
                return None
            return png_of(read_image(data))
        except Undecodable:
            return None

    return picture
