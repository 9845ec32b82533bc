"""Load the data of a comparison from a project, a collection, or a folder of labelled images."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.calibration_study.material import StudyMaterial
from alworkbench.core.domain import EncoderRecord, Role
from alworkbench.core.errors import NothingToImport
from alworkbench.datasets.collections import find_collection
from alworkbench.encoders.head import Head
from alworkbench.features.decode import Task, read_picture
from alworkbench.features.table import FeatureTable
from alworkbench.project.artifacts import refuse_file
from alworkbench.project.class_texts import WITHOUT_ENCODER
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.measurements import audit_truth
from alworkbench.project.session import resolve, some_of
from alworkbench.project.workbench import Workbench
from alworkbench.prompts.ensembles import unit_images
from alworkbench.prompts.tuning.view_features import TunableImage
from alworkbench.simulation.load.collection import ENCODER, load_collection
from alworkbench.simulation.load.context import LoadContext
from alworkbench.simulation.load.image_data import data_of_images, folder_of_images
from alworkbench.simulation.load.origin import PROJECT, Origin, opened_project

MOST_POOL = 20_000
"""Images of the pool that templates are ranked on, as in `alworkbench prompts rank`."""
BLOCK = 8192
"""Images that are read at once, which bounds the memory."""


def material_of_project(workbench: Workbench) -> StudyMaterial:
    """The labelled audit images of a project, with its encoder, classes and newest posterior.

    Raises FeaturesMissing, UnknownEncoder where the features came from a file, PosteriorMissing, and
    NothingToImport without labels of the audit set or without a pool.
    """
    session = workbench.session
    record = session.encoder_record()
    refuse_file(record, "prompts", WITHOUT_ENCODER)
    engine, classes, settings = session.engine(), session.classes(), session.settings()
    table = engine.table()
    with session.store.read() as reader:
        truth = audit_truth(reader, classes)
        places = dict(reader.images.hashes_and_paths(Role.AUDIT))
        pool = ImageColumns.read(reader, Role.POOL)
    known = [content for content, has in zip(truth, table.has(list(truth)), strict=True) if has]
    if not known:
        raise NothingToImport(
            "No image of the audit set has a label and features. Draw an audit set and label it "
            "(`alworkbench audit`), or import labelled images (`alworkbench import FOLDER --audit`)."
        )
    rows = some_of(np.sort(session.encoded_of(pool).rows), MOST_POOL, settings.seed)
    if not rows:
        raise NothingToImport(
            "The pool has no image to rank templates on. Import images with `alworkbench import FOLDER`, "
            "and encode them with `alworkbench encode`."
        )
    head = engine.head.to("cpu")
    return StudyMaterial(
        name=settings.name,
        origin="Labelled images of the audit set of this project, from which nothing was learned.",
        role="own",
        encoder=record,
        head=head,
        posterior=workbench.posteriors.newest().to("cpu"),
        classes=classes,
        present=engine.class_activations(classes).cpu(),
        features=table.gather(table.rows_of(known)),
        labels=torch.tensor([truth[content] for content in known]),
        images=tuple(
            TunableImage(
                content,
                partial(
                    read_picture,
                    Task(
                        content,
                        str(resolve(session.folder, places[content])),
                        settings.white_point,
                    ),
                ),
            )
            for content in known
        ),
        pool=_embedded(head, table, torch.tensor(rows)),
        views=session.folder.views,
        prompts=session.folder.features / record.id,
    )


def material_of_collection(name: str, context: LoadContext) -> StudyMaterial:
    """The test part of a collection, with the bundled model and its posterior.

    Raises UnknownCollection, and UnreadableSource if its source is missing.
    """
    data = load_collection(name, context.cache, context.progress)
    test = find_collection(name).make(progress=context.progress).test
    pixels = dict(zip(test.hashes(), test.images, strict=True))
    hashes = [data.table.hashes[row] for row in data.test.tolist()]
    folder = context.cache / "prompts"
    return StudyMaterial(
        name=name,
        origin=f"Test images of the collection {name}, from which nothing was learned.",
        role=data.role,
        encoder=EncoderRecord(data.encoder_id, ENCODER),
        head=data.head,
        posterior=data.posterior,
        classes=data.classes,
        present=data.class_activations,
        features=data.table.gather(data.test),
        labels=data.labels[data.test],
        images=tuple(
            TunableImage(content, partial(PIL.Image.fromarray, pixels[content]))
            for content in hashes
        ),
        pool=_embedded(
            data.head,
            data.table,
            torch.tensor(some_of(data.pool.tolist(), MOST_POOL, 0)),
        ),
        views=folder / "views",
        prompts=folder / data.encoder_id,
    )


def material_of_images(
    images: Path, test: Path | None, encoder: str, context: LoadContext
) -> StudyMaterial:
    """Images with classes, kept as a project in the cache; see `simulation.load.image_data`.

    The test part is `test`, or else a share of each class. Raises what `data_of_images` raises.
    """
    data_of_images(images, test, encoder, context)  # makes the project, its features and posterior
    folder = folder_of_images(images, test, encoder, context.cache)
    with opened_project(Origin(PROJECT, str(folder.path)), context) as workbench:
        found = material_of_project(workbench)
    return found


def _embedded(head: Head, table: FeatureTable, rows: Int[Tensor, "n"]) -> Float[Tensor, "n D"]:
    return torch.cat([unit_images(head, block) for _, block in table.blocks(rows, BLOCK)])
