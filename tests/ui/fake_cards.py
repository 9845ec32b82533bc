"""Cards of the images of a fake workbench: two answers by two people, and a model that is torn."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from alworkbench.core.domain import Calibration, Image, Label
from alworkbench.core.errors import ImageNotFound
from alworkbench.project.blindness import Hidden
from alworkbench.project.gallery_page import GalleryImage
from alworkbench.project.image_belief import ClassBelief, ImageBelief
from alworkbench.project.image_card import ImageCard, LabelledLike, ModelOpinion
from alworkbench.project.image_history import PastAnswer
from alworkbench.project.uncertainty_parts import Uncertainty

WHEN = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
LIKE = 6


class FakeCards:
    """`own` is the answer that the person may correct, `hidden` what is hidden from everybody."""

    def __init__(self, workbench: Any) -> None:
        self._workbench = workbench
        self.hidden = Hidden()
        self.own: Label | None = None

    def of(self, content: str, person: str | None = None) -> ImageCard:
        """See `Cards.of`."""
        image, names = self._find(content), self._workbench.classes.current().names
        answers = [
            PastAnswer(
                "event-1", "Ada \u202eadA", WHEN, "class", names[0], "browser", 1, names[1], False,
                WHEN, "Ada \u202eadA", None, None,
            ),
            PastAnswer(
                "event-2", "Bob", WHEN, "class", names[2], "review", None, None, True,
                None, None, "disagreement", "The sleeves.",
            ),
        ]  # fmt: skip
        history = tuple(answers) if not self.hidden.others else ()
        notes = self._workbench.notes.of(content)
        return ImageCard(image, "coats/0001.png", 1, True, history, self.own, self.hidden, notes)

    def model(self, content: str, person: str | None = None) -> ModelOpinion:
        """See `Cards.model`."""
        self._find(content)
        if self.hidden.model:
            return ModelOpinion(None, self.hidden.model)
        names = self._workbench.classes.current().names
        shares = (0.5, 0.3, 0.1, 0.04, 0.03, 0.02)
        classes = tuple(
            ClassBelief(n, p, max(0.0, p - 0.1), p + 0.2, p, 1.0 - k, 0.4, p)
            for k, (n, p) in enumerate(zip(names, shares, strict=False))
        )
        return ModelOpinion(
            ImageBelief(
                Uncertainty(1.25, 0.25, 1.0), classes, tuple(names[:2]), 16_384, 0.004, True, 8,
                Calibration(),
            ),
            "Learned from 8 labels.",
        )  # fmt: skip

    def nearest(self, content: str, person: str | None = None) -> LabelledLike:
        """See `Cards.nearest`."""
        own = self._find(content)
        if self.hidden.model:
            return LabelledLike((), self.hidden.model)
        images = [self._workbench.images.get(own.id % 20 + k) for k in range(1, LIKE + 1)]
        name = self._workbench.classes.current().names[0]
        return LabelledLike(
            tuple(
                GalleryImage(
                    i.id, i.hash, i.role, i.width, i.height, i.paths[-1], "class", 100, name, ("Ada",),
                    False, None, None, None, None, None, None, 0.9 - 0.1 * k,
                )
                for k, i in enumerate(images)
            ),
            "",
        )  # fmt: skip

    def _find(self, content: str) -> Image:
        for number in range(1, 60):
            image: Image = self._workbench.images.get(number)
            if image.hash == content:
                return image
        raise ImageNotFound(content, None)
