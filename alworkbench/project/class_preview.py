"""What names and prompts alone say with a class list that is not stored: a preview while it is typed.

The model before any label, as it is measured, starts from the same logits. A learning method that is taught
by the pool also uses how the images of the pool lie together, which takes too long while somebody types.
Nothing is written and no lock of the project is taken. New prompts are encoded as `preview_prompts` says.

Dimensions used in this file
    N  images
    C  classes
    K  classes of the present list
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.domain import ClassList, NameKnowledge, Role
from alworkbench.core.errors import NothingToImport, UnknownEncoder
from alworkbench.core.kept_values import KeptValues
from alworkbench.encoders.head import ensemble_prompts
from alworkbench.evaluation.intervals import paired_difference, wilson_interval
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.name_novelty import has_captions, known_names
from alworkbench.project.class_texts import cut_names, same_rows
from alworkbench.project.preview_prompts import PreviewPrompts
from alworkbench.project.session import Session, some_of
from alworkbench.prompts.ensembles import probabilities_of, unit_images, unit_texts

_T = TypeVar("_T")
SHOWN = 12
"""Images of a preview."""
TOP = 3
"""Classes that are said of an image."""
MOST_LABELLED = 5000
"""Labelled images that an accuracy is measured on; of more a random sample, fixed by the project's seed."""
LOOKED_UP = 1000
"""Images that are looked up in the features at once."""
MOST_KEPT = 8
"""Turns of images and sets of labelled images that are kept in memory."""


@dataclass(frozen=True, slots=True)
class PreviewImage:
    """One image of the pool with its most probable classes."""

    hash: str
    top: tuple[tuple[int, float], ...]
    """Position of a class and its probability, the most probable first."""


@dataclass(frozen=True, slots=True)
class AccuracyChange:
    """Accuracy by names and prompts alone on labelled images, with the present list and the previewed one."""

    role: Role
    images: int
    """With a label that counts in both lists."""
    now: tuple[float, float, float]
    """Share of right predictions with the present list, and its 95 % Wilson interval."""
    then: tuple[float, float, float]
    """The same with the previewed list."""
    difference: tuple[float, float, float]
    """The change, and its 95 % interval (`intervals.paired_difference`)."""


@dataclass(frozen=True, slots=True)
class ClassPreview:
    """What the names and prompts of a class list say without labels and without the pool."""

    images: tuple[PreviewImage, ...]
    known: tuple[NameKnowledge, ...]
    """What the model knows of each name, in order; empty where nothing is known about that."""
    same: tuple[tuple[int, ...], ...]
    """Positions of classes with the same text features, which the model cannot tell apart."""
    cut: tuple[int, ...]
    """Positions of classes with a prompt that is longer than the model can read."""
    accuracy: tuple[AccuracyChange, ...]
    """On the audit set, and on labelled images of the pool; without those that have no labels."""


class ClassPreviews:
    """Previews of one project. Threads share it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._prompts = PreviewPrompts(session)
        self._encoded: KeptValues[tuple[dict[str, int], Tensor]] = KeptValues()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, classes: ClassList, turn: int = 0, by: str | None = None) -> ClassPreview:
        """The preview of a list; each `turn` shows other images of the pool, always the same ones.

        A newer preview of the same person `by` stops an older one, whose reply nobody waits for.
        Raises FeaturesMissing before the first encoding, NothingToImport for an empty pool, UnknownEncoder
        where the features came from a file that lacks a prompt, PreviewTooLarge, and PreviewReplaced.
        """
        replaced = self._prompts.ask(by)
        session, engine = self._session, self._session.engine()
        with session.store.read() as reader:
            present = reader.classes.current()
            record = session.posterior_record(reader)
        stored = self._stored_prompts(
            [prompt for each in (classes, present) for prompt in _prompts(each)]
        )
        activations = self._activations(classes, stored, replaced)
        texts = unit_texts(engine.head, activations)
        hashes, images = self._drawn(turn)
        found = probabilities_of(engine.head, images, texts).topk(min(TOP, len(classes)), dim=-1)
        shown = tuple(
            PreviewImage(content, tuple(zip(rows, values, strict=True)))
            for content, rows, values in zip(
                hashes, found.indices.tolist(), found.values.tolist(), strict=True
            )
        )
        known: tuple[NameKnowledge, ...] = ()
        if record is not None and has_captions(record.provenance):
            known = known_names(engine.posterior(record).text, classes.names, activations)
        place_of = {name: place for place, name in enumerate(classes.names)}
        cut = tuple(place_of[name] for name in cut_names(session, classes))
        try:
            before = unit_texts(engine.head, self._activations(present, stored, replaced))
        except UnknownEncoder:  # no model can encode the present list
            accuracy: tuple[AccuracyChange, ...] = ()
        else:
            accuracy = self._accuracy(present, classes, before, texts)
        same = tuple(map(tuple, same_rows(activations)))
        return ClassPreview(shown, known, same, cut, accuracy)

    # ------------------------------------------------------------------------------------ the texts
    def _stored_prompts(self, prompts: Sequence[str]) -> dict[str, Float[Tensor, "Q"]]:
        """Activations of the prompts that were encoded. Their files are read when they change."""
        store = FeatureStore(self._session.folder.features / self._session.encoder_record().id)
        known, activations = self._encoded.of(store.prompts_mark(), store.prompts)
        return {each: activations[known[each]] for each in prompts if each in known}

    def _activations(
        self, classes: ClassList, stored: dict[str, Tensor], replaced: Callable[[], bool]
    ) -> Float[Tensor, "C Q"]:
        """One effective text activation for each class, on the device of the engine."""
        engine = self._session.engine()
        prompts = _prompts(classes)
        new = [each for each in prompts if each not in stored]
        found = stored | self._prompts.encoded(new, replaced)
        class_of = torch.tensor([k for k, c in enumerate(classes.classes) for _ in c.templates])
        stacked = torch.stack([found[each] for each in prompts]).to(engine.device)
        return ensemble_prompts(engine.head, stacked, class_of.to(engine.device))

    # ----------------------------------------------------------------------------------- the images
    def _drawn(self, turn: int) -> tuple[list[str], Float[Tensor, "N D"]]:
        """Content hashes of the images of a turn, and their unit embeddings."""
        session, table = self._session, self._session.engine().table()
        with session.store.read() as reader:
            seed = reader.settings().seed
            key = ("drawn", seed, turn, len(table), reader.images.mark())
            if (kept := self._from_memory(key)) is not None:
                drawn: tuple[list[str], Tensor] = kept
                return drawn
            pool = reader.images.ids_and_hashes(Role.POOL)
        shown = self._first_encoded(pool, seed + turn)
        if not shown:
            raise NothingToImport(
                "The pool has no encoded image to show. Import images with `alworkbench import FOLDER`, and "
                "encode them with `alworkbench encode`."
            )
        rows = table.rows_of(shown).sort()
        found = [shown[at] for at in rows.indices.tolist()], self._embedded(rows.values)
        return self._keep(key, found)

    def _first_encoded(self, pool: Sequence[tuple[int, str]], seed: int) -> list[str]:
        """Content hashes of a random sample of the encoded images; of a large pool few are looked up."""
        table = self._session.engine().table()
        order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(seed))
        found: list[str] = []
        for part in order.split(LOOKED_UP):
            hashes = [pool[place][1] for place in part.tolist()]
            known = zip(hashes, table.has(hashes), strict=True)
            found += [content for content, has in known if has]
            if len(found) >= SHOWN:
                break
        return found[:SHOWN]

    def _embedded(self, rows: Int[Tensor, "N"]) -> Float[Tensor, "N D"]:
        engine = self._session.engine()
        return unit_images(engine.head, engine.table().gather(rows, engine.device))

    def _accuracy(
        self,
        present: ClassList,
        classes: ClassList,
        before: Float[Tensor, "K D"],
        texts: Float[Tensor, "C D"],
    ) -> tuple[AccuracyChange, ...]:
        """Compared with the present list; without the roles in which no image has a label."""
        found = []
        for role in (Role.AUDIT, Role.POOL):
            ids, images = self._labelled(role)
            now = torch.tensor([present.counted.get(each, -1) for each in ids])
            then = torch.tensor([classes.counted.get(each, -1) for each in ids])
            both = (now >= 0) & (then >= 0)
            if not bool(both.any()):
                continue
            right_now = ((images @ before.T).argmax(dim=-1).cpu() == now)[both]
            right_then = ((images @ texts.T).argmax(dim=-1).cpu() == then)[both]
            found.append(_change(role, right_now, right_then))
        return tuple(found)

    def _labelled(self, role: Role) -> tuple[list[int], Float[Tensor, "N D"]]:
        """Class ids of labelled images, and the unit embeddings of these images."""
        session, table = self._session, self._session.engine().table()
        with session.store.read() as reader:
            seed, moment = reader.settings().seed, reader.labels.moment()
            key = ("labelled", seed, role, len(table), reader.images.mark(), moment)
            if (kept := self._from_memory(key)) is not None:
                labelled: tuple[list[int], Tensor] = kept
                return labelled
            hash_of = dict(reader.images.ids_and_hashes(role))
            current = reader.labels.current(role)
        given = {
            hash_of[image]: label.class_id
            for image, label in current.items()
            if label.class_id is not None
        }
        usable = [
            content for content, has in zip(given, table.has(list(given)), strict=True) if has
        ]
        rows_of = table.rows_of(usable).tolist()
        truth = {row: given[content] for row, content in zip(rows_of, usable, strict=True)}
        rows = some_of(sorted(truth), MOST_LABELLED, seed)
        found = [truth[row] for row in rows], self._embedded(torch.tensor(rows, dtype=torch.long))
        return self._keep(key, found)

    def _from_memory(self, key: Hashable) -> Any:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def _keep(self, key: Hashable, value: _T) -> _T:
        with self._lock:
            self._kept[key] = value
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return value


def _prompts(classes: ClassList) -> list[str]:
    return [prompt for each in classes.classes for prompt in each.prompts]


def _change(role: Role, now: Tensor, then: Tensor) -> AccuracyChange:
    count = len(now)
    shares = [
        (int(right.sum()) / count, *wilson_interval(int(right.sum()), count))
        for right in (now, then)
    ]
    gained, lost = int((then & ~now).sum()), int((now & ~then).sum())
    return AccuracyChange(role, count, shares[0], shares[1], paired_difference(gained, lost, count))
