"""A small real project: pictures in files, features from a features file, a store on disk."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import PIL.Image
import pytest
import torch

from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings, Role
from alworkbench.features.feature_file import FeatureFile, TrainingPairFeatures
from alworkbench.features.feature_file_io import write_feature_file
from alworkbench.inputs.picture import hash_file
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.factories import generator, normal, small_model

NAMES = ("ant", "bee", "cat", "dog")
POOL, AUDIT = 40, 24


@dataclass
class Clock:
    now: datetime = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, **passed: float) -> None:
        self.now += timedelta(**passed)


@dataclass
class Project:
    folder: Path
    features: Path
    truth: dict[str, str]
    """Content hash -> class name, of pool and audit set."""
    clock: Clock = field(default_factory=Clock)

    def open(self) -> Workbench:
        store = open_store(self.folder)
        return Workbench(ProjectFolder(self.folder), store, clock=self.clock)


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = torch.randint(0, 256, (12, 12, 3), generator=generator(seed), dtype=torch.uint8)
    PIL.Image.fromarray(pixels.numpy()).save(path)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    """What `make_pictures` makes, made once."""
    return make_pictures(tmp_path_factory.mktemp("pictures"))


def make_pictures(root: Path) -> tuple[Path, Path, dict[str, str]]:
    """Pictures (pool/ and audit/CLASS/) and their features file."""
    labels = torch.randint(0, 4, (POOL + AUDIT,), generator=generator(1))
    places, hashes, truth = [], [], {}
    for k, label in enumerate(labels.tolist()):
        name = NAMES[label]
        place = root / (f"pool/{k:03}.png" if k < POOL else f"audit/{name}/{k:03}.png")
        picture(place, k)
        places.append(str(place))
        hashes.append(hash_file(place))
        truth[hashes[-1]] = name
    model = small_model(images=POOL + AUDIT, dtype=torch.float32)
    centres = 2 * normal(9, 4, 7, dtype=torch.float32)
    features = replace(model.images, activations=model.images.activations + centres[labels])
    file = FeatureFile(
        encoder="toy",
        head=model.head,
        features=features,
        class_names=NAMES,
        prompt_activations=model.classes,
        prompt_classes=torch.arange(4),
        hashes=tuple(hashes),
        labels=labels,
        split=("pool",) * POOL + ("test",) * AUDIT,
        pairs=TrainingPairFeatures(model.images, model.texts),
    )
    path = root / "features.npz"
    write_feature_file(path, file)
    return root, path, truth


def make_project(
    folder: Path, made: tuple[Path, Path, dict[str, str]], server: str | None = None
) -> Project:
    """Imported, with features and posterior; no round yet. Records on a `server`, or in the folder."""
    pictures, features, truth = made
    found = Project(folder, features, truth)
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    settings = ProjectSettings("toy", encoder="features:toy", batch_size=5)
    create_store(found.folder, settings, classes, found.clock(), server=server).close()
    with closing(found.open()) as workbench:
        workbench.images.add(pictures / "pool")
        workbench.images.add(pictures / "audit", role=Role.AUDIT)
        workbench.features.take(features)
    return found


@pytest.fixture(scope="session")
def kept_project(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[Path, Path, dict[str, str]]
) -> Project:
    """What `make_project` makes, made once, to be copied and never opened: an import takes seconds."""
    return make_project(tmp_path_factory.mktemp("kept") / "project", made)


def copied(kept: Project, folder: Path) -> Project:
    """The project of a closed store in another folder, with a clock of its own."""
    shutil.copytree(kept.folder, folder)
    return Project(folder, kept.features, kept.truth)


def times_of(pictures: Path) -> dict[Path, int]:
    """When each picture below a folder was changed, in nanoseconds."""
    return {path: path.stat().st_mtime_ns for path in pictures.rglob("*.png")}


@pytest.fixture
def project(
    tmp_path: Path, kept_project: Project, made: tuple[Path, Path, dict[str, str]]
) -> Iterator[Project]:
    before = times_of(made[0])
    yield copied(kept_project, tmp_path / "project")
    assert times_of(made[0]).items() >= before.items(), (
        "this test changed pictures that all tests share"
    )


Life = Callable[["Workbench", Callable], object]
"""What people do in a project: with its workbench, and what answers for them (see `answering`)."""


@pytest.fixture(scope="session")
def kept_lives(
    tmp_path_factory: pytest.TempPathFactory, kept_project: Project
) -> Callable[[Life], Project]:
    """The project after such a life, made once for each, to be copied and never opened."""

    @functools.cache
    def after(life: Life) -> Project:
        found = copied(kept_project, tmp_path_factory.mktemp("lived") / "project")
        with closing(found.open()) as workbench:
            life(workbench, answering(found))
        return found

    return after


@pytest.fixture
def lived(
    project: Project, kept_lives: Callable[[Life], Project]
) -> Iterator[Callable[[Life], Workbench]]:
    """Open the fresh project after a life. Learning takes a second, and a copy none."""
    opened = []

    def after(life: Life) -> Workbench:
        kept = kept_lives(life)
        shutil.rmtree(project.folder)
        shutil.copytree(kept.folder, project.folder)
        project.clock.now = kept.clock.now
        opened.append(project.open())
        return opened[-1]

    yield after
    for workbench in opened:
        workbench.session.store.close()


def one_round(workbench: Workbench, answers: Callable) -> None:
    """One round of five images that was learned from."""
    workbench.rounds.propose("random")
    answers(workbench, 5)
    workbench.rounds.close()


class closing:
    """The workbench, whose store is closed at the end."""

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench

    def __enter__(self) -> Workbench:
        return self.workbench

    def __exit__(self, *_: object) -> None:
        self.workbench.session.store.close()


@pytest.fixture
def workbench(project: Project) -> Iterator[Workbench]:
    with closing(project.open()) as found:
        yield found


@pytest.fixture
def answers(project: Project) -> Callable:
    return answering(project)


def answering(project: Project) -> Callable:
    """Answer claimed items truthfully; returns the answers."""
    from alworkbench.core.domain import Answer, AnswerKind

    def answer(workbench: Workbench, count: int, annotator: str = "ada") -> list[Answer]:
        classes = workbench.classes.current()
        given = []
        for item in workbench.labels.claim(annotator, count):
            image = workbench.images.get(item.image_id)
            found = classes.with_name(project.truth[image.hash])
            given.append(
                Answer(
                    event_id=f"{annotator}-{item.id}",
                    image_id=item.image_id,
                    kind=AnswerKind.CLASS,
                    annotator=annotator,
                    class_id=found.id,
                    item_id=item.id,
                    lease_token=item.lease.token,
                )
            )
        return [workbench.labels.record(a) and a for a in given]

    return answer
