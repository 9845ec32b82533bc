"""The card of one image: where it is from, its answers, what the model says of it, and its like.

Each part is asked for on its own, so that the first is there at once. A card says the same to a person as the
labelling page: what is hidden there until the own answer is hidden here (see `blindness`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from alworkbench.core.domain import Image, Label
from alworkbench.core.errors import (
    FeaturesMissing,
    ImageNotFound,
    NoImages,
    PosteriorMissing,
)
from alworkbench.core.ports import Reader
from alworkbench.project.blindness import Hidden, hidden_from
from alworkbench.project.image_history import PastAnswer, history_of
from alworkbench.project.notes import ImageNotes, notes_of
from alworkbench.project.session import Session

if TYPE_CHECKING:
    from alworkbench.posterior.linearisation import WeightUpdate
    from alworkbench.project.calibration import CalibratedLearner
    from alworkbench.project.gallery import Gallery
    from alworkbench.project.gallery_page import GalleryImage
    from alworkbench.project.image_belief import ImageBelief
    from alworkbench.project.predictions import Predictions

NEAREST = 6
"""Labelled images that a card shows."""
QUICK = 1 << 18
"""Numbers of the covariances between one image and the labels up to which a card has the closed form: with 10
classes up to 2,600 labels. Above, a card uses joint draws that are kept for all images: with 100 classes and
200 labels the closed form takes 4 s an image."""


@dataclass(frozen=True, slots=True)
class ImageCard:
    """What the records say of an image."""

    image: Image
    path: str
    """Its newest place: below the project, or the last two parts of a place outside of it."""
    round: int | None
    """Number of the open round, if it asks about the image; else of the newest round that was answered."""
    open: bool
    """Whether that round is open."""
    history: tuple[PastAnswer, ...]
    """The oldest first; only the own answers where those of others are hidden."""
    own: Label | None
    """The person's own answer that stands, which the person may correct."""
    hidden: Hidden
    notes: ImageNotes = field(default_factory=ImageNotes)
    """Notes and flags; only the own ones where the answers of others are hidden."""


@dataclass(frozen=True, slots=True)
class ModelOpinion:
    """What the model says of an image."""

    belief: ImageBelief | None
    """None where it is hidden or cannot be known."""
    words: str
    """Why there is none; else what the model has learned from."""


@dataclass(frozen=True, slots=True)
class LabelledLike:
    """The labelled images that are most similar to an image."""

    images: tuple[GalleryImage, ...]
    """The most similar first; those whose answers are hidden from the person are left out."""
    words: str
    """Why there is none; empty if there are some."""


@dataclass(frozen=True, slots=True)
class _Warm:
    """A learner that is ready for the next card."""

    key: tuple[object, ...]
    learner: CalibratedLearner
    labels: int
    """That it learned from."""
    names: tuple[str, ...]
    """Of the classes that it knows, in order."""
    seed: int
    joint: Callable[[], WeightUpdate]


class Cards:
    """Cards of images. Nothing is written; threads share it."""

    def __init__(
        self,
        session: Session,
        predictions: Callable[[], Predictions],
        gallery: Callable[[], Gallery],
    ) -> None:
        """The functions load their modules when they are first called."""
        self._session = session
        self._predictions = predictions
        self._gallery = gallery
        self._warm: _Warm | None = None

    def of(self, content: str, person: str | None = None) -> ImageCard:
        """The card of the image with this content hash, for a person (None: a script, which sees all).

        Loads no tensors. Raises ImageNotFound.
        """
        with self._session.store.read() as reader:
            image = _find(reader, content)
            hidden = hidden_from(reader, person, image)
            history = history_of(reader, image)
            item = reader.rounds.asking(image.id)
            asked = [each.round for each in history if each.round is not None]
            current = None if item is None else reader.rounds.get(item.round_id).number
            return ImageCard(
                image=image,
                path=short_path(reader.images.files([image.hash])[0].path),
                round=current or (max(asked) if asked else None),
                open=item is not None,
                history=tuple(
                    each for each in history if not hidden.others or each.annotator == person
                ),
                own=None if person is None else reader.labels.opinion(person, image.id),
                hidden=hidden,
                notes=notes_of(reader, [image], person).get(image.id, ImageNotes()),
            )

    def model(self, content: str, person: str | None = None) -> ModelOpinion:
        """What the model says of an image: the parts of `Explanations.of` that are of the image alone.

        Raises ImageNotFound.
        """
        with self._session.store.read() as reader:
            image = _find(reader, content)
            hidden = hidden_from(reader, person, image).model
        if hidden:
            return ModelOpinion(None, hidden)
        try:
            with self._session.computing:
                return self._believed(image)
        except (FeaturesMissing, NoImages, PosteriorMissing) as missing:
            return ModelOpinion(None, str(missing))

    def nearest(self, content: str, person: str | None = None) -> LabelledLike:
        """The NEAREST images with a class that are most similar to an image. Raises ImageNotFound."""
        with self._session.store.read() as reader:
            image = _find(reader, content)
            hidden = hidden_from(reader, person, image).model
        if hidden:  # the classes of its like are an opinion of the model
            return LabelledLike((), hidden)
        from alworkbench.project.nearest_images import nearest_labelled

        try:
            if not self._session.engine().table().has([image.hash])[0]:
                return LabelledLike((), self._unusable(image))
            with self._session.store.read() as reader:
                found = nearest_labelled(
                    self._gallery(),
                    reader,
                    image.hash,
                    NEAREST,
                    lambda other: not hidden_from(reader, person, other).others,
                )
        except (FeaturesMissing, NoImages) as missing:
            return LabelledLike((), str(missing))
        return LabelledLike(tuple(found), "" if found else "No other image has a class yet.")

    def _believed(self, image: Image) -> ModelOpinion:
        import torch

        from alworkbench.adaptation.predictive_variance import (
            covariance_numbers,
            fits_closed_form,
        )
        from alworkbench.project.image_belief import believe

        engine = self._session.engine()
        table = engine.table()
        if not table.has([image.hash])[0]:
            return ModelOpinion(None, self._unusable(image))
        warm = self._learner()
        row = table.rows_of([image.hash])
        device = warm.learner.learner.model.classes.unit.device
        with torch.inference_mode():
            belief = believe(
                warm.learner,
                table.gather(row, device),
                warm.names,
                warm.seed,
                warm.joint,
                lambda learner: covariance_numbers(learner) <= QUICK and fits_closed_form(learner),
            )
        return ModelOpinion(belief, _words(warm.labels))

    def _learner(self) -> _Warm:
        """The newest learner, calibrated; kept until learner, classes, posterior or calibration change."""
        key, labels, names, seed = self._moment()
        while self._warm is None or self._warm.key != key:
            learner, before = self._predictions().newest(), key
            key, labels, names, seed = self._moment()
            if key == before:  # else something changed while the learner was loaded
                self._warm = _Warm(key, learner, labels, names, seed, _joint(learner, seed))
        return self._warm

    def _moment(self) -> tuple[tuple[object, ...], int, tuple[str, ...], int]:
        """What the learner of now is made of; its labels, the names of its classes, and the seed."""
        encoded = len(self._session.engine().table())  # images are encoded after they are imported
        with self._session.store.read() as reader:
            newest, classes, settings = (
                reader.computed.learner(), reader.classes.current(), reader.settings()
            )  # fmt: skip
            posterior = self._session.posterior_record(reader)
            key = (
                newest.id if newest else None,
                classes.id,
                posterior.id if posterior else None,
                reader.computed.metrics(),  # a new one of the same learner replaces the one before
                settings,
                reader.images.mark(),
                encoded,
            )
        return key, newest.labels if newest else 0, classes.names, settings.seed

    def _unusable(self, image: Image) -> str:
        why = self._session.engine().table().quarantined().get(image.hash)
        if why is not None:
            return f"The model cannot read this image ({why.value}), so it says nothing of it."
        return str(FeaturesMissing(1, 1))


def short_path(stored: str) -> str:
    """A stored place without the folders outside of the project: of an absolute path, the last two parts."""
    parts = stored.split("/")
    absolute = stored.startswith("/") or parts[0].endswith(":") or ".." in parts
    return "/".join(parts[-2:]) if absolute else stored


def _joint(learner: CalibratedLearner, seed: int) -> Callable[[], WeightUpdate]:
    """The draws of the weights of a learner, made when they are first asked for."""
    from alworkbench.project.uncertainty_parts import SET_OF_DRAWS

    return cache(lambda: learner.learner.base.draws(SET_OF_DRAWS, seed))


def _words(labels: int) -> str:
    if not labels:
        return "Nothing is learned yet: this is what the model says from the names of the classes alone."
    return f"Learned from {labels:,} {'label' if labels == 1 else 'labels'}."


def _find(reader: Reader, content: str) -> Image:
    found = reader.images.by_hash(content)
    if found is None:
        raise ImageNotFound(content, None)
    return found
