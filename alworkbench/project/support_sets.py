"""Support sets: k labelled images per class, chosen for a target, with a manifest.

For each class, `nearest` chooses the labelled images that represent the target images of that class best.
It chooses one image after the other; each makes the target images nearest to the chosen images,

    minimise over S, |S| = k      sum_j p_jc min_{i in S} W2(i, j)

(facility location; greedy is within 1 - 1/e of the best: Nemhauser, Wolsey & Fisher 1978), with p_jc
the learner's calibrated probability of class c for target j, and W2 the 2-Wasserstein distance of the two
images' embeddings under the posterior of the zero-shot model. The second of two near-copies brings no
target image nearer and is not chosen. `asked` takes the first k labels of each
class in the order of labelling.

Dimensions used in this file
    n  labelled images of one class
    M  target images
    D  embedding size
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.atomic_files import write_atomically
from alworkbench.core.domain import Calibration, Role
from alworkbench.core.errors import (
    FolderNotEmpty,
    InvalidLabelFile,
    NothingToImport,
    UnreadableSource,
)
from alworkbench.inputs.formula_guard import harmless
from alworkbench.inputs.picture import Undecodable, content_hash, read_bytes
from alworkbench.posterior.predictive import wasserstein_coordinates
from alworkbench.project.batch_estimate import TARGETS
from alworkbench.project.calibration import CalibratedLearner
from alworkbench.project.kept_targets import TargetSet
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.predictions import Predictions
from alworkbench.project.session import Session, resolve, some_of
from alworkbench.project.support_manifest import FORMAT, NAME, Origin, read_origin
from alworkbench.project.taught_labels import taught_labels

_BRING_BACK = "Restore the file, or import it from its new place: `alworkbench import FOLDER`."
COLUMNS = ("path", "label", "sha256", "rank", "distance")


class Order(StrEnum):
    """How the images of a class are ranked."""

    NEAREST = "nearest"
    ASKED = "asked"


@dataclass(frozen=True, slots=True)
class SupportImage:
    """An image of a support set."""

    path: str
    label: str
    sha256: str
    rank: int
    """In its class, from 1. The first m images of each class are the support set for k = m."""
    distance: float | None
    """Mean 2-Wasserstein distance from the target images to the nearest image up to this rank, weighted
    by the learner's probability of the class. None for the order `asked`."""


@dataclass(frozen=True, slots=True)
class SupportSet:
    """k labelled images for each class."""

    images: tuple[SupportImage, ...]
    """Class by class in the order of the list, each by rank."""
    classes: tuple[str, ...]
    per_class: int
    """k, as requested."""
    order: Order
    targets: str | None
    """Name of the target set; None: the pool itself."""
    origin: Origin
    calibration: Calibration | None
    """Of the probabilities that weigh the target images; None for the order `asked`, which uses none."""

    @property
    def missing(self) -> dict[str, int]:
        """Class -> number of images that are missing to k, for classes that have fewer."""
        found = dict.fromkeys(self.classes, 0)
        for image in self.images:
            found[image.label] += 1
        return {name: self.per_class - n for name, n in found.items() if n < self.per_class}


class SupportSets:
    """Chooses labelled images of the pool."""

    def __init__(self, session: Session, posteriors: Posteriors, predictions: Predictions) -> None:
        self._session = session
        self._posteriors = posteriors
        self._predictions = predictions

    def choose(
        self, per_class: int, order: Order = Order.NEAREST, targets: TargetSet | None = None
    ) -> SupportSet:
        """Choose `per_class` labelled images of each class; fewer where a class has fewer.

        Raises NothingToImport before any label, FeaturesMissing, PosteriorMissing, and ValueError for
        less than one image per class.
        """
        if per_class < 1:
            raise ValueError(f"a support set needs at least one image per class, found {per_class}")
        with self._session.store.read() as reader:
            classes = reader.classes.current()
            taught = taught_labels(reader, classes)
            origin = read_origin(reader, self._session.engine().encoder_id)
            place = {
                image: (content, path)
                for (image, content), (_, path) in zip(
                    reader.images.ids_and_hashes(Role.POOL),
                    reader.images.hashes_and_paths(Role.POOL),
                    strict=True,
                )
            }
        if not taught.images:
            raise NothingToImport(
                "No image of the pool has a label yet, so no support set can be chosen. "
                "Label images with `alworkbench serve`, or record labels with `alworkbench label`."
            )
        by_class: list[list[int]] = [[] for _ in classes.classes]
        for image, index in zip(taught.images, taught.classes, strict=True):
            by_class[index].append(image)
        hashes = [[place[image][0] for image in images] for images in by_class]
        calibration = None
        if order is Order.ASKED:
            chosen: list[list[tuple[int, float | None]]] = [
                [(at, None) for at in range(min(per_class, len(images)))] for images in by_class
            ]
        else:
            wanted = self._sample_of_pool() if targets is None else targets.hashes
            predicting = self._predictions.newest()
            calibration = predicting.calibration
            chosen = self._nearest(hashes, wanted, per_class, predicting)
        images = tuple(
            SupportImage(
                str(resolve(self._session.folder, place[by_class[index][at]][1])),
                c.name,
                hashes[index][at],
                rank,
                distance,
            )
            for index, c in enumerate(classes.classes)
            for rank, (at, distance) in enumerate(chosen[index], 1)
        )
        name = None if targets is None else targets.name
        return SupportSet(images, classes.names, per_class, order, name, origin, calibration)

    def _sample_of_pool(self) -> list[str]:
        """Content hashes of a random sample of the pool, fixed by the project's seed."""
        with self._session.store.read() as reader:
            hashes = [content for _, content in reader.images.ids_and_hashes(Role.POOL)]
            seed = reader.settings().seed
        known = self._session.engine().table().has(hashes)
        usable = [content for content, has in zip(hashes, known, strict=True) if has]
        return [usable[row] for row in some_of(range(len(usable)), TARGETS, seed)]

    def _nearest(
        self,
        hashes: Sequence[Sequence[str]],
        wanted: Sequence[str],
        per_class: int,
        learner: CalibratedLearner,
    ) -> list[list[tuple[int, float | None]]]:
        """For each class, positions in its images, each with the mean distance that is left after it."""
        engine = self._session.engine()
        table, posterior = engine.table(), self._posteriors.newest()

        def coordinates(names: Sequence[str]) -> tuple[Tensor, Tensor]:
            features = table.gather(table.rows_of(names), engine.device)
            alpha = posterior.image.quadratic(features.activations)
            embeddings = engine.head.embed_images(features)
            points = wasserstein_coordinates(posterior, embeddings, alpha)
            return points.double().cpu(), learner.probabilities(features).double().cpu()

        points, probabilities = coordinates(wanted)
        return [
            list(cover(coordinates(own)[0], points, probabilities[:, index], per_class))
            if own
            else []
            for index, own in enumerate(hashes)
        ]


def cover(
    candidates: Float[Tensor, "n D"],
    targets: Float[Tensor, "M D"],
    weights: Float[Tensor, "M"],
    count: int,
) -> Iterator[tuple[int, float]]:
    """Greedy facility location: up to `count` candidates, each with the mean distance left after it."""
    distances = torch.cdist(candidates, targets)  # n M
    share = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
    left = torch.full_like(distances[0], torch.inf)  # M: to the nearest of those chosen
    free = torch.ones(len(candidates), dtype=torch.bool)
    for _ in range(min(count, len(candidates))):
        after = torch.minimum(distances, left) @ share  # n
        best = int(torch.where(free, after, torch.inf).argmin())
        left = torch.minimum(left, distances[best])
        free[best] = False
        yield best, float(after[best])


def write_support(path: Path, found: SupportSet) -> None:
    """Write the set as a manifest (.csv or .json) with the paths of the pictures, or as a folder.

    A folder gets copies of the pictures, support.json, and a manifest.csv with paths inside the folder,
    which `alworkbench import` reads. Raises InvalidLabelFile for another kind of file, FolderNotEmpty,
    UnreadableSource for a picture that is missing or was changed.
    """
    if path.suffix in (".csv", ".json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = _json(found) if path.suffix == ".json" else _csv(found)
        write_atomically(path, text.encode())
        return
    if path.suffix and not path.is_dir():
        raise InvalidLabelFile(
            f"A support set can be a .csv file, a .json file or a folder, not {path.suffix!r}. "
            f"Name the file support.csv, for example."
        )
    if path.exists() and any(path.iterdir()):
        raise FolderNotEmpty(path, "support set")
    (path / "images").mkdir(parents=True)
    moved = replace(
        found, images=tuple(replace(each, path=_copied(each, path)) for each in found.images)
    )
    write_atomically(path / NAME, _json(moved).encode())
    write_atomically(path / "manifest.csv", _csv(moved).encode())


def _copied(image: SupportImage, folder: Path) -> str:
    """Copy a picture, checked; its place in the folder."""
    source = Path(image.path)
    try:
        data = read_bytes(source)
    except Undecodable as error:
        raise UnreadableSource(f"{source}: {error.detail}. {_BRING_BACK}") from error
    if content_hash(data) != image.sha256:
        raise UnreadableSource(f"{source}: its content changed since the import. {_BRING_BACK}")
    place = f"images/{image.sha256}{source.suffix.lower()}"
    write_atomically(folder / place, data)
    return place


def _json(found: SupportSet) -> str:
    data = {
        "format": FORMAT,
        **asdict(found.origin),
        "order": found.order,
        "targets": found.targets,
        "per_class": found.per_class,
        "classes": found.classes,
        "missing": found.missing,
        "calibration": None if found.calibration is None else found.calibration.words,
        "images": [asdict(image) for image in found.images],
    }
    return json.dumps(data, indent=1, ensure_ascii=False)


def _csv(found: SupportSet) -> str:
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS)
    writer.writeheader()
    for image in found.images:
        row: dict[str, Any] = asdict(image)
        writer.writerow({name: harmless(row[name]) for name in COLUMNS})
    return stream.getvalue()
