"""A whole project without a network: pictures of the bundled sample, features made of their pixels.

The model is a stand-in (small random projections, prompts near the class means), so that ranking,
learning and measuring run through the real service in a second or two.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image as Pillow

from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings
from alworkbench.datasets.sample import SAMPLE, bundled_sample
from alworkbench.project.image_query import EvidenceSet
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store

NAMES = tuple(c.name for c in SAMPLE.classes)
POOL, TEST = 150, 100
EMBEDDING = 16


@dataclass(frozen=True)
class Picture:
    name: str
    label: str
    split: str
    data: bytes

    @property
    def activations(self) -> np.ndarray:
        """The picture at 7 x 7 pixels, centred, with a constant 1 behind: 50 numbers."""
        small = Pillow.open(io.BytesIO(self.data)).convert("L").resize((7, 7))
        values = np.asarray(small, dtype=np.float64).ravel() / 255 - 0.3
        return np.append(values, 1.0)


def sample_pictures(pool: int = POOL) -> list[Picture]:
    """The first `pool` of the pool and `TEST` of the test part, as the manifest lists them."""
    with zipfile.ZipFile(bundled_sample()) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("manifest.csv").decode())))
        chosen = [r for r in rows if r["split"] == "pool"][:pool]
        test = [r for r in rows if r["split"] != "pool"]
        chosen += test[:: max(1, len(test) // TEST)][:TEST]
        return [
            Picture(r["path"].replace("/", "-"), r["label"], r["split"], archive.read(r["path"]))
            for r in chosen
        ]


def make_project(folder: Path, batch: int = 10, pool: int = POOL) -> None:
    """A project in `folder` with images, features, a posterior and the audit set labelled."""
    pictures = sample_pictures(pool)
    source = folder / "source"
    source.mkdir(parents=True)
    with (source / "manifest.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for p in pictures:
            (source / p.name).write_bytes(p.data)
            writer.writerow([p.name, p.label, p.split])
    np.savez(folder / "features.npz", **features_of(pictures))  # type: ignore[arg-type]
    settings = ProjectSettings(name="Clothes", encoder="features:stand-in", batch_size=batch)
    classes = ClassList(tuple(LabelClass(name) for name in NAMES))
    with closing(
        create_store(ProjectFolder(folder).database, settings, classes, utc_now())
    ) as store:
        workbench = Workbench(ProjectFolder(folder), store)
        workbench.images.add(source / "manifest.csv")
        workbench.features.take(folder / "features.npz")
        workbench.rounds.propose()
        workbench.audit.evidence.compute(EvidenceSet.AUDIT)  # so that its pages start no process


def features_of(pictures: list[Picture]) -> dict[str, np.ndarray]:
    """The arrays of a features file; see `alworkbench.features.feature_file`."""
    chance = np.random.default_rng(0)
    activations = np.stack([p.activations for p in pictures])
    labels = np.array([NAMES.index(p.label) for p in pictures])
    projection = chance.normal(size=(EMBEDDING, activations.shape[1])) / 7
    embedded = activations @ projection.T
    means = np.stack([embedded[labels == c].mean(axis=0) for c in range(len(NAMES))])
    prompts = means + chance.normal(scale=0.25 * means.std(), size=means.shape)
    hashes = [hashlib.sha256(p.data).hexdigest() for p in pictures]
    return {
        "activations": activations,
        "projection": projection,
        "text_projection": np.eye(EMBEDDING),
        "prompt_activations": prompts,
        "prompt_classes": np.arange(len(NAMES)),
        "class_names": np.array(NAMES),
        "logit_scale": np.array(20.0),
        "hashes": np.array(hashes),
        "pair_activations": activations,
        "pair_text_activations": prompts[labels],
    }
