"""What a GPU gains: encoding, scoring, choosing and learning on it and on the CPU, in one run.

    python -m tests.bench.device                    the table; five minutes, most of them on the CPU
    python -m tests.bench.device tower learn        only rows with one of these words
    python -m tests.bench.device --smaller 50       every size 50 times smaller, to see that it works
    python -m tests.bench.device --device cuda:1    another device than the first

P = 768, D = 512, 100 classes, 200 labels, a made-up model, and a pool on disk as float16 that streams to
the device; the CPU has all of torch's threads. A strategy holds 1 GiB beside the features on either side, as
it does for a user. Seconds are those of the quicker of two runs after a first one, in which all is loaded;
where that takes long it counts by itself. Every run ends with numbers on the CPU.
"""

from __future__ import annotations

import argparse
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from alworkbench.acquisition.catalogue import find_strategy
from alworkbench.acquisition.scores import entropy
from alworkbench.adaptation.learner import Learner, zero_shot
from alworkbench.adaptation.methods import find_method
from alworkbench.cli.demo import DEMO_CLASSES, DEMO_SETTINGS
from alworkbench.core.devices import describe, resolve_device
from alworkbench.core.domain import DEFAULT_ADAPTATION, DEFAULT_STRATEGY, ProjectFolder
from alworkbench.datasets.sample import bundled_sample
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.encoders.loading import from_model
from alworkbench.encoders.supported import build
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.posterior.curvature import pair_curvature
from alworkbench.posterior.predictive import probit_logits, stream_moments
from alworkbench.project.session import utc_now
from alworkbench.project.workbench import Workbench
from store import create_store, open_store
from tests.bench.acquisition import BATCH, CLASSES, DRAWS, LABELS, TARGETS, context, make_pool
from tests.bench.adaptation import Campaign, World

IMAGES = 1_000_000
SAMPLE_IMAGES = 4_000
SOME, FEW = 100_000, 5_000
TOWER_ROWS = 64
"""Images that `alworkbench encode` gives a tower at once."""
SHORT = 4.0
"""Seconds of a first run that is worth another two."""

Work = Callable[[torch.device], object]


@dataclass(frozen=True)
class Row:
    what: str
    amount: int
    unit: str
    """Of `amount`, in words."""
    prepare: Callable[[Path], Work]
    """In a folder for what it needs on disk."""


# ------------------------------------------------------------------------------------- encoding


@cache
def encoder(name: str, device: torch.device) -> Encoder:
    """The bundled model, or an architecture of open_clip with weights drawn at random."""
    if name == "bundled":
        return load_encoder(name, device)
    import open_clip

    model = build(name, torch.device("cpu"))
    return from_model(model, open_clip.get_tokenizer(name), name, f"{name}:drawn", device)


def tower(name: str, images: int) -> Row:
    """Decoded images through the image tower, in the batches of `alworkbench encode`."""

    def work(device: torch.device) -> object:
        found = encoder(name, device)
        pixels = torch.zeros(TOWER_ROWS, 3, *found.preprocess.size)
        starts = range(0, images, TOWER_ROWS)
        return [found.encode_images(pixels[: images - k]).activations.cpu() for k in starts]

    return Row(f"image tower, {name}", images, "images", lambda scratch: work)


def whole_encoding() -> Row:
    """`alworkbench encode` of the bundled sample: files are read, decoded, encoded and kept."""

    def prepare(scratch: Path) -> Work:
        folder, copy = scratch / "project", scratch / "copy"
        create_store(folder, DEMO_SETTINGS, DEMO_CLASSES, utc_now()).close()
        with closing(open_store(folder)) as store:
            Workbench(ProjectFolder(folder), store).images.add(bundled_sample())

        def work(device: torch.device) -> object:
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(folder, copy)
            with closing(open_store(copy)) as store:
                return Workbench(ProjectFolder(copy), store, device=device).features.encode()

        return work

    return Row("encode the bundled sample, from files", SAMPLE_IMAGES, "images", prepare)


# --------------------------------------------------------------------------- scoring and choosing


@cache
def world() -> World:
    return World()


@cache
def campaign_of(labels: int) -> Campaign:
    """The images of `tests.bench.acquisition` where these are 20 of each class."""
    return World().campaign(labels, CLASSES)


@cache
def start(device: torch.device, labels: int) -> Learner:
    head, belief = world().head.to(device), world().posterior.to(device)
    return zero_shot(head, belief, campaign_of(labels).start.class_activations.to(device))


def learn(device: torch.device, labels: int, images: int) -> Learner:
    """From the first `labels` of so many images."""
    made = campaign_of(images)
    way = find_method(DEFAULT_ADAPTATION)
    return way(
        start(device, images),
        made.images[:labels].to(device),
        made.targets[:labels],
        pool=made.pool.to(device),
    )


@cache
def labelled_learner(device: torch.device) -> Learner:
    return learn(device, LABELS, 20 * CLASSES)


@cache
def pool(scratch: Path, images: int) -> FeatureTable:
    make_pool(scratch / f"pool-{images}", images)
    return FeatureStore(scratch / f"pool-{images}").open_table()


def choosing(name: str, images: int, of: int) -> Row:
    """A batch of BATCH from the first images of a pool of so many."""

    def work(table: FeatureTable, device: torch.device) -> object:
        return find_strategy(name).select(context(table, images, labelled_learner(device)))

    what = f"a batch of {BATCH} by {name}"
    return Row(what, images, "images", lambda scratch: partial(work, pool(scratch, of)))


def entropies(images: int) -> Row:
    """Means and variances of all logits, and the entropy of what they predict."""

    def work(table: FeatureTable, device: torch.device) -> object:
        head, belief = world().head.to(device), world().posterior.to(device)
        classes = start(device, 20 * CLASSES).class_activations
        found = [
            entropy(probit_logits(moments).softmax(dim=-1)).cpu()
            for _, moments in stream_moments(table, None, head, belief, classes)
        ]
        return torch.cat(found)

    what = "moments and predictive entropy"
    return Row(what, images, "images", lambda scratch: partial(work, pool(scratch, images)))


def learning(labels: int) -> Row:
    def work(device: torch.device) -> object:
        update = learn(device, labels, labels).update
        assert update is not None
        return update.map(Tensor.cpu)

    return Row(f"learn (the default), {CLASSES} classes", labels, "labels", lambda scratch: work)


def drawing() -> Row:
    def work(device: torch.device) -> object:
        return labelled_learner(device).draws(DRAWS, 0).text[0, 0, 0].item()

    what = f"draw from the posterior given {LABELS} labels"
    return Row(what, DRAWS, "draws", lambda scratch: work)


def fitting(pairs: int) -> Row:
    def prepare(scratch: Path) -> Work:
        chance = torch.Generator().manual_seed(1)
        texts = torch.randn(pairs, world().head.text_projection.shape[1], generator=chance)
        images = campaign_of(20 * CLASSES).images[torch.arange(pairs) % (20 * CLASSES)]

        def work(device: torch.device) -> object:
            head, batch = world().head.to(device), min(pairs, 4096)
            found = pair_curvature(head, images.to(device), texts.to(device), batch=batch)
            return found.image.to("cpu"), found.text.to("cpu")

        return work

    return Row("curvature of both projections, batches of 4,096", pairs, "pairs", prepare)


# ---------------------------------------------------------------------------------------- measuring


def rows(smaller: int) -> list[Row]:
    least = LABELS + BATCH + TARGETS
    few, some, every = (max(least, count // smaller) for count in (FEW, SOME, IMAGES))
    return [
        tower("bundled", 20_000 // smaller),
        tower("ViT-B-32", 2_048 // smaller),
        whole_encoding(),
        fitting(16_384 // smaller),
        learning(200),
        learning(max(200, 2_000 // smaller)),
        drawing(),
        entropies(every),
        choosing(DEFAULT_STRATEGY, some, every),
        choosing(DEFAULT_STRATEGY, every, every),
        choosing("bald", some, every),
        choosing("epig", few, every),
    ]


def seconds(work: Work, device: torch.device) -> float:
    """Of the quicker of two runs after a first one, or of a first one that is long."""
    took: list[float] = []
    for _ in range(3):
        gc.collect()
        began = time.perf_counter()
        work(device)
        took.append(time.perf_counter() - began)
        if took[0] > SHORT:
            return took[0]
    return min(took[1:])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.device")
    parser.add_argument("words", nargs="*", help="only rows with one of these")
    parser.add_argument("--smaller", type=int, default=1, help="divide every size by this")
    parser.add_argument("--device", default="auto", help="cuda, cuda:1, mps")
    asked = parser.parse_args()
    device, cpu = resolve_device(asked.device), torch.device("cpu")
    console = Console(width=130)
    if device == cpu:
        console.print("There is no GPU on this machine: nothing to compare the CPU with.")
        return
    table = Table(
        title=f"{describe(device)} beside {describe(cpu)}, torch {torch.__version__}",
        title_justify="left",
        box=None,
    )
    for heading in ("", "size", "CPU, seconds", "GPU, seconds", "GPU, a second", "times quicker"):
        table.add_column(heading, justify="right" if heading else "left")
    with tempfile.TemporaryDirectory() as scratch:
        for row in rows(asked.smaller):
            if asked.words and not any(word in row.what for word in asked.words):
                continue
            work = row.prepare(Path(scratch))
            quick, slow = seconds(work, device), seconds(work, cpu)
            cells = (
                row.what,
                f"{row.amount:,} {row.unit}",
                f"{slow:.2f}",
                f"{quick:.2f}",
                f"{row.amount / quick:,.0f}",
                f"{slow / quick:.1f}",
            )
            print("  ".join(cells), file=sys.stderr, flush=True)
            table.add_row(*cells)
    console.print(table)


if __name__ == "__main__":
    main()
