"""The oracle of a simulation: it knows the true labels, and answers only for images that were asked.

The answer for an image depends on the seed and the image alone. So all arms with one seed get the same
answer for the same image.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from alworkbench.core.domain import NO_CLASS, Answer, AnswerKind, ClassList, Item, Role
from alworkbench.project.workbench import Workbench
from alworkbench.simulation.plan import Confusion, OraclePlan

ANNOTATOR = "oracle"


class NeverAsked(LookupError):
    """A label was read for an image that was not proposed: a fault of the simulation."""


@dataclass(frozen=True, slots=True)
class Reply:
    """The oracle's answer for one image."""

    image: str
    """Content hash."""
    truth: int
    """Class index, or NO_CLASS."""
    kind: AnswerKind
    answer: int | None
    """Class index of the answer, right or wrong; None if it names no class."""
    seconds: float


class Oracle:
    """The true labels of one run's images. It refuses to answer for images that were not asked."""

    def __init__(self, truth: Mapping[str, int], classes: int, plan: OraclePlan, seed: int) -> None:
        """`truth` maps the content hash of every image that may be asked to its class index or NO_CLASS."""
        self._truth = dict(truth)
        self._confusion = confusion_of(plan.noise, classes)
        self._plan = plan
        self._seed = seed
        self._asked: set[str] = set()
        self._hashes: dict[int, str] = {}

    def answer_round(self, workbench: Workbench, most: int | None = None) -> list[Reply]:
        """Answer the open round, or `most` of its items, as an annotator does: claim them, record answers."""
        opened = workbench.rounds.current()
        if opened is None:
            return []
        items = workbench.labels.claim(ANNOTATOR, most or opened.batch_size)
        hashes = self._hashes_of(workbench, Role.POOL, [item.image_id for item in items])
        self._asked.update(hashes)
        replies = [self.reply(content) for content in hashes]
        self._record(workbench, [(r, i.image_id, i) for r, i in zip(replies, items, strict=True)])
        return replies

    def answer_audit(self, workbench: Workbench) -> list[Reply]:
        """Answer for every image of the audit set, before the first round."""
        with workbench.session.store.read() as reader:
            images = reader.images.ids_and_hashes(Role.AUDIT)
        self._asked.update(content for _, content in images)
        replies = [self.reply(content) for _, content in images]
        self._record(
            workbench,
            [(reply, image, None) for reply, (image, _) in zip(replies, images, strict=True)],
        )
        return replies

    def reply(self, image: str) -> Reply:
        """The answer for an image (a content hash). Raises NeverAsked if it was not proposed."""
        if image not in self._asked:
            raise NeverAsked(f"the label of {image[:12]} was read before the image was proposed")
        truth, plan = self._truth[image], self._plan
        seconds = 0.0
        if plan.seconds:
            seconds = plan.seconds[int(self._draw("seconds", image) * len(plan.seconds))]
        if self._draw("skip", image) < plan.skip:
            return Reply(image, truth, AnswerKind.SKIP, None, seconds)
        if truth == NO_CLASS:
            return Reply(image, truth, AnswerKind.CANNOT_TELL, None, seconds)
        row = self._confusion[truth]
        # The last cumulative probability may round below 1.
        answer = min(bisect_right(row, self._draw("answer", image)), len(row) - 1)
        return Reply(image, truth, AnswerKind.CLASS, answer, seconds)

    def _draw(self, what: str, image: str) -> float:
        """A pseudo-random number in [0, 1), the same on every machine."""
        digest = hashlib.sha256(f"{self._seed} {what} {image}".encode()).digest()
        return int.from_bytes(digest[:6]) / 2**48

    def _hashes_of(self, workbench: Workbench, role: Role, images: Sequence[int]) -> list[str]:
        if not self._hashes:
            with workbench.session.store.read() as reader:
                self._hashes = dict(reader.images.ids_and_hashes(role))
        return [self._hashes[image] for image in images]

    def _record(
        self, workbench: Workbench, given: Sequence[tuple[Reply, int, Item | None]]
    ) -> None:
        classes = workbench.classes.current()
        workbench.labels.record_many([_answer(*one, classes) for one in given])


def _answer(reply: Reply, image: int, item: Item | None, classes: ClassList) -> Answer:
    lease = item.lease if item else None
    return Answer(
        event_id=f"{ANNOTATOR}-{item.id if item else 'audit'}-{image}",
        image_id=image,
        kind=reply.kind,
        annotator=ANNOTATOR,
        class_id=None if reply.answer is None else classes.classes[reply.answer].id,
        item_id=item.id if item else None,
        lease_token=lease.token if lease else None,
        duration_ms=round(1000 * reply.seconds) if reply.seconds else None,
        source="oracle",
    )


def confusion_of(noise: float | Confusion, classes: int) -> tuple[tuple[float, ...], ...]:
    """Cumulative answer probabilities by true class. A rate is uniform over the other classes."""
    if isinstance(noise, (int, float)):
        wrong = noise / (classes - 1)
        rows = [[1 - noise if i == j else wrong for j in range(classes)] for i in range(classes)]
    else:
        rows = [list(row) for row in noise]
    return tuple(tuple(accumulate(row)) for row in rows)
