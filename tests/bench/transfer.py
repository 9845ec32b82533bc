"""What a temperature of other labels is worth: `python -m tests.bench.transfer [DATA ...]`.

First table: the classes of the bundled sample are cut into two halves, SPLITS times, and a temperature is
carried from either half to the other, fitted to 20 to 250 images; then with 50 images by the number of
class names in the fitted half that the bundled model never read. Second table: from each named data set to
each other one, DRAWS samples of 50 images. Data sets are named as for `alworkbench calibrate`; those that
are named together must have one model. By default they are the collections for development.

A loss against the oracle is the NLPD that own labels would gain. The oracle is cross-fitted to all images
of the second data set. Encoded collections are read from $ALWORKBENCH_CACHE.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from alworkbench.adaptation.temperature import fit_temperature
from alworkbench.adaptation.temperature_record import ProbabilityPath
from alworkbench.api import DEFAULT_CACHE, load_context
from alworkbench.calibration_study.labelled_logits import (
    LabelledLogits,
    labelled_logits,
    split_classes,
)
from alworkbench.calibration_study.temperature_transfer import (
    FIT_IMAGES,
    fit_samples,
    oracle_logits,
    stand_apart,
)
from alworkbench.datasets.sample import UNKNOWN_TO_BUNDLED_MODEL
from alworkbench.evaluation.metrics import measure
from alworkbench.project.session import utc_now
from alworkbench.simulation.load.origin import origin_named

SPLITS, SPLIT_IMAGES = 20, (20, 50, 100, 250)
DRAWS = 20
DEVELOPMENT = ("sample", "digits", "glyphs")
MOMENTS = ("before", "after", "oracle")
UNKNOWN_NAMES = set(UNKNOWN_TO_BUNDLED_MODEL)


def figures(target: LabelledLogits, temperature: float | None) -> tuple[float, float, float]:
    """NLPD, ECE, and mean confidence minus accuracy, at a temperature; None is the oracle."""
    own = temperature is None
    p = (oracle_logits(target, seed=0) if own else target.logits / temperature).softmax(dim=-1)
    found = measure(p, target.labels)
    return found.nlpd, found.ece, float(p.amax(dim=-1).mean()) - found.accuracy


def spread(values: list[float], digits: int = 3) -> str:
    """Mean and standard deviation; one value has none."""
    every = np.array(values)
    if len(every) == 1:
        return f"{every[0]:.{digits}f}"
    return f"{every.mean():.{digits}f} ± {every.std(ddof=1):.{digits}f}"


def new_table(title: str, *headings: str) -> Table:
    table = Table(title=title, box=None, title_justify="left")
    for heading in headings:
        table.add_column(heading)
    return table


@dataclass(frozen=True)
class Carried:
    """From one half of the classes to the other."""

    unknown: int
    """Names of the fitted half that the model never read."""
    temperature: float
    own: float
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    oracle: tuple[float, float, float]


def carried(data: LabelledLogits, images: int) -> list[Carried]:
    """Both ways, for each split."""
    found = []
    for seed in range(SPLITS):
        halves = split_classes(data, seed)
        for k, (source, target) in enumerate((halves, halves[::-1])):
            (record,) = fit_samples(source, images, 1, 2 * seed + k, utc_now())
            temperature = record.fit.temperature
            found.append(
                Carried(
                    len(UNKNOWN_NAMES & set(source.classes.names)),
                    temperature,
                    fit_temperature(target.logits, target.labels).temperature,
                    figures(target, 1.0),
                    figures(target, temperature),
                    figures(target, None),
                )
            )
    return found


def halves(data: LabelledLogits) -> Table:
    """From one half of the classes to the other, by the number of images and by unknown names."""
    table = new_table(
        f"{data.name}: half of the classes to the other half, {SPLITS} splits, both ways",
        "images", "T", "own T", "NLPD, T = 1", "transferred", "oracle", "transferred - oracle",
        "better than T = 1", "ECE, T = 1", "transferred", "oracle",
    )  # fmt: skip
    rows = {str(images): carried(data, images) for images in SPLIT_IMAGES}
    usual = rows[str(FIT_IMAGES)]
    for unknown in sorted({each.unknown for each in usual}):
        part = [each for each in usual if each.unknown == unknown]
        rows[f"{FIT_IMAGES}, {unknown} of {len(UNKNOWN_NAMES)} unknown names"] = part
    for name, found in rows.items():
        wins = sum(each.after[0] < each.before[0] for each in found)
        nlpd, ece = (
            [spread([getattr(each, when)[k] for each in found]) for when in MOMENTS] for k in (0, 1)
        )
        table.add_row(
            name, spread([each.temperature for each in found], 2),
            spread([each.own for each in found], 2), *nlpd,
            spread([each.after[0] - each.oracle[0] for each in found]),
            f"{wins} of {len(found)}", *ece,
        )  # fmt: skip
    return table


def between(sets: list[LabelledLogits]) -> Table:
    """From each data set to each other one."""
    table = new_table(
        f"{FIT_IMAGES} images of one data set to another, {DRAWS} samples: mean ± standard deviation",
        "from", "to", "accuracy", "T", "own T", "NLPD, T = 1", "transferred", "oracle", "better",
        "ECE, T = 1", "transferred", "oracle", "overconfidence, T = 1", "transferred",
    )  # fmt: skip
    for whole in permutations(sets, 2):
        source, target = stand_apart(*whole, seed=0)
        records = fit_samples(source, FIT_IMAGES, DRAWS, 0, utc_now())
        fits = [record.fit.temperature for record in records]
        before, oracle = figures(target, 1.0), figures(target, None)
        after = [figures(target, t) for t in fits]
        own = fit_temperature(target.logits, target.labels)
        accuracy = measure(target.logits.softmax(dim=-1), target.labels).accuracy
        table.add_row(
            source.name, target.name, f"{accuracy:.3f}", spread(fits, 2),
            f"{own.temperature:.2f} [{own.low:.2f}, {own.high:.2f}]",
            f"{before[0]:.3f}", spread([each[0] for each in after]), f"{oracle[0]:.3f}",
            f"{sum(each[0] < before[0] for each in after)} of {DRAWS}",
            f"{before[1]:.3f}", spread([each[1] for each in after]), f"{oracle[1]:.3f}",
            f"{before[2]:+.3f}", spread([each[2] for each in after]),
        )  # fmt: skip
    return table


def main(names: list[str]) -> None:
    cache = Path(os.environ.get("ALWORKBENCH_CACHE", DEFAULT_CACHE)).expanduser()
    context = load_context(cache, "cpu", lambda *_: None, lambda _: None)
    sets = {
        name: labelled_logits(origin_named(name, "bundled"), ProbabilityPath.PLAIN, context)
        for name in names or DEVELOPMENT
    }
    console = Console(width=220)
    if "sample" in sets:
        console.print(halves(sets["sample"]))
    console.print(between(list(sets.values())))


if __name__ == "__main__":
    main(sys.argv[1:])
