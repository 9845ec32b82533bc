"""A batch of 50 from 100,000 images x 100 classes: our strategies, and those of other libraries.

    python -m tests.bench.acquisition                 the full table; minutes
    python -m tests.bench.acquisition 20              every pool 20 times smaller, to see that it works
    python -m tests.bench.acquisition 1 baal BADGE    only rows with one of these words

P = 768, D = 512, 200 labels, a synthetic model, and synthetic images of 100 kinds from a seed. Each row
runs in a process of its own on two threads. `above features` is the peak of its memory above the memory
in use before the batch. Our pools are float16 files and stream; the other libraries get one matrix in
memory, of the largest size that they process in a few GiB and minutes, which the row states. They need
the extra `bench`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import multiprocessing
import queue
import resource
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.strategy import AcquisitionContext
from alworkbench.adaptation.learner import Learner
from alworkbench.adaptation.methods import find_method
from alworkbench.core.domain import DEFAULT_ADAPTATION, ProjectSettings
from alworkbench.encoders.head import Features
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from tests.bench.adaptation import ACTIVATION as P
from tests.bench.adaptation import Campaign, World

CLASSES, LABELS, BATCH, DRAWS, TARGETS = 100, 200, 50, 128, 1000
SHARD = 65_536
FEW = 5
"""A batch that other forms of BatchBALD choose in minutes: they go through joint predictions."""
THREADS = 2
LIMIT = 1200.0
"""Seconds that a row may take."""

Ask = Callable[[], object]
"""Everything is ready: choose the batch."""


@dataclass(frozen=True)
class Row:
    who: str
    what: str
    images: int
    prepare: Callable[[Path, int], Ask]
    """From a folder that holds the pool on disk (ours) and the number of images."""
    on_disk: bool = False
    needs: str | None = None
    """A package of the extra."""
    note: str = ""
    name: str = ""
    """Of a strategy of ours."""


# ------------------------------------------------------------------------------------------- ours


@cache
def campaign() -> Campaign:
    """A made-up model with 20 images of each class, of which the first LABELS are labelled."""
    return World().campaign(20 * CLASSES, CLASSES)


def pool_images(start: int, stop: int) -> Features:
    """Rows of the pool: the labelled images, then mixtures of two images of one class, with noise."""
    known = campaign().images.activations
    rows = torch.arange(start, stop)
    chance = torch.Generator().manual_seed(start)
    one, other = torch.randint(0, 20, (2, len(rows)), generator=chance)
    share = torch.rand(len(rows), 1, generator=chance)
    noise = torch.randn(len(rows), P, generator=chance) / P**0.5
    label = rows % CLASSES
    mixed = share * known[CLASSES * one + label] + (1 - share) * known[CLASSES * other + label]
    mixed = mixed + 0.1 * noise
    labelled = rows < LABELS
    mixed[labelled] = known[rows[labelled]]
    return Features(mixed)


def make_pool(folder: Path, images: int) -> None:
    """Write a pool through the ordinary writer."""
    with FeatureStore(folder).writer() as writer:
        for start in range(0, images, SHARD):
            stop = min(start + SHARD, images)
            names = [hashlib.sha256(b"%d" % k).hexdigest() for k in range(start, stop)]
            entries = [Entry(name, f"{name}.jpg") for name in names]
            writer.add(entries, pool_images(start, stop))


def labelled_learner() -> Learner:
    known = campaign()
    method = find_method(DEFAULT_ADAPTATION)
    return method(known.start, known.images[:LABELS], known.targets[:LABELS])


def context(table: FeatureTable, images: int, learner: Learner) -> AcquisitionContext:
    """A batch from the first so many images of a pool, of which the very first have labels."""
    labelled = torch.arange(LABELS)
    return AcquisitionContext(
        table=table,
        candidates=torch.arange(LABELS, images),
        targets=torch.randperm(images, generator=torch.Generator().manual_seed(0))[:TARGETS],
        learner=learner,
        batch_size=BATCH,
        seed=1,
        draw_seed=0,
        labelled=labelled,
        labels=labelled % CLASSES,
        pool_is_target=True,
        draws=DRAWS,
    )


def ours(folder: Path, name: str) -> Ask:
    table = FeatureStore(folder).open_table()
    asked = context(table, len(table), labelled_learner())
    strategy = find_strategy(name)
    return lambda: strategy.select(asked)


def prepare_ours(name: str) -> Callable[[Path, int], Ask]:
    return lambda folder, images: ours(folder, name)


# ----------------------------------------------------------------------------------------- the others


def matrix(images: int) -> tuple[np.ndarray, np.ndarray]:
    """A pool as the others want it: X, and labels of the first LABELS rows."""
    return pool_images(0, images).activations.numpy(), np.arange(LABELS) % CLASSES


def modal_ranked_batch(folder: Path, images: int) -> Ask:
    from modAL.batch import uncertainty_batch_sampling
    from modAL.models import ActiveLearner
    from sklearn.linear_model import LogisticRegression

    x, y = matrix(images)
    learner = ActiveLearner(
        LogisticRegression(max_iter=50),
        uncertainty_batch_sampling,
        X_training=x[:LABELS],
        y_training=y,
    )
    return lambda: learner.query(x[LABELS:], n_instances=BATCH)


def skactiveml(images: int) -> tuple[np.ndarray, np.ndarray, object]:
    from skactiveml.classifier import SklearnClassifier
    from sklearn.linear_model import LogisticRegression

    x, known = matrix(images)
    y = np.full(images, np.nan)
    y[:LABELS] = known
    classifier = SklearnClassifier(LogisticRegression(max_iter=50), classes=range(CLASSES))
    return x, y, classifier.fit(x, y)


def skactiveml_badge(folder: Path, images: int) -> Ask:
    from skactiveml.pool import Badge

    x, y, classifier = skactiveml(images)
    chosen = Badge(random_state=0)
    return lambda: chosen.query(x, y, clf=classifier, fit_clf=False, batch_size=BATCH)


def skactiveml_typiclust(folder: Path, images: int) -> Ask:
    from skactiveml.pool import TypiClust

    x, y, _ = skactiveml(images)
    return lambda: TypiClust(random_state=0).query(x, y, batch_size=BATCH)


def skactiveml_clue(folder: Path, images: int) -> Ask:
    from skactiveml.pool import Clue

    x, y, classifier = skactiveml(images)
    chosen = Clue(random_state=0)
    return lambda: chosen.query(x, y, estimator=classifier, fit_estimator=False, batch_size=BATCH)


def skactiveml_batchbald(folder: Path, images: int) -> Ask:
    from skactiveml.classifier import SklearnClassifier
    from skactiveml.pool import BatchBALD
    from sklearn.linear_model import LogisticRegression

    x, y, _ = skactiveml(images)
    chance = np.random.default_rng(0)
    members = []
    for _ in range(8):
        own = y.copy()
        own[chance.choice(LABELS, LABELS // 4, replace=False)] = np.nan
        member = SklearnClassifier(LogisticRegression(max_iter=50), classes=range(CLASSES))
        members.append(member.fit(x, own))
    chosen = BatchBALD(random_state=0)
    return lambda: chosen.query(x, y, ensemble=members, fit_ensemble=False, batch_size=FEW)


def predictions(start: int, images: int) -> np.ndarray:
    """N x C x K, of our learner: what baal's heuristics are given."""
    learner = labelled_learner()
    features = pool_images(start, start + images)
    changes = learner.model.jvp(learner.model.images(features), learner.draws(DRAWS, 0))
    drawn = (learner.logits(features) + changes).softmax(dim=-1)  # K N C
    return drawn.permute(1, 2, 0).contiguous().numpy()


def baal_batchbald(folder: Path, images: int) -> Ask:
    from baal.active.heuristics import BatchBALD

    given = predictions(LABELS, images)
    chosen = BatchBALD(num_samples=FEW)
    return lambda: chosen(given)


def baal_epig(folder: Path, images: int) -> Ask:
    from baal.active.heuristics import EPIG

    given, wanted = predictions(LABELS, images), predictions(LABELS + images, images // 2)
    return lambda: EPIG()(given, target_predictions=wanted)


def rows(smaller: int) -> list[Row]:
    """Every row, its pool divided by `smaller`."""
    default = ProjectSettings("bench").strategy
    names = list(dict.fromkeys((default, "margin")))
    found = [
        Row("alworkbench", name, count, prepare_ours(name), True, None, note, name)
        for count in (100_000, 1_000_000)
        for name in names
        for note in ("what a user gets",) * (name == default) or ("",)
    ]
    found += [
        Row("modAL", "ranked batch", 20_000, modal_ranked_batch),
        Row("scikit-activeml", "TypiClust", 20_000, skactiveml_typiclust, needs="skactiveml"),
        Row("scikit-activeml", "CLUE", 20_000, skactiveml_clue, needs="skactiveml"),
        Row("scikit-activeml", "BADGE", 2_000, skactiveml_badge, needs="skactiveml"),
        Row(
            "scikit-activeml",
            "BatchBALD",
            1_000,
            skactiveml_batchbald,
            needs="skactiveml",
            note=f"batch of {FEW}, 8 members",
        ),
        Row(
            "baal",
            "BatchBALD",
            100,
            baal_batchbald,
            needs="baal",
            note=f"batch of {FEW}, {DRAWS} draws",
        ),
        Row(
            "baal",
            "EPIG",
            200,
            baal_epig,
            needs="baal",
            note=f"{DRAWS} draws, 100 targets; top 50",
        ),
    ]
    least = {True: LABELS + BATCH + TARGETS, False: LABELS + 2 * BATCH}
    return [
        Row(
            row.who,
            row.what,
            row.images if row.who == "baal" else max(row.images // smaller, least[row.on_disk]),
            row.prepare,
            row.on_disk,
            row.needs,
            row.note,
            row.name,
        )
        for row in found
    ]


# ------------------------------------------------------------------------------------------ measuring


def peak_mebibytes() -> float:
    """Of this process, since it began or since `forget_peak`."""
    if sys.platform == "linux":
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
    scale = 1024 if sys.platform == "linux" else 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


def forget_peak() -> None:
    """Let the peak begin anew with what is held now (Linux; elsewhere it is that of the process)."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")


def measured(index: int, smaller: int, folder: str, answers: multiprocessing.Queue) -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(THREADS)
    row = rows(smaller)[index]
    ask = row.prepare(Path(folder), row.images)
    forget_peak()
    before, cpu, began = peak_mebibytes(), time.process_time(), time.perf_counter()
    ask()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    answers.put((seconds, cpu, peak_mebibytes() - before))


def run(index: int, smaller: int, folder: str) -> tuple[str, str, str]:
    """Seconds, seconds of the processor and MiB above the features, in words."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue = context.Queue()
    process = context.Process(target=measured, args=(index, smaller, folder, answers))
    began = time.perf_counter()
    process.start()
    try:
        while True:
            try:
                found = answers.get(timeout=1)
                break
            except queue.Empty:
                if not process.is_alive():
                    # A child that is killed for its memory leaves no message.
                    return f"ended with {process.exitcode}", "", ""
                if time.perf_counter() - began > LIMIT:
                    return f"over {LIMIT:.0f}", "", ""
    finally:
        process.terminate()
        process.join()
    return f"{found[0]:.2f}", f"{found[1]:.2f}", f"{found[2]:,.0f}"


def main() -> None:
    smaller = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    words = sys.argv[2:]
    table = Table(
        title=f"A batch of {BATCH}: {CLASSES} classes, P = {P}, {LABELS} labels, {THREADS} threads",
        title_justify="left",
        box=None,
    )
    for heading in ("", "strategy", "images", "seconds", "CPU s", "above features, MiB", "with"):
        left = heading in ("", "strategy", "with")
        table.add_column(heading, justify="left" if left else "right")
    pools: dict[int, tempfile.TemporaryDirectory] = {}
    try:
        for index, row in enumerate(rows(smaller)):
            if words and not {row.who, row.what} & set(words):
                continue
            folder = ""
            if row.on_disk:
                if row.images not in pools:
                    pools[row.images] = tempfile.TemporaryDirectory()
                    make_pool(Path(pools[row.images].name), row.images)
                folder = pools[row.images].name
            if row.needs is not None and importlib.util.find_spec(row.needs) is None:
                found = ("not installed", "", "")
            else:
                found = run(index, smaller, folder)
            cells = (row.who, row.what, f"{row.images:,}", *found, row.note)
            print("  ".join(cells), file=sys.stderr, flush=True)
            table.add_row(*cells)
    finally:
        for pool in pools.values():
            pool.cleanup()
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
