"""A project of given pictures with an open round. The model is a stand-in with random features."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from alworkbench.core.domain import ClassList, LabelClass, ProjectFolder, ProjectSettings
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store

NAMES = tuple(f"class {letter}" for letter in "abcdef")
SIZE = 16
"""Of the embedding."""


def make_project(folder: Path, pictures: Mapping[str, bytes], batch: int) -> None:
    """A project in `folder` of these pictures, by file name, with a round of `batch` random ones."""
    source = folder / "source"
    source.mkdir(parents=True)
    for name, data in pictures.items():
        (source / name).write_bytes(data)
    chance = np.random.default_rng(0)
    size, classes = SIZE, len(NAMES)
    activations = chance.normal(size=(len(pictures), size))
    prompts = chance.normal(size=(classes, size))
    labels = np.arange(len(pictures)) % classes
    np.savez(
        folder / "features.npz",
        activations=activations,
        projection=np.eye(size),
        text_projection=np.eye(size),
        prompt_activations=prompts,
        prompt_classes=np.arange(classes),
        class_names=np.array(NAMES),
        logit_scale=np.array(20.0),
        hashes=np.array([hashlib.sha256(data).hexdigest() for data in pictures.values()]),
        pair_activations=activations,
        pair_text_activations=prompts[labels],
    )
    settings = ProjectSettings(name="Photos", encoder="features:stand-in", batch_size=batch)
    chosen = ClassList(tuple(LabelClass(name) for name in NAMES))
    with closing(
        create_store(ProjectFolder(folder).database, settings, chosen, utc_now())
    ) as store:
        workbench = Workbench(ProjectFolder(folder), store)
        workbench.images.add(source)
        workbench.features.take(folder / "features.npz")
        workbench.rounds.propose(strategy="random")
