"""A project whose only work is for reviewers: small pictures to which two people gave different classes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw

from alworkbench.core.domain import (
    Answer,
    AnswerKind,
    ClassList,
    LabelClass,
    NewReview,
    ProjectFolder,
    ProjectSettings,
    ReviewReason,
    Role,
)
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store

NAMES = ("barn owl", "tawny owl", "jay", "<b>magpie</b>")


def make_review_project(folder: Path, images: int, names: tuple[str, ...] = NAMES) -> None:
    """Each image is a disagreement; the label of the last one is doubtful besides."""
    source = folder / "source"
    source.mkdir(parents=True)
    for n in range(images):
        picture = Pillow.new("RGB", (240, 180), (40, 60 + 12 * n % 150, 90))
        pen = ImageDraw.Draw(picture)
        pen.ellipse([20 + 4 * n, 30, 120 + 4 * n, 150], fill=(220, 30 + 9 * n % 200, 60))
        picture.save(source / f"{n:02d} *x*.png")
    settings = ProjectSettings(name="Birds")
    classes = ClassList(tuple(LabelClass(name) for name in names))
    kept = ProjectFolder(folder)
    with closing(create_store(kept.database, settings, classes, utc_now())) as store:
        workbench = Workbench(kept, store)
        workbench.images.add(source)
        with store.write() as writer:
            ids = [image for image, _ in writer.images.ids_and_hashes(Role.POOL)]
            for who, first in (("ann", 1), ("bob *b*", 2)):
                for n, image in enumerate(ids):
                    given = Answer(
                        f"{who}{n}", image, AnswerKind.CLASS, who, class_id=first + n % 2
                    )
                    newest = writer.labels.add(given, utc_now())
            doubt = NewReview(ids[-1], ReviewReason.LABEL_ERROR, newest.id, 0.02, 3, 0.9)
            writer.reviews.open([doubt], utc_now())
