"""LURE against the naive mean over selected labels: `python -m tests.bench.lure`.

Synthetic: a pool of 400 images in which an image with a high score is more often wrong. 40 images are
sampled without replacement with q proportional to score^power, 200 times. Project: a real pool in a real
project, sampled by its own strategies; the truth is the accuracy of the learner that asked on all images
that could be sampled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from alworkbench.core.domain import (
    ClassList,
    EncoderRecord,
    FoundImage,
    LabelClass,
    ProjectFolder,
    ProjectSettings,
    Role,
)
from alworkbench.evaluation.lure import estimate, of_round
from alworkbench.features.table import FeatureTable
from alworkbench.project.artifacts import FixedEngine
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import memory_store

REPEATS, MANY = 200, 20_000
IMAGES, DRAWN = 400, 40


@dataclass(frozen=True)
class Line:
    """Mean estimates over repeats against the truth."""

    what: str
    truth: float
    lure: float
    lure_error: float
    """Standard error of the mean of the repeats."""
    naive: float
    naive_error: float
    covered: float
    """Share of the 95 % intervals that hold the truth."""

    @property
    def lure_bias(self) -> float:
        """In standard errors."""
        return (self.lure - self.truth) / self.lure_error

    @property
    def naive_bias(self) -> float:
        return (self.naive - self.truth) / self.naive_error


def line(what: str, found: Sequence[tuple[float, float, float, bool]]) -> Line:
    """From (truth, LURE, naive, covered) of each repeat; errors are those of differences to the truth."""
    truth, lure, naive, covered = (np.array(each, dtype=float) for each in zip(*found, strict=True))
    errors = [float((e - truth).std(ddof=1) / math.sqrt(len(e))) for e in (lure, naive)]
    means = [float(each.mean()) for each in (truth, lure, naive, covered)]
    return Line(
        what, means[0], means[1], max(errors[0], 1e-12), means[2], max(errors[1], 1e-12), means[3]
    )


def draws(
    random: np.random.Generator, weight: np.ndarray, count: int, repeats: int
) -> tuple[np.ndarray, np.ndarray]:
    """`count` images without replacement, each with probability ~ weight among those left, and those
    probabilities: (repeats, count) both. The order of log(weight) + Gumbel noise is such a draw."""
    noise = random.gumbel(size=(repeats, len(weight)))
    chosen = np.argsort(-(np.log(weight) + noise), axis=1)[:, :count]
    drawn = weight[chosen]
    left = weight.sum() - np.cumsum(drawn, axis=1) + drawn
    return chosen, drawn / left


def synthetic(power: float, uniform: float = 0.0, repeats: int = REPEATS, seed: int = 0) -> Line:
    random = np.random.default_rng(seed)
    score = random.beta(1.2, 3.0, IMAGES) + 0.02
    wrong = random.random(IMAGES) < np.clip(1.2 * score, 0, 1)
    truth = float(wrong.mean())
    weight = score**power / (score**power).sum()
    weight = (1 - uniform) * weight + uniform / IMAGES
    found = []
    for chosen, q in zip(*draws(random, weight, DRAWN, repeats), strict=True):
        got = estimate(wrong[chosen].astype(float).tolist(), q.tolist(), IMAGES)
        found.append((truth, got.value, got.naive, got.low <= truth <= got.high))
    mixed = f", {uniform:.0%} uniform" if uniform else ""
    return line(f"synthetic, q ~ score^{power:g}{mixed}, {repeats} x", found)


def project(strategy: str, repeats: int = REPEATS, seed: int = 0, batch: int = 30) -> Line:
    """The same through the service."""
    bench = SmallProject(seed)
    found = [bench.round(strategy, batch, seed + n) for n in range(repeats)]
    return line(f"service, {strategy}, first round", found)


class SmallProject:
    """300 images of 4 classes, most of which the zero-shot model knows; in memory."""

    def __init__(self, seed: int, images: int = 300) -> None:
        from tests.factories import generator, normal, small_model

        labels = torch.randint(0, 4, (images,), generator=generator(seed + 1))
        model = small_model(images=images, dtype=torch.float32)
        aimed = (
            model.classes
            @ model.head.text_projection.T
            @ torch.linalg.pinv(model.head.image_projection).T
        )
        activations = aimed[labels] + 1.4 * normal(seed + 9, images, 7, dtype=torch.float32)
        hashes = [f"{n:064x}" for n in range(1, images + 1)]
        from alworkbench.encoders.head import Features

        table = FeatureTable.from_features(hashes, Features(activations, None))
        self.engine = FixedEngine("small", model.head, table, model.classes, model.posterior)
        self.truth = dict(zip(hashes, labels.tolist(), strict=True))
        self.classes = ClassList(tuple(LabelClass(name) for name in "abcd"))

    def round(self, strategy: str, batch: int, seed: int) -> tuple[float, float, float, bool]:
        """(truth, LURE, naive, covered) of the first round of a fresh project with this seed."""
        from alworkbench.core.domain import Answer, AnswerKind

        store = memory_store(ProjectSettings("small", seed=seed), self.classes, utc_now())
        try:
            with store.write() as writer:
                pictures = [FoundImage(content, content, 0, 0, 0) for content in self.truth]
                writer.images.add(pictures, [], root="made", role=Role.POOL)
                writer.computed.set_encoder(EncoderRecord("small", "made"))
                writer.computed.add_posterior("small", "made", {}, utc_now())
            workbench = Workbench(ProjectFolder(Path("nowhere")), store, engine=self.engine)
            opened = workbench.rounds.propose(strategy, batch, seed)
            with store.read() as reader:
                hash_of = dict(reader.images.ids_and_hashes(Role.POOL))
                classes = reader.classes.current()
            answers = [
                Answer(
                    f"a{item.id}",
                    item.image_id,
                    AnswerKind.CLASS,
                    "oracle",
                    class_id=classes.classes[self.truth[hash_of[item.image_id]]].id,
                    item_id=item.id,
                )
                for item in workbench.rounds.items(opened.id)
            ]
            with store.write() as writer:
                writer.labels.add_many(answers, utc_now())
                closed = writer.rounds.close(opened.id, utc_now())
            got = of_round(closed, workbench.rounds.items(opened.id))
            assert got is not None, f"{strategy} logs no probabilities"
            found = got.accuracy
            truth = self.accuracy(workbench)
            return truth, found.value, found.naive, found.low <= truth <= found.high
        finally:
            store.close()

    def accuracy(self, workbench: Workbench) -> float:
        table = self.engine.table()
        rows = table.rows_of(list(self.truth))
        said = workbench.learners.newest().logits(table.gather(rows)).argmax(dim=-1)
        return float((said == torch.tensor(list(self.truth.values()))).double().mean())


def main() -> None:
    torch.set_num_threads(1)
    lines = [
        synthetic(power, uniform, repeats)
        for repeats in (REPEATS, MANY)
        for power, uniform in ((0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (2.0, 0.3))
    ]
    lines += [project(s) for s in ("random", "power-margin", "power-bald")]
    print("bias of the mean over repeats, in its standard errors (SE); service: 200 repeats")
    print(f"{'':48s} truth    LURE  bias/SE   naive  bias/SE  95 % interval holds")
    for each in lines:
        print(
            f"{each.what:48s} {each.truth:.3f}  {each.lure:6.3f}  {each.lure_bias:+6.2f}  "
            f"{each.naive:6.3f}  {each.naive_bias:+7.2f}  {each.covered:.1%}"
        )


if __name__ == "__main__":
    main()
