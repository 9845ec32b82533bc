"""The origin of a simulation's data. It is stored with the result, so that the data can be loaded again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from alworkbench.core.domain import ProjectFolder
from alworkbench.core.errors import NotReplayable, UnreadableSource
from alworkbench.datasets.collections import collections, find_collection
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.begun import named_inside
from alworkbench.simulation.config import SAMPLE, SimulationConfig
from alworkbench.simulation.dataset import SimulationData
from alworkbench.simulation.load.collection import load_collection
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.feature_data import data_of_features
from alworkbench.simulation.load.image_data import data_of_images
from alworkbench.simulation.load.project_data import (
    data_of_project,
    sample_truth,
    truth_of_manifest,
)
from alworkbench.simulation.results import SimulationResult

COLLECTION, IMAGES, FEATURES, PROJECT = "collection", "images", "features", "project"
KINDS = (COLLECTION, IMAGES, FEATURES, PROJECT)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the data of a simulation come from."""

    kind: str
    """One of KINDS."""
    place: str
    """Name of the collection, or absolute path of the folder, file or project."""
    test: str | None = None
    """For images: the folder of the test part, if one was given."""
    encoder: str | None = None
    """For images."""
    truth: str | None = None
    """For a project: a manifest, or `sample`; None for its own labels. A manifest in the project is named
    from there, so that a copy of the project reads its own; any other has an absolute path."""

    def words(self) -> str:
        """The origin in words, such as `the file toy.npz`."""
        kinds = {COLLECTION: "the collection", IMAGES: "the images of", FEATURES: "the file"}
        return f"{kinds.get(self.kind, 'the project')} {self.place}"

    @property
    def truth_place(self) -> str | None:
        """The truth, a manifest by its absolute path."""
        return self.truth if self.truth in (None, SAMPLE) else str(Path(self.place, self.truth))

    def as_facts(self) -> dict[str, str]:
        """Its fields that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def moved(self, place: Path) -> Origin:
        """The same origin at another place. Raises NotReplayable for a collection."""
        if self.kind == COLLECTION:
            raise NotReplayable(
                f"This simulation ran on {self.words()}. A collection has no place on the disk: omit "
                f"`--at`."
            )
        return replace(self, place=str(place.absolute()))


def origin_named(text: str, encoder: str) -> Origin:
    """The origin that a user means: the name of a collection, else a place on the disk.

    A place is a project, a features file (.npz), or a folder, manifest or archive of images with classes,
    which `encoder` encodes. A place with the name of a collection is written `./NAME`. Raises
    UnreadableSource for a path with nothing there, and UnknownCollection for any other unknown name.
    """
    place = Path(text)
    if not place.exists() and (place.suffix or len(place.parts) > 1):
        raise UnreadableSource(f"There is nothing at {text}. Correct the path.")
    if not place.exists() or any(text == each.name for each in collections()):
        return Origin(COLLECTION, find_collection(text).name)
    if ProjectFolder(place).holds_project:
        return origin_of_project(place, None)
    if place.suffix == ".npz":
        return Origin(FEATURES, str(place.absolute()))
    return Origin(IMAGES, str(place.absolute()), encoder=encoder)


def origins_of(config: SimulationConfig) -> list[Origin]:
    """The data sets of a configuration, one for each result."""
    if config.data:
        return [Origin(COLLECTION, name) for name in config.data]
    if config.images is not None:
        test = None if config.test is None else str(config.test.absolute())
        return [Origin(IMAGES, str(config.images.absolute()), test, config.encoder)]
    if config.features is not None:
        return [Origin(FEATURES, str(config.features.absolute()))]
    return [origin_of_project(config.project, config.truth)]


def origin_of_project(folder: Path, truth: str | None) -> Origin:
    """The origin of a simulation on a project; `truth` names another source of its labels."""
    place = str(folder.absolute())
    named = truth if truth in (None, SAMPLE) else named_inside(str(Path(truth).absolute()), place)
    return Origin(PROJECT, place, truth=named)


def read_origin(result: SimulationResult) -> Origin | None:
    """The origin of a result's data; None if a result of an earlier version does not name it."""
    told = result.facts.get("source")
    if isinstance(told, Mapping):
        known = {name: told.get(name) for name in ("kind", "place", "test", "encoder", "truth")}
        fits = all(value is None or isinstance(value, str) for value in known.values())
        if fits and known["kind"] in KINDS and known["place"]:
            return Origin(**{name: value for name, value in known.items() if value is not None})
        return None
    name = result.facts.get("name")
    # Only collections have a card; the result has the name of the collection.
    if isinstance(result.facts.get("card"), Mapping) and isinstance(name, str):
        return Origin(COLLECTION, name)
    return None


def data_of(origin: Origin, context: LoadContext) -> SimulationData:
    """Load the data of an origin. Raises what reading them raises, such as UnreadableSource."""
    place = Path(origin.place)
    if origin.kind == COLLECTION:
        return load_collection(origin.place, context.cache, context.progress)
    if origin.kind == IMAGES:
        test = None if origin.test is None else Path(origin.test)
        return data_of_images(place, test, origin.encoder or "bundled", context)
    if origin.kind == FEATURES:
        file = read_feature_file(place)
        if file.unusable:
            context.tell(
                f"{len(file.unusable)} rows of {place.name} cannot be computed with and were set aside. "
                f"The first is {file.unusable[0]}."
            )
        if file.pairs is None:
            context.tell(
                f"{place.name} has no pair_activations: the posterior was fitted from its pool and "
                f"prompts, which approximates a fit from image-caption pairs."
            )
        return data_of_features(file, place)
    with opened_project(origin, context) as workbench:
        truth = origin.truth_place
        if truth is None:
            return data_of_project(workbench, None)
        if truth == SAMPLE:
            return data_of_project(workbench, sample_truth(workbench))
        return data_of_project(workbench, truth_of_manifest(Path(truth)))


@contextmanager
def opened_project(origin: Origin, context: LoadContext) -> Iterator[Workbench]:
    """The project of an origin; its store is closed at the end. Raises ProjectMissing."""
    store = context.stores.open(Path(origin.place))
    try:
        yield Workbench(ProjectFolder(Path(origin.place)), store, device=context.device)
    finally:
        store.close()
