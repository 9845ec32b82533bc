"""An audit set drawn at random in the labelling flow: how large, which images, what it says.

Images of the pool without an answer are drawn without replacement, every one alike, get the role audit
and are asked in a round of their own, without suggestions: who sees what the model thinks tends to
agree with it. They stand for the images that had no label on that day; those that were labelled before
are not among them, so a project that wants to know about its whole pool draws before the first round.

Dimensions used in this file
    N  audit images
    C  classes
    K  resamples
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from alworkbench.core.domain import AUDIT_STRATEGY, NewItem, NewRound, Role, Round
from alworkbench.core.errors import PoolExhausted, PosteriorMissing, RoundStillOpen
from alworkbench.core.ports import Reader, Store
from alworkbench.core.provenance import circumstances, versions
from alworkbench.evaluation.intervals import Z95, wilson
from alworkbench.evaluation.metrics import calibration_interval

UNKNOWN_ACCURACY = 0.5
"""Expected where nothing is known: no accuracy needs more images for the same width."""
RESAMPLES = 1000

_SMALLEST_PROBABILITY = 1e-12
_NUMBERS_AT_ONCE = 2**22


def half_width(images: int, expected_accuracy: float = UNKNOWN_ACCURACY) -> float:
    """Half of the 95 % Wilson interval of an accuracy measured on so many images; 0.07 is 7 points."""
    if images < 1:
        raise ValueError(f"an interval needs at least one image, found {images}")
    return wilson(expected_accuracy, images)[1]


def suggest_audit_size(
    wanted_half_width: float, expected_accuracy: float = UNKNOWN_ACCURACY
) -> int:
    """The fewest images whose 95 % Wilson interval is at most this wide to either side.

    Wilson's half-width h solved for 1/n: with p the accuracy and z = 1.96,
    z^4 (1/4 - h^2) / n^2 + z^2 (p (1 - p) - 2 h^2) / n - h^2 = 0. Raises ValueError outside (0, 0.5).
    """
    if not 0 < wanted_half_width < 0.5:
        raise ValueError(f"half a width lies between 0 and 0.5, found {wanted_half_width}")
    h, p, z = wanted_half_width, expected_accuracy, Z95
    a = z**4 * (0.25 - h * h)
    b = z * z * (p * (1 - p) - 2 * h * h)
    inverse = (-b + math.sqrt(b * b + 4 * a * h * h)) / (2 * a)
    return max(1, math.ceil(1 / inverse - 1e-9))


@dataclass(frozen=True, slots=True)
class AuditOffer:
    """What drawing an audit set would give, before anything is drawn."""

    images: int
    """To be answered now: those left from earlier draws, and new ones."""
    leftover: int
    """Of these, images drawn earlier that have no answer yet."""
    pool: int
    """Images without an answer that new ones are drawn from."""
    labelled_before: int
    """Images of the pool that have an answer already: the audit set does not stand for them."""
    audit_before: int
    """Audit images with an answer."""
    expected_accuracy: float
    half_width: float
    """Of the accuracy, once all are answered, with those that were answered before."""


def offer(reader: Reader, count: int, expected_accuracy: float) -> AuditOffer:
    """What drawing `count` images would buy; reads records only."""
    answered = reader.labels.current(Role.POOL)
    before = len(reader.labels.current(Role.AUDIT))
    pool = reader.images.count(Role.POOL) - len(answered)
    leftover = len(_leftover(reader))
    images = min(count, pool + leftover)
    width = half_width(max(1, before + images), expected_accuracy)
    return AuditOffer(
        images, min(count, leftover), pool, len(answered), before, expected_accuracy, width
    )


def draw(
    store: Store,
    rows_of: Callable[[list[tuple[int, str]]], Mapping[int, int]],
    encoder_id: str,
    count: int,
    seed: int | None,
    clock: Callable[[], datetime],
    device: object,
) -> Round:
    """Draw images at random and open the round that asks about them. See `Workbench.draw_audit`.

    `rows_of` gives the images that have features (row -> image id); the others cannot be measured on.
    """
    started = time.perf_counter()
    with store.read() as reader:
        _refuse_open(reader)
        pool = reader.images.ids_and_hashes(Role.POOL)
        answered = reader.labels.current(Role.POOL)
        before = len(reader.labels.current(Role.AUDIT))
        posterior = reader.computed.posterior(encoder_id)
        newest = reader.computed.learner()
        number = len(reader.rounds.all()) + 1
        seed = reader.settings().seed + number if seed is None else seed
        leftover = _leftover(reader)[:count]
        classes = reader.classes.current()
        record = circumstances(reader, seed)
    if posterior is None:
        raise PosteriorMissing(encoder_id)
    free = [image for image in rows_of(pool).values() if image not in answered]
    if not leftover and not free:
        raise PoolExhausted
    order = torch.randperm(len(free), generator=torch.Generator().manual_seed(seed))
    drawn = [free[i] for i in order[: count - len(leftover)].tolist()]
    new = NewRound(
        strategy=AUDIT_STRATEGY,
        seed=seed,
        class_list_id=classes.id or 0,
        posterior_id=posterior.id,
        learner_id=newest.id if newest else None,
        seconds=time.perf_counter() - started,
        items=[NewItem(image, None, None) for image in leftover]
        + [NewItem(image, None, None, 1 / (len(free) - m)) for m, image in enumerate(drawn)],
        settings={
            "wanted": count,
            "leftover": len(leftover),
            "candidates": len(free),
            "labelled_before": len(answered),
            "audit_before": before,
            "record": record,
            "versions": versions(device),
        },
    )
    with store.write() as writer:
        _refuse_open(writer)
        writer.images.set_role(drawn, Role.AUDIT)
        return writer.rounds.open(new, clock())


def _refuse_open(reader: Reader) -> None:
    current = reader.rounds.current()
    if current is not None:
        unanswered = sum(item.label is None for item in reader.rounds.items(current.id))
        raise RoundStillOpen(current.number, unanswered)


def _leftover(reader: Reader) -> list[int]:
    """Images of earlier draws that nobody answered, in the order in which they were drawn."""
    answered = reader.labels.current(Role.AUDIT)
    asked = [
        item.image_id
        for round_ in reader.rounds.all()
        if round_.strategy == AUDIT_STRATEGY
        for item in reader.rounds.items(round_.id)
    ]
    return [image for image in dict.fromkeys(asked) if image not in answered]


# --------------------------------------------------------------------------------- what it measures


def measured_details(
    probabilities: Float[Tensor, "N C"], labels: Int[Tensor, "N"], hashes: Sequence[str]
) -> dict[str, Any]:
    """What is recorded with a measurement beside its figures; plain JSON values.

    `intervals`: 95 % bootstrap intervals over images. `right`: a 1 for every image that was classified
    correctly, else a 0, by content hash. `audit`: tells apart the sets of images that were measured on.
    """
    right = (probabilities.argmax(dim=-1) == labels).tolist()
    by_hash = sorted(zip(hashes, right, strict=True))
    digest = hashlib.sha256("".join(content for content, _ in by_hash).encode())
    return {
        "intervals": intervals(probabilities, labels),
        "right": "".join("01"[found] for _, found in by_hash),
        "audit": digest.hexdigest()[:16],
    }


def intervals(
    probabilities: Float[Tensor, "N C"],
    labels: Int[Tensor, "N"],
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % bootstrap intervals over images: percentiles, for ECE the basic interval (see `metrics`)."""
    probabilities, labels = probabilities.double().cpu(), labels.cpu()
    count, classes = probabilities.shape
    right = probabilities.argmax(dim=-1) == labels  # N
    surprise = (
        -probabilities.gather(1, labels[:, None])[:, 0].clamp_min(_SMALLEST_PROBABILITY).log()
    )
    cells = torch.zeros(count, 2 * classes + 1, dtype=torch.float64)  # found | there | surprise
    cells[torch.arange(count), labels] = right.double()
    cells[torch.arange(count), classes + labels] = 1.0
    cells[:, -1] = surprise
    generator = torch.Generator().manual_seed(seed)
    sums = []
    for start in range(0, resamples, step := max(1, _NUMBERS_AT_ONCE // count)):
        size = min(step, resamples - start)
        chosen = torch.randint(count, (size, count), generator=generator)  # K N
        times = torch.zeros(size, count, dtype=torch.float64)
        times.scatter_add_(1, chosen, torch.ones_like(times))
        sums.append(times @ cells)
    every = torch.cat(sums)
    found, there, nlpd = every[:, :classes], every[:, classes:-1], every[:, -1]
    recall = torch.where(there > 0, found / there.clamp_min(1), torch.zeros(()).double())
    balanced = recall.sum(dim=-1) / (there > 0).sum(dim=-1)  # K
    confidence = probabilities.max(dim=-1).values
    return {
        "balanced_accuracy": _middle(balanced),
        "nlpd": _middle(nlpd / count),
        "ece": calibration_interval(confidence, right, seed=seed),
    }


def _middle(values: Float[Tensor, "K"]) -> tuple[float, float]:
    """The middle 95 % of resampled figures."""
    ends = values.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64))
    return float(ends[0]), float(ends[1])
