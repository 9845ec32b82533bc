"""Where the data of a result came from, kept with it, so that a replay finds them and a report shows them.

`data_of` makes the data again by the code that a simulation takes them from in the first place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import NotReplayable
from alworkbench.core.ports import Store
from alworkbench.core.progress import Progress, silent
from alworkbench.datasets.sample import bundled_sample
from alworkbench.features.feature_file import read_feature_file
from alworkbench.inputs.archives import unpack
from alworkbench.inputs.sources import MANIFEST
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.config import Request
from alworkbench.simulation.dataset import LabelledPictures, SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.sources import (
    Stores,
    data_of_features,
    data_of_images,
    data_of_project,
    truth_of_manifest,
)
from alworkbench.simulation.results import SimulationResult

COLLECTION, IMAGES, FEATURES, PROJECT = "collection", "images", "features", "project"
KINDS = (COLLECTION, IMAGES, FEATURES, PROJECT)
SAMPLE = "sample"
"""As a truth: the bundled sample's, which no file of the user says."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the data of a simulation come from."""

    kind: str
    """One of KINDS."""
    place: str
    """Name of the collection, or absolute path of the folder, file or project."""
    test: str | None = None
    """Of images: the folder of the test part, where one was given."""
    encoder: str | None = None
    """Of images."""
    truth: str | None = None
    """Of a project: a manifest, or `sample`; None for its own labels."""

    def words(self) -> str:
        """The same in words."""
        kinds = {COLLECTION: "the collection", IMAGES: "the images of", FEATURES: "the file"}
        return f"{kinds.get(self.kind, 'the project')} {self.place}"

    def as_facts(self) -> dict[str, str]:
        """Its fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def moved(self, place: Path) -> Origin:
        """The same, lying somewhere else now. Raises NotReplayable for a collection."""
        if self.kind == COLLECTION:
            raise NotReplayable(
                f"This simulation ran on {self.words()}, which is made and lies nowhere: leave the "
                f"place away."
            )
        return replace(self, place=str(place.absolute()))


def origins_of(request: Request) -> list[Origin]:
    """What a request names, one for each result."""
    if request.data:
        return [Origin(COLLECTION, name) for name in request.data]
    if request.images is not None:
        test = None if request.test is None else str(request.test.absolute())
        return [Origin(IMAGES, str(request.images.absolute()), test, request.encoder)]
    if request.features is not None:
        return [Origin(FEATURES, str(request.features.absolute()))]
    return [origin_of_project(request.project, request.truth)]


def origin_of_project(folder: Path, truth: str | None) -> Origin:
    """The origin of a simulation on a project; `truth` names another source of its labels."""
    named = truth if truth in (None, SAMPLE) else str(Path(truth).absolute())
    return Origin(PROJECT, str(folder.absolute()), truth=named)


def read_origin(result: SimulationResult) -> Origin | None:
    """Where its data came from; None where a result of an earlier version does not say."""
    told = result.facts.get("source")
    if isinstance(told, Mapping):
        known = {name: told.get(name) for name in ("kind", "place", "test", "encoder", "truth")}
        fits = all(value is None or isinstance(value, str) for value in known.values())
        if fits and known["kind"] in KINDS and known["place"]:
            return Origin(**{name: value for name, value in known.items() if value is not None})
        return None
    name = result.facts.get("name")
    # Only collections have a card, and a result on one is named by it.
    if isinstance(result.facts.get("card"), Mapping) and isinstance(name, str):
        return Origin(COLLECTION, name)
    return None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What making data takes besides knowing where they are."""

    stores: Stores
    cache: Path
    """Where encoded collections and images are kept."""
    device: torch.device
    progress: Progress = silent
    tell: Callable[[str], None] = lambda line: None
    """Hears what a user should know."""


def data_of(origin: Origin, around: Surroundings) -> SimulationData:
    """The data of an origin. Raises what reading them raises, such as UnreadableSource."""
    place = Path(origin.place)
    if origin.kind == COLLECTION:
        return load_collection(origin.place, around.cache, around.progress)
    if origin.kind == IMAGES:
        return data_of_images(
            place,
            None if origin.test is None else Path(origin.test),
            origin.encoder or "bundled",
            around.cache,
            around.stores,
            around.device,
            around.progress,
        )
    if origin.kind == FEATURES:
        file = read_feature_file(place)
        if file.pairs is None:
            around.tell(
                f"{place.name} has no pair_activations: the posterior was fitted from its pool and "
                f"prompts, which approximates a fit from image-caption pairs."
            )
        return data_of_features(file, place)
    with opened_project(origin, around) as (workbench, _):
        return data_of_opened(workbench, origin)


@contextmanager
def opened_project(origin: Origin, around: Surroundings) -> Iterator[tuple[Workbench, Store]]:
    """The project of an origin, closed at the end. Raises ProjectMissing."""
    store = around.stores.open(Path(origin.place))
    try:
        yield Workbench(ProjectFolder(Path(origin.place)), store, device=around.device), store
    finally:
        store.close()


def data_of_opened(workbench: Workbench, origin: Origin) -> SimulationData:
    """A project's images with the truth that the origin names."""
    truth = None
    if origin.truth is not None:
        is_sample = origin.truth == SAMPLE
        truth = sample_truth(workbench) if is_sample else truth_of_manifest(Path(origin.truth))
    return data_of_project(workbench, truth)


def sample_truth(workbench: Workbench) -> LabelledPictures:
    """The classes of the bundled sample, from its manifest; the archive is unpacked into the project."""
    folder = unpack(bundled_sample(), workbench.session.folder.images)
    return truth_of_manifest(folder / MANIFEST)
